"""Tests tar shards as a source: frames equal those of the packed files, and nothing is unpacked."""

import io
import json
import tarfile

import numpy as np
import pytest

from tests.videos import numbered_frames, read_numbers, write_video
from vidjax.data import catalog
from vidjax.data.manifest import ManifestError
from vidjax.data.prepared import PreparedSplit

EXACT = catalog.Storage(short_side=48, quality=95, bad_video_budget=0.5)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Returns the bytes of videos with 3, 4, ... frames, by number."""
    folder = tmp_path_factory.mktemp("clips")
    return {
        count: write_video(folder / f"{count}.mp4", numbered_frames(count)).read_bytes()
        for count in range(3, 9)
    }


def write_tar(file, members):
    """Writes a tar from names and contents."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(file, "w") as tar:
        for name, content in members:
            data = content if isinstance(content, bytes) else content.encode()
            about = tarfile.TarInfo(name)
            about.size = len(data)
            tar.addfile(about, io.BytesIO(data))
    return file


def prepare(tmp_path, **options):
    notes = []
    request = catalog.Request(
        tmp_path / "data",
        manual_dir=str(tmp_path / "tars"),
        workers=1,
        storage=EXACT,
        options=options,
        note=notes.append,
    )
    return catalog.prepare("tar", request), notes


def found(folder, split):
    source = PreparedSplit(folder, split)
    records = [source[index] for index in range(len(source))]
    shown = {each.name: read_numbers(each.decode(np.arange(len(each.jpegs)))) for each in records}
    return shown, {each.name: source.classes[each.label] for each in records}


def test_videos_of_tars_are_read_frame_by_frame_with_their_labels(tmp_path, clips):
    write_tar(
        tmp_path / "tars/train-000000.tar",
        [("a/1.mp4", clips[3]), ("a/1.cls", "walk"), ("2.cls", "sit\n"), ("2.left.mp4", clips[4])],
    )
    write_tar(
        tmp_path / "tars/train-000001.tar",
        [("1.json", json.dumps({"label": "walk", "more": 1})), ("1.mp4", clips[5])],
    )
    write_tar(tmp_path / "tars/validation/x.tar", [("1.txt", "sit"), ("1.mp4", clips[6])])
    folder, notes = prepare(tmp_path)
    shown, named = found(folder, "train")
    assert {name: len(numbers) for name, numbers in shown.items()} == {
        "train-000000.tar/a/1.mp4": 3,
        "train-000000.tar/2.left.mp4": 4,
        "train-000001.tar/1.mp4": 5,
    }
    assert all(numbers == list(range(len(numbers))) for numbers in shown.values())
    assert sorted(named.values()) == ["sit", "walk", "walk"]
    assert found(folder, "val")[1] == {"validation/x.tar/1.mp4": "sit"}
    assert notes == []
    # A second call finds the data set by its tars, and nothing was written beside them.
    assert prepare(tmp_path)[0] == folder
    assert sorted(path.name for path in (tmp_path / "tars").rglob("*.*")) == [
        "train-000000.tar", "train-000001.tar", "x.tar",
    ]  # fmt: skip


def test_class_indices_become_names_in_order(tmp_path, clips):
    members = [(f"{k}.{kind}", what) for k in range(12) for kind, what in
               (("mp4", clips[3]), ("cls", str(k)))]  # fmt: skip
    write_tar(tmp_path / "tars/train/0.tar", members)
    assert PreparedSplit(prepare(tmp_path)[0], "train").classes == tuple(map(str, range(12)))
    names = [f"class {letter}" for letter in "lkjihgfedcba"]
    (tmp_path / "tars/classes.txt").write_text("\n".join(names) + "\n")
    _, named = found(prepare(tmp_path)[0], "train")
    assert named == {f"train/0.tar/{k}.mp4": names[k] for k in range(12)}


def test_unusable_videos_are_excluded_by_name(tmp_path, clips):
    write_tar(
        tmp_path / "tars/train-0.tar",
        [
            *((f"good{k}.{kind}", what) for k in range(4) for kind, what in
              (("mp4", clips[3 + k]), ("cls", "ab"[k % 2]))),
            ("bare.mp4", clips[3]),
            ("twice.mp4", clips[3]), ("twice.cls", "a"), ("twice.mp4", clips[4]),
            ("fields.mp4", clips[3]), ("fields.json", '{"other": 1}'),
            ("broken.mp4", b"no video"), ("broken.cls", "a"),
            ("only.cls", "a"),
            ("../../../../evil.mp4", clips[3]), ("../../../../evil.cls", "b"),
        ],
    )  # fmt: skip
    folder, (note,) = prepare(tmp_path)
    assert note.startswith("4 of 9 videos are excluded")
    assert len(found(folder, "train")[0]) == 5
    rows = (folder / "excluded.csv").read_text()
    for told in (
        "train-0.tar/bare.mp4,(no label),train,it has no label",
        "train-0.tar/twice.mp4,a,train,its key occurs twice in train-0.tar (with .mp4)",
        "train-0.tar/fields.mp4,(no label),train,its label cannot be read ('label' is not a text",
        f"train-0.tar/broken.mp4,a,train,{tmp_path}/tars/train-0.tar/broken.mp4: not a readable",
    ):
        assert told in rows
    # Member names are data: no path is built from them.
    assert not list(tmp_path.parent.rglob("evil*"))


@pytest.mark.parametrize("how", ["cut", "end", "header", "empty"])
def test_a_damaged_tar_is_named_with_its_byte_or_skipped(tmp_path, clips, how):
    for number in range(2):
        file = write_tar(
            tmp_path / f"tars/train-{number}.tar",
            [("1.cls", "a"), ("1.mp4", clips[3]), ("2.cls", "b"), ("2.mp4", clips[4])],
        )
    whole = file.read_bytes()
    with tarfile.open(file) as tar:
        second = tar.getmember("2.cls").offset
    damaged = {
        "cut": whole[: second + 700],
        "end": whole[:second],
        "header": whole[:second] + b"x" * 512 + whole[second + 512 :],
        "empty": b"",
    }[how]
    file.write_bytes(damaged)
    with pytest.raises(ManifestError, match=r"1 of 2 tars are damaged: .*train-1\.tar") as told:
        prepare(tmp_path)
    assert "damaged=skip" in str(told.value)
    folder, notes = prepare(tmp_path, damaged="skip")
    assert any("they are skipped" in note for note in notes)
    assert len(found(folder, "train")[0]) == 2


def test_the_option_chooses_the_source_of_labels(tmp_path, clips):
    members = [
        ("1.mp4", clips[3]),
        ("1.cls", "x"),
        ("1.txt", "words"),
        ("1.json", '{"verb": "run"}'),
    ]
    write_tar(tmp_path / "tars/train-0.tar", members)
    for option, label in (("cls", "x"), ("txt", "words"), ("json:verb", "run"), ("", "x")):
        assert PreparedSplit(prepare(tmp_path, label=option)[0], "train").classes == (label,)


def test_other_folders_than_those_of_tars_are_refused_in_one_line(tmp_path):
    with pytest.raises(ManifestError, match=r"data\.manual_dir = .* is not a folder"):
        prepare(tmp_path)
    (tmp_path / "tars").mkdir()
    with pytest.raises(ManifestError, match=r"contains no \.tar files"):
        prepare(tmp_path)
    for options, told in (
        ({"labels": "cls"}, "did you mean 'label'"),
        ({"label": "png"}, "must be cls, json, txt"),
        ({"damaged": "keep"}, "must be refuse or skip"),
    ):
        with pytest.raises(ManifestError, match=told):
            prepare(tmp_path, **options)
