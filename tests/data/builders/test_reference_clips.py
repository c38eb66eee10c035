"""Tests the builders on the real clips of the reference data."""

from collections import Counter

import pytest

from vidjax.data import catalog
from vidjax.data.builders.hmdb51 import source
from vidjax.data.builders.jhmdb21 import JHMDB21
from vidjax.data.builders.ucf101 import UCF101
from vidjax.data.prepared import PreparedSplit


def _request(folder, tmp_path, **options):
    notes = []
    request = catalog.Request(
        tmp_path,
        storage=catalog.Storage(short_side=24),
        manual_dir=str(folder),
        workers=1,
        options=options,
        note=notes.append,
    )
    return request, notes


@pytest.fixture
def ucf(shared):
    return shared / "clips/ucf101_few"


@pytest.mark.parametrize(("split", "part"), [(1, "test"), (2, "train"), (3, "train")])
def test_ucf_clips_of_group_one_are_test_videos_of_split_one_only(ucf, tmp_path, split, part):
    request, _ = _request(ucf, tmp_path, split=split)
    manifest = UCF101.manifest_of(request)
    assert manifest.classes == ("ApplyEyeMakeup", "BenchPress", "Diving")
    assert manifest.splits == (part,)
    assert Counter(entry.label for entry in manifest.entries) == dict.fromkeys(manifest.classes, 5)
    assert {entry.group for entry in manifest.entries} == {
        f"{label} 01" for label in manifest.classes
    }


@pytest.mark.slow
def test_ucf_clips_are_prepared_whole(ucf, tmp_path):
    request, notes = _request(ucf, tmp_path, split=2)
    folder = catalog.prepare("ucf101", request)
    split = PreparedSplit(folder, "train")
    frames = {split[k].name: len(split[k].jpegs) for k in range(len(split))}
    assert len(frames) == 15
    # The reference data's table has the counts of decoded frames.
    for name, expected in {"_g01_c01": 164, "_g01_c02": 123, "_g01_c03": 259}.items():
        assert frames[f"ApplyEyeMakeup/v_ApplyEyeMakeup{name}.avi"] == expected
    assert {round(split[k].fps, 2) for k in range(len(split))} == {25.0, 29.97}
    assert not split.broken
    assert notes[0].startswith("ucf101: 3 of 101 classes, 15 of 9,537 train videos listed")


@pytest.mark.parametrize(("place", "before"), [("jhmdb", ""), (".", "jhmdb/")])
@pytest.mark.parametrize("fold", [0, 1, 2, 3])
def test_jhmdb_folds_never_share_a_source(shared, tmp_path, place, before, fold):
    request, notes = _request(shared / "clips" / place, tmp_path, fold=fold)
    manifest = JHMDB21.manifest_of(request)
    assert len(manifest.classes) == 21
    assert len(manifest.entries) == 746
    assert manifest.excluded == ()
    assert manifest.leaked_groups == []
    assert len(manifest.split("test")) == (191, 185, 185, 185)[fold]
    assert notes == []
    # The source in a file name agrees with the table.
    for entry in manifest.entries:
        stem = entry.path.rpartition("/")[2].removesuffix(".mp4")
        assert source(stem, entry.label, entry.path) == entry.group
        assert entry.path.startswith(f"{before}{entry.label}/")
