from collections import Counter

import pytest

from vidjax.data.manifest import ManifestError, read_manifest


def fill(root, *paths):
    for path in paths:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(path.encode())
    return root


def divided(root, *more):
    """Makes two classes of three videos in train and test, and files beside them."""
    names = [f"{s}/{c}/{i}.mp4" for s in ("train", "test") for c in ("walk", "sit") for i in "012"]
    return fill(root, *names, *more)


def counts(manifest):
    return Counter((entry.split, entry.label) for entry in manifest.entries)


@pytest.mark.parametrize(
    "more", [(), ("train/extra.mp4",), ("unlabeled/x/0.mp4",), ("intro.mp4", "train/1.mp4")]
)
def test_other_files_beside_split_folders_are_skipped(tmp_path, more):
    manifest = read_manifest(divided(tmp_path, *more))
    assert manifest.classes == ("sit", "walk")
    assert counts(manifest) == {(s, c): 3 for s in ("train", "test") for c in ("sit", "walk")}
    told = [f"skipped {len(more)} videos outside the class folders of test or train, such as"]
    assert [text for note in manifest.notes for text in told if text in note] == told[: len(more)]


@pytest.mark.parametrize("inner", ["train/walk", "walk/a"])
def test_a_folder_one_level_too_high_is_refused_with_the_right_one(tmp_path, inner):
    fill(tmp_path, f"videos/{inner}/0.mp4", f"videos/{inner.replace('walk', 'sit')}/1.mp4")
    with pytest.raises(
        ManifestError, match=f"one class folder, 'videos'.*use {tmp_path}/videos instead"
    ):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    "paths",
    [("train/0.mp4", "test/1.mp4"), ("train/a/0.mp4", "car/b/1.mp4"), ("train/test/0.mp4",)],
)
def test_a_class_with_the_name_of_a_split_is_refused(tmp_path, paths):
    with pytest.raises(ManifestError, match="class folder has the name of a split: '(train|test)'"):
        read_manifest(fill(tmp_path, *paths))


def test_links_to_folders_are_followed_and_broken_links_reported(tmp_path):
    fill(tmp_path / "elsewhere", "0.mp4", "1.mp4")
    root = fill(tmp_path / "set", "walk/0.mp4", "walk/1.mp4")
    (root / "sit").symlink_to(tmp_path / "elsewhere")
    (root / "walk/around").symlink_to(root)
    (root / "walk/again").symlink_to(tmp_path / "elsewhere")
    (root / "walk/gone.mp4").symlink_to(tmp_path / "nowhere.mp4")
    manifest = read_manifest(root)
    assert manifest.classes == ("sit", "walk")
    assert len(manifest.entries) == 4
    (note,) = manifest.notes
    assert "2 x link to a folder that is already included" in note
    assert "1 x broken link" in note


def test_suffixes_of_cameras_are_known_and_other_files_are_counted(tmp_path):
    known = ["MTS", "m2ts", "vob", "asf", "h264", "qt", "MP4", "mxf", "3g2", "m2v", "hevc"]
    fill(tmp_path, *(f"class {suffix}/{i}.{suffix}" for suffix in known for i in "01"))
    fill(tmp_path, "class qt/a.txt", "class qt/b.txt", "c.JPG", "class qt/readme", ".hidden.mp4")
    fill(tmp_path, "__MACOSX/walk/0.mp4", ".git/walk/0.mp4", "@eaDir/x.mp4")
    manifest = read_manifest(tmp_path)
    assert manifest.classes == tuple(sorted(f"class {suffix}" for suffix in known))
    (note,) = manifest.notes
    assert sorted(note.partition("skipped ")[2].split(", ")) == [
        "1 x .jpg",
        "1 x file without a suffix",
        "1 x hidden file",
        "2 x .txt",
        "3 x hidden folder",
    ]


def test_the_error_for_a_folder_without_videos_lists_its_contents(tmp_path):
    with pytest.raises(ManifestError, match=r"contains no videos; .*skipped 1 x \.doc; expected"):
        read_manifest(fill(tmp_path, "walk/a.doc"))
