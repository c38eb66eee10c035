"""Tests what all published data sets have in common, from their files to prepared records."""

import csv
import dataclasses
import importlib
from unittest import mock

import pytest

from tests.data.builders.conftest import rows
from tests.videos import numbered_frames, read_numbers, write_video
from vidjax.data import catalog, shard_writer
from vidjax.data.builders import prepared_videos
from vidjax.data.builders.hacs import HACS
from vidjax.data.builders.ucf101 import UCF101
from vidjax.data.decoded_cache import DecodedCache
from vidjax.data.manifest import ManifestError
from vidjax.data.prepared import PreparedSplit
from vidjax.data.process_pool import run_each
from vidjax.data.shard_writer import Made
from vidjax.data.verdicts import COLUMNS, Verdict
from vidjax.records import read as read_record

PUBLISHED = [name for name in catalog.list_datasets() if name not in ("marionette", "video_folder")]
EXACT = catalog.Storage(short_side=48, quality=95)


def records(folder, split):
    """Returns a split's videos by name."""
    source = PreparedSplit(folder, split)
    found = [source[index] for index in range(len(source))]
    return {record.name: record for record in found}


def numbers(record):
    """Returns the numbers that are encoded in a video's frames."""
    return read_numbers(record.decode(list(range(len(record.jpegs)))))


@pytest.mark.parametrize("name", PUBLISHED)
def test_each_description_has_the_source_and_the_folder_layout(name, tmp_path):
    module = importlib.import_module(f"vidjax.data.builders.{name}")
    builder = module.prepare.__self__
    assert builder.name == name
    text = builder.describe()
    assert builder.HOMEPAGE in text
    assert f"{builder.CLASSES} classes" in text
    assert all(trap in text for trap in builder.TRAPS)
    assert {split for split, _ in builder.VIDEOS} <= {"train", "val", "test"}
    with pytest.raises(ValueError, match=f"data.options.colour is unknown to {name}"):
        module.prepare(
            catalog.Request(tmp_path, manual_dir=str(tmp_path), options={"colour": "red"})
        )


@pytest.mark.parametrize("name", [name for name in PUBLISHED if name != "cifar100"])
def test_an_empty_and_a_missing_folder_are_named(name, tmp_path):
    for folder, message in (
        ("", "data.manual_dir"),
        (str(tmp_path / "absent"), "data.manual_dir = '.*absent'"),
        (str(tmp_path), "contains no"),
    ):
        request = catalog.Request(tmp_path / "data", manual_dir=folder)
        with pytest.raises(ManifestError, match=message):
            catalog.prepare(name, request)


def _ucf(tree, groups=(1, 2, 8, 9, 10)):
    for group in groups:
        path = tree.folder / f"YoYo/v_YoYo_g{group:02}_c01.mp4"
        # The suffix is the published one; the format is detected from the contents.
        write_video(path, numbered_frames(6)[group % 3 :]).rename(path.with_suffix(".avi"))


def test_whole_clips_are_stored_frame_by_frame_and_lost_ones_are_reported(tree):
    _ucf(tree)
    tree.text("classInd.txt", "1 Diving\n2 YoYo\n")
    listed = [f"YoYo/v_YoYo_g{group:02}_c01.avi 2\n" for group in (8, 9, 10, 11, 9)]
    tree.text("trainlist01.txt", "".join(listed))
    tree.text("testlist01.txt", "YoYo/v_YoYo_g01_c01.avi\n")
    tree.text("YoYo/v_YoYo_g10_c01.avi", "no video")
    storage = catalog.Storage(short_side=48, quality=95, bad_video_budget=0.4)
    folder = catalog.prepare("ucf101", tree.request(storage=storage))
    train = records(folder, "train")
    assert {name: numbers(record) for name, record in train.items()} == {
        "YoYo/v_YoYo_g08_c01.avi": [2, 3, 4, 5],
        "YoYo/v_YoYo_g09_c01.avi": [0, 1, 2, 3, 4, 5],
    }
    assert {record.label for record in train.values()} == {1}
    assert list(records(folder, "test")) == ["YoYo/v_YoYo_g01_c01.avi"]
    errors = {row["video"][-11:]: row["error"] for row in PreparedSplit(folder, "train").broken}
    assert errors["g11_c01.avi"] == "missing"
    assert errors["g09_c01.avi"] == "listed twice"
    assert "not a readable video" in errors["g10_c01.avi"]
    with (folder / "report.csv").open(encoding="utf-8") as file:
        train_row, test_row = csv.DictReader(file)
    assert [train_row[name] for name in ("listed", "missing", "excluded", "broken")] == list("5111")
    assert (test_row["listed"], test_row["prepared"]) == ("1", "1")
    part, out, names = tree.notes
    assert part == (
        "ucf101: 1 of 101 classes, 5 of 9,537 train videos listed, 1 of 3,783 test videos listed"
    )
    assert out == (
        "ucf101: excluded: 2 of 5 train videos, the first 'YoYo/v_YoYo_g09_c01.avi' (listed twice)"
    )
    assert names == f"ucf101: {folder / 'excluded.csv'} lists them, and 1 broken videos"


