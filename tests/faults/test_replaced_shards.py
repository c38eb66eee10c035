"""Tests intact shards that replace the original ones: detected when their records are read."""

import binascii
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from array_record.python import array_record_module

from tests.commands import ROOT
from tests.faults.test_damaged_data_sets import (
    AUGMENTATION,
    SHAPE,
    flip_a_video,
    readable,
    request_of,
    shard,
)
from tests.videos import numbered_frames, write_video
from vidjax.data import catalog
from vidjax.data.dataset_errors import ReplacedError
from vidjax.data.integrity import DamagedError, record_sizes
from vidjax.data.pipeline import train_batches
from vidjax.data.prepared import PreparedSplit
from vidjax.data.source_files import SourceFiles, recorded_root
from vidjax.data.views import Views, view_batches

VIEWS = Views(clips=1, crops=1, shape=SHAPE, size=16)


def prepare(root, first):
    """Prepares two classes of five videos each, whose frames encode numbers from `first` on."""
    for label in ("sit", "walk"):
        for number in range(5):
            frames = numbered_frames(6 + first)[first:]
            write_video(root / "videos" / label / f"{number}.mp4", frames)
    return catalog.prepare("video_folder", request_of(root))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Makes two data sets with the same names and sizes."""
    roots = [tmp_path_factory.mktemp(name) for name in ("one", "other")]
    return [prepare(root, first) for root, first in zip(roots, (0, 4), strict=True)]


@pytest.fixture
def folder(prepared, tmp_path):
    shutil.copytree(prepared[0], tmp_path / "copy")
    return tmp_path / "copy"


def records_of(file):
    reader = array_record_module.ArrayRecordReader(str(file))
    return [reader.read([k])[0] for k in range(reader.num_records())]


def write_records(file, records):
    writer = array_record_module.ArrayRecordWriter(str(file), "group_size:1")
    for record in records:
        writer.write(record)
    writer.close()


@pytest.fixture
def divided(folder):
    """Returns the data set with two training shards of equal sizes."""
    file, info = shard(folder), folder / "dataset_info.json"
    records = records_of(file)
    file.unlink()
    halves = [folder / f"video_folder-train.array_record-0000{k}-of-00002" for k in range(2)]
    for half, part in zip(halves, (records[:4], records[4:]), strict=True):
        write_records(half, part)
    told = json.loads(info.read_text())
    told["splits"][0]["shardLengths"] = ["4", "4"]
    info.write_text(json.dumps(told))
    record_sizes(folder)
    assert len(list(readable(folder))) == 8
    return halves


def exchange(one, other):
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)


def message(folder, file):
    return (
        rf"^{folder} is damaged: record \d of {file.name} is not the one that was written there.*; "
        rf"remove {folder} and run the same command again"
    )


def test_a_shard_of_another_split_is_detected(folder):
    test, train = shard(folder, "test"), shard(folder)
    assert test.stat().st_size == train.stat().st_size
    shutil.copyfile(train, test)
    with pytest.raises(DamagedError, match=message(folder, test)) as caught:
        PreparedSplit(folder, "test")
    assert "\n" not in str(caught.value)
    assert len(PreparedSplit(folder, "train")) == 8


def test_a_shard_of_another_size_is_detected(folder):
    train = shard(folder)
    train.write_bytes(train.read_bytes() + bytes(64))
    with pytest.raises(DamagedError, match=rf"{train.name} has \d+ of 131072 bytes; remove"):
        PreparedSplit(folder, "train")


def test_a_shard_of_another_data_set_is_detected(folder, prepared):
    shutil.copyfile(shard(prepared[1]), shard(folder))
    with pytest.raises(DamagedError, match=message(folder, shard(folder))):
        PreparedSplit(folder, "train")


def test_swapped_shards_are_detected(folder, divided):
    exchange(*divided)
    with pytest.raises(DamagedError, match=message(folder, divided[0])):
        PreparedSplit(folder, "train")


def test_a_single_replaced_record_is_detected_in_training_and_evaluation(folder, divided):
    """The record is in a shard that opening does not read."""
    records = records_of(divided[1])
    write_records(divided[1], [records[1], records[0], *records[2:]])
    source = PreparedSplit(folder, "train")
    assert [source[k].name for k in (0, 1, 2, 3, 6, 7)]
    for place in (4, 5):
        with pytest.raises(ReplacedError, match=message(folder, divided[1])):
            source[place]
    batches = train_batches(source, SHAPE, AUGMENTATION, batch_size=8, seed=0)
    with pytest.raises(DamagedError, match=message(folder, divided[1])):
        batches[0]
    views = view_batches(source, VIEWS, batch_size=1)
    with pytest.raises(DamagedError, match=message(folder, divided[1])):
        [views[index] for index in range(len(views))]


def test_a_damaged_record_names_its_shard(folder):
    place = flip_a_video(folder)
    record = PreparedSplit(folder, "train")[place]
    line = rf"is damaged: record \d of {shard(folder).name} cannot be read.*; remove {folder} and"
    with pytest.raises(ValueError, match=line):
        record.decode(np.array([0]))


DESCRIBING = ("dataset_info.json", "features.json", "metadata.json", "label.labels.txt")


@pytest.mark.parametrize("name", [*DESCRIBING, "sizes.json"])
def test_a_flipped_bit_in_the_metadata_is_detected(folder, name):
    file = folder / name
    sound = file.read_bytes()
    rng = np.random.default_rng(0)
    for place in rng.choice(len(sound), min(len(sound), 40), replace=False):
        flipped = bytearray(sound)
        flipped[place] ^= 1 << rng.integers(8)
        file.write_bytes(flipped)
        with pytest.raises(ValueError, match=f"^{folder} ") as caught:
            PreparedSplit(folder, "train")
        assert "\n" not in str(caught.value)
    file.write_bytes(sound)
    assert len(PreparedSplit(folder, "train")) == 8


def test_swapped_class_names_are_detected(folder):
    """The files have equal sizes; without a checksum, videos would get wrong classes."""
    (folder / "label.labels.txt").write_text("walk\nsit\n")
    with pytest.raises(DamagedError, match=r"label.labels.txt is truncated or changed; remove"):
        PreparedSplit(folder, "train")


@pytest.mark.parametrize("kept", ["sizes", "nothing"])
def test_data_sets_of_earlier_versions_are_read(folder, kept):
    file = folder / "sizes.json"
    sizes = json.loads(file.read_text())
    sums = sizes.pop("crc32")
    assert set(sums) == {"records", "files", "own"}
    assert {name: len(text) // 8 for name, text in sums["records"].items()} == {
        shard(folder, "test").name: 2,
        shard(folder).name: 8,
    }
    if kept == "sizes":
        file.write_text(json.dumps(sizes))
    else:
        file.unlink()
    assert len(list(readable(folder))) == 8
    if kept == "sizes":
        with shard(folder).open("ab") as stream:
            stream.write(b"x")
        with pytest.raises(DamagedError, match="has 131073 of 131072 bytes"):
            PreparedSplit(folder, "train")


def test_checksums_are_those_of_the_records(folder):
    """Recomputed with Python's other CRC function."""
    sums = json.loads((folder / "sizes.json").read_text())["crc32"]["records"]
    for split in ("train", "test"):
        file = shard(folder, split)
        expected = "".join(f"{binascii.crc32(record):08x}" for record in records_of(file))
        assert sums[file.name] == expected


