import shutil

import pytest

from vidjax.data.manifest import ManifestError, read_manifest


@pytest.fixture
def folder(tmp_path):
    for name in ("walk/a.mp4", "walk/b.avi", "walk/.hidden.mp4", "run/c.mp4", "run/d.MP4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "notes.txt").write_text("not a video")
    return tmp_path


def write(folder, text):
    file = folder / "videos.csv"
    file.write_text(text)
    return file


def test_a_folder_of_classes_is_split_the_same_way_everywhere(folder, tmp_path_factory):
    manifest = read_manifest(folder)
    assert manifest.classes == ("run", "walk")
    assert len(manifest.entries) == 4
    for label in manifest.classes:
        splits = sorted(entry.split for entry in manifest.entries if entry.label == label)
        assert splits == ["test", "train"]
    copy = tmp_path_factory.mktemp("elsewhere") / "videos"
    shutil.copytree(folder, copy)
    assert read_manifest(copy).entries == manifest.entries
    assert read_manifest(copy).digest == manifest.digest


def test_split_folders_are_used_unchanged(tmp_path):
    for name in ("train/walk/a.mp4", "validation/walk/b.mp4", "test/walk/c.mp4"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(b"x")
    manifest = read_manifest(tmp_path)
    assert manifest.splits == ("train", "val", "test")
    assert [entry.path for entry in manifest.split("val")] == ["validation/walk/b.mp4"]


def test_a_csv_gives_times_groups_and_files(folder):
    file = write(
        folder,
        "path,label,split,start,end,group\nwalk/a.mp4,walk,train,1.5,3,anna\n"
        "walk/a.mp4,walk,train,4,,anna\nrun/c.mp4,walk,test,,,ben\n",
    )
    manifest = read_manifest(file)
    first, second, third = manifest.entries
    assert (first.start, first.end, first.group) == (1.5, 3.0, "anna")
    assert (second.start, second.end) == (4.0, None)
    assert manifest.file(third) == folder / "run/c.mp4"


def test_the_digest_depends_on_the_rows_but_not_on_their_order(folder):
    rows = ["walk/a.mp4,walk,train", "run/c.mp4,run,train"]
    head = "path,label,split\n"
    one = read_manifest(write(folder, head + "\n".join(rows))).digest
    assert read_manifest(write(folder, head + "\n".join(rows[::-1]))).digest == one
    other = read_manifest(write(folder, head + "\n".join(rows).replace("run,", "walk,")))
    assert other.digest != one


HEAD = "path,label,split\n"
BAD = {
    "lacks the column 'label'": "path,split\nwalk/a.mp4,train\n",
    "lists no videos": HEAD,
    "line 2: 'label' is empty": HEAD + "walk/a.mp4,,train\n",
    "split 'exam' is not one of": HEAD + "walk/a.mp4,walk,exam\n",
    "lists 1 files that do not exist .* 'gone.mp4'": HEAD + "gone.mp4,walk,train\n",
    "lists 'walk/a.mp4' twice, in rows 2 and 4": HEAD
    + "walk/a.mp4,walk,train\nwalk/b.avi,walk,train\nwalk/a.mp4,walk,train\n",
    "no training video has the label 'run'": HEAD + "walk/a.mp4,walk,train\nrun/c.mp4,run,test\n",
    "start = 'soon': must be a number": "path,label,split,start\nwalk/a.mp4,walk,train,soon\n",
    "end 1 is not after start 2": "path,label,split,start,end\nwalk/a.mp4,walk,train,2,1\n",
    "group 'anna' is in both training and evaluation": (
        "path,label,split,group\nwalk/a.mp4,walk,train,anna\nwalk/b.avi,walk,test,anna\n"
    ),
}


@pytest.mark.parametrize("message", BAD)
def test_errors_in_a_csv_are_named(folder, message):
    with pytest.raises(ManifestError, match=message):
        read_manifest(write(folder, BAD[message]))


def test_a_group_leak_can_be_accepted(folder):
    text = BAD["group 'anna' is in both training and evaluation"]
    assert len(read_manifest(write(folder, text), allow_group_leak=True).entries) == 2


def test_errors_in_a_folder_are_named(tmp_path):
    with pytest.raises(ManifestError, match="does not exist"):
        read_manifest(tmp_path / "nowhere")
    with pytest.raises(ManifestError, match="contains no videos; expected class/video.mp4"):
        read_manifest(tmp_path)
    (tmp_path / "loose.mp4").write_bytes(b"x")
    with pytest.raises(ManifestError, match="loose.mp4 is not in a class folder"):
        read_manifest(tmp_path)