def _hacs(tree, *pieces):
    lines = [f"Archery,a2X2hz1G6i8,training,{start},{end},1\n" for start, end in pieces]
    header = "classname,youtube_id,subset,start,end,label\n"
    tree.text("HACS_clips_v1.1.1.csv", header + "".join(lines))
    video = tree.folder / "Archery/v_a2X2hz1G6i8.mp4"
    write_video(video, numbered_frames(120), fps=10, key_every=10)


def test_segments_are_cut_by_their_times_and_one_beyond_the_end_is_named(tree):
    _hacs(tree, (0.5, 2.5), (9.0, 11.0), (11.0, 13.0), (20.0, 22.0))
    storage = catalog.Storage(short_side=48, quality=95, bad_video_budget=0.6)
    folder = catalog.prepare("hacs", tree.request(storage=storage))
    video = "Archery/v_a2X2hz1G6i8.mp4"
    assert {name: numbers(record) for name, record in records(folder, "train").items()} == {
        f"{video}@0.5-2.5": list(range(5, 25)),
        f"{video}@9-11": list(range(90, 110)),
    }
    errors = {row["video"]: row["error"] for row in PreparedSplit(folder, "train").broken}
    assert "its segment ends at 13 s, the video at 12 s" in errors[f"{video}@11-13"]
    assert "without frames between 20 s and 22" in errors[f"{video}@20-22"]


def test_videos_decoded_before_an_interruption_are_not_decoded_again(tree, monkeypatch):
    _ucf(tree)

    def stop(what, done, total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        catalog.prepare("ucf101", tree.request(split=2, storage=EXACT, progress=stop))
    (cache,) = tree.data_dir.glob("ucf101/*/*.decoded")
    manifest = UCF101.manifest_of(tree.request(split=2))
    # The training shard exists; of the test split one decoded video is still in the cache.
    (shard,) = [read_record(file, Made, "") for file in cache.glob("made/*.json")]
    waiting = {entry.path for entry in manifest.entries if DecodedCache(cache).has(entry.path)}
    done = {*shard.videos, *waiting}
    assert (len(done), len(waiting)) == (3, 1)
    decoded = set()

    def note(function, jobs, **settings):
        decoded.update(job.name for job in jobs)
        return run_each(function, jobs, **settings)

    monkeypatch.setattr(shard_writer, "run_each", note)
    folder = catalog.prepare("ucf101", tree.request(split=2, storage=EXACT))
    assert decoded == {entry.path for entry in manifest.entries} - done
    found = records(folder, "train") | records(folder, "test")
    assert sorted(found) == sorted(entry.path for entry in manifest.entries)
    for name, record in found.items():
        first = int(name[-10:-8]) % 3
        assert numbers(record)[0] == first
    assert not list(PreparedSplit(folder, "train").broken)
    assert not cache.exists()
    assert [path.name for path in folder.parent.iterdir() if "incomplete" in path.name] == []


def test_a_preparation_interrupted_at_its_last_step_is_completed(tree, monkeypatch):
    _ucf(tree)
    tree.text("YoYo/v_YoYo_g10_c01.avi", "no video")
    storage = catalog.Storage(short_side=48, bad_video_budget=0.5)

    with monkeypatch.context() as patch:
        patch.setattr(prepared_videos, "write_report", mock.Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            catalog.prepare("ucf101", tree.request(storage=storage))
    folder = catalog.prepare("ucf101", tree.request(storage=storage))
    broken = [row["video"] for row in PreparedSplit(folder, "train").broken]
    assert broken == ["YoYo/v_YoYo_g10_c01.avi"]
    assert "YoYo/v_YoYo_g10_c01.avi" in (folder / "excluded.csv").read_text()
    assert sorted(path.name for path in folder.parent.iterdir()) == [
        folder.name,
        f"{folder.name}.lock",
    ]


def test_videos_with_bad_verdicts_are_excluded_by_name(tree):
    _ucf(tree, groups=(1, 8, 9))
    path = "YoYo/v_YoYo_g08_c01.avi"
    size = (tree.folder / path).stat().st_size
    verdicts = tree.data_dir.parent / "verdicts.csv"
    with verdicts.open("w", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerow(dataclasses.asdict(Verdict(path, "truncated", "half of it", size)))
    manifest = UCF101.manifest_of(tree.request(verdicts=str(verdicts)))
    assert [row[0][-11:] for row in rows(manifest)] == ["g01_c01.avi", "g09_c01.avi"]
    assert manifest.excluded[0].reason == "verdict truncated: half of it"


def test_a_list_without_any_existing_video_is_refused(tree):
    _hacs(tree, (0.0, 2.0))
    (tree.folder / "Archery/v_a2X2hz1G6i8.mp4").unlink()
    with pytest.raises(
        ManifestError, match="contains none of the 1 videos .*Expected folder contents:"
    ):
        HACS.manifest_of(tree.request())