def test_a_data_set_of_tfds_itself_can_have_checksums(folder):
    """TFDS's own data sets have no metadata of ours."""
    for name in ("metadata.json", "sizes.json"):
        (folder / name).unlink()
    features = json.loads((folder / "features.json").read_text())
    for name in ("fps", "group"):
        del features["featuresDict"]["features"][name]
    (folder / "features.json").write_text(json.dumps(features))
    assert len(PreparedSplit(folder, "train")) == 8
    record_sizes(folder)
    shutil.copyfile(shard(folder), shard(folder, "test"))
    with pytest.raises(ReplacedError, match="is not the one that was written there"):
        PreparedSplit(folder, "test")


@pytest.mark.parametrize("content", ["[" * 100_000, '{"root": ' * 50_000, "[]", "5", '{"root": 1}'])
def test_a_damaged_record_of_source_files_counts_as_missing(folder, content):
    (folder / "source.json").write_text(content)
    assert SourceFiles.read(folder) is None
    assert recorded_root(folder) in (None, "1")


@pytest.mark.parametrize(
    "content", ["[" * 100_000, '{"featuresDict": ' * 100_000, "{}", "null", '"x"', "[1e999]", "NaN"]
)
@pytest.mark.parametrize("name", [*DESCRIBING[:3], "sizes.json"])
def test_metadata_may_be_any_json(folder, name, content):
    (folder / name).write_text(content)
    if name != "sizes.json":
        (folder / "sizes.json").unlink()
    if (name, content) == ("sizes.json", "{}"):
        return
    with pytest.raises(DamagedError, match=rf"{name} is truncated or changed.*; remove") as caught:
        PreparedSplit(folder, "train")
    assert len(str(caught.value)) < 600


def run(name, *arguments):
    return subprocess.run(
        [sys.executable, "-m", f"experiments.{name}", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_training_and_evaluation_end_in_one_line(tmp_path):
    """A run is trained, then a shard is replaced by another."""
    prepare(tmp_path, 0)
    settings = [
        "--config=configs/folder.py",
        f"--config.data.manifest={tmp_path / 'videos'}",
        f"--config.data.data_dir={tmp_path / 'data'}",
        *("--config.data.short_side=48", "--config.train.duration=2 steps"),
        *("--config.clip.frames=2", "--config.clip.size=16", "--config.eval.size=16"),
        *("--config.eval.crops=1", "--config.eval.batch_size=2", "--config.train.batch_size=2"),
        "--config.model.options.width=4",
    ]
    trained = run("train", *settings, f"--workdir={tmp_path / 'run'}")
    assert trained.returncode == 0, trained.stderr
    (folder,) = (info.parent for info in tmp_path.rglob("dataset_info.json"))
    exchange(shard(folder), shard(folder, "test"))
    for ended in (
        run("train", *settings, f"--workdir={tmp_path / 'other'}"),
        run("evaluate", f"--workdir={tmp_path / 'run'}"),
    ):
        assert ended.returncode == 2
        last = ended.stderr.splitlines()[-1]
        assert last.startswith(f"error: {folder} is damaged: record 0 of video_folder-")
        assert last.endswith(
            f"remove {folder} and run the same command again to prepare the data set again"
        )
        assert "Traceback" not in ended.stderr
