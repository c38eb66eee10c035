"""Tests checkpoints that are damaged, incomplete or old, or at a path that libraries misread."""

import errno
import json
import os
import random
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from vidjax.array_paths import ArrayPathError
from vidjax.convert import converted_folder
from vidjax.run import checksums
from vidjax.run.checkpoint import CheckpointError, Checkpoints
from vidjax.run.machine_errors import MachineError
from vidjax.training import loop

LIKE = {"x": np.zeros((40, 50), np.float32), "y": np.zeros(3, np.int32)}
# Orbax writes these files last, and restores without them.
UNSEALED = ("_CHECKPOINT_METADATA", "commit_success.txt", "checksums.json")


def state(step):
    random_part = np.random.default_rng(step).random((40, 50))
    return {"x": random_part.astype(np.float32), "y": np.arange(step, step + 3, dtype=np.int32)}


def write(directory, steps=(10, 20)):
    checkpoints = Checkpoints(directory)
    for step in steps:
        checkpoints.save(step, state(step), {"seconds": step})
    checkpoints.close()


def restored(directory, step, say=lambda _: None):
    checkpoints = Checkpoints(directory, read_only=True, say=say)
    try:
        return checkpoints.restore(step, LIKE)
    finally:
        checkpoints.close()


def files_of(folder):
    return sorted(file for file in folder.rglob("*") if file.is_file())


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    directory = tmp_path_factory.mktemp("saved") / "checkpoints"
    write(directory)
    return directory


@pytest.fixture
def directory(saved, tmp_path):
    shutil.copytree(saved, tmp_path / "checkpoints")
    return tmp_path / "checkpoints"


def flip(file, rng):
    content = bytearray(file.read_bytes())
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    file.write_bytes(content)


def test_a_flipped_bit_in_any_file_is_refused_by_name(directory):
    """One bit in each file that is restored; the older checkpoint stays usable."""
    rng = random.Random(0)
    files = [file for file in files_of(directory / "20") if file.name not in UNSEALED]
    assert {"manifest.ocdbt", "metadata", "_METADATA"} <= {file.name for file in files}
    for file in files:
        sound = file.read_bytes()
        flip(file, rng)
        with pytest.raises(CheckpointError, match="checkpoint 20 in .* cannot be used") as error:
            restored(directory, 20)
        assert str(file) in str(error.value)
        assert "--checkpoint=10" in str(error.value)
        assert "\n" not in str(error.value)
        file.write_bytes(sound)
    found, run = restored(directory, 20)
    np.testing.assert_array_equal(found["x"], state(20)["x"])
    assert run == {"seconds": 20}


@pytest.mark.slow
def test_hundreds_of_flipped_bits_are_refused_or_harmless(directory):
    """In all files, including those without a checksum."""
    rng = random.Random(1)
    files = files_of(directory / "20")
    refused = 0
    for trial in range(200):
        file = files[trial % len(files)]
        sound = file.read_bytes()
        flip(file, rng)
        try:
            found, run = restored(directory, 20)
        except CheckpointError:
            refused += 1
        else:
            assert file.name in UNSEALED
            np.testing.assert_array_equal(found["x"], state(20)["x"])
            np.testing.assert_array_equal(found["y"], state(20)["y"])
            assert run == {"seconds": 20}
        file.write_bytes(sound)
    assert refused > 100


@pytest.mark.parametrize(
    "content", [b"", b"{", b"null", b'{"files": 1}', b'{"files": {}, "own": 1}']
)
def test_damaged_checksums_are_named(directory, content):
    (directory / "20" / "checksums.json").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"20/checksums\.json is damaged"):
        restored(directory, 20)


def test_a_missing_file_is_named(directory):
    file = max(files_of(directory / "20" / "state"), key=lambda file: file.stat().st_size)
    file.unlink()
    with pytest.raises(CheckpointError, match=f"{file.name} is absent"):
        restored(directory, 20)


def test_checkpoints_without_checksums_open_with_a_note(directory):
    (directory / "20" / "checksums.json").unlink()
    notes = []
    found, _ = restored(directory, 20, notes.append)
    np.testing.assert_array_equal(found["x"], state(20)["x"])
    (note,) = notes
    assert "checkpoint 20 has no checksums" in note


def test_readers_change_and_remove_nothing(directory):
    """Readers beside a run that is writing leave its incomplete files alone."""
    half = directory / "30.orbax-checkpoint-tmp" / "state"
    half.mkdir(parents=True)
    (half / "part").write_text("half")
    before = {file: file.stat().st_mtime_ns for file in directory.rglob("*")}
    reader = Checkpoints(directory, keep=1, read_only=True)
    assert reader.resolve("last") == 20
    reader.restore(20, LIKE)
    reader.close()
    assert {file: file.stat().st_mtime_ns for file in directory.rglob("*")} == before


def test_the_error_for_a_checkpoint_removed_by_a_run_says_so(directory):
    reader = Checkpoints(directory, read_only=True)
    step = reader.resolve("10")
    shutil.rmtree(directory / "10")
    with pytest.raises(CheckpointError, match="was removed while it was being read"):
        reader.restore(step, LIKE)
    reader.close()


@pytest.mark.parametrize("name", ["run[lr=0.1]", "a\\b", "gs:/bucket"])
def test_paths_that_libraries_misread_are_refused_early(tiny_config, tmp_path, name):
    place = tmp_path / name
    for keep in (Checkpoints, lambda place: loop.train(tiny_config, place), converted):
        with pytest.raises(ArrayPathError, match="choose another folder") as error:
            keep(place)
        assert str(tmp_path) in str(error.value)
        assert list(tmp_path.iterdir()) == []


def converted(place):
    # The path is checked first, so the converted checkpoint does not matter.
    converted_folder.write(None, "r3d_18", place, "here")


@pytest.mark.parametrize(
    "name", ["a*b", "a?b", "a]b", "{a,b}", "a b", "%20#$HOME~", "ünï", "a|b@c"]
)
def test_checkpoints_work_at_other_unusual_paths(tmp_path, name):
    write(tmp_path / name / "checkpoints", steps=(10,))
    found, _ = restored(tmp_path / name / "checkpoints", 10)
    np.testing.assert_array_equal(found["x"], state(10)["x"])


def test_a_run_moved_under_a_bracket_can_still_be_read(directory, tmp_path):
    moved = tmp_path / "p[1]" / "checkpoints"
    shutil.copytree(directory, moved)
    restored(moved, 20)


# TensorStore may still answer the event loop that Orbax has closed after the failure.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_checkpoint_without_an_index_is_not_saved(tmp_path, monkeypatch):
    """Checkpoints are read back even if Orbax reports success; here it leaves out the index."""
    monkeypatch.setattr("vidjax.run.checkpoint.check_array_path", lambda *_, **__: None)
    place = tmp_path / "p[1]" / "checkpoints"
    checkpoints = Checkpoints(place)
    checkpoints.save(10, state(10), {})
    with pytest.raises(CheckpointError, match="checkpoint 10 .* cannot be read back"):
        checkpoints.wait()
    checkpoints.close()
    assert [file.name for file in place.iterdir()] == ["10.orbax-checkpoint-tmp"]


def test_a_failed_background_save_is_reported_before_the_next_one(tmp_path, monkeypatch):
    def seal(folder):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))

    checkpoints = Checkpoints(tmp_path / "checkpoints")
    checkpoints.save(10, state(10), {})
    checkpoints.wait()
    checkpoints.check()
    monkeypatch.setattr(checksums, "seal", seal)
    checkpoints.save(20, state(20), {})

    def work():
        for _ in range(400):
            checkpoints.check()
            time.sleep(0.05)

    line = r"checkpoint 20 could not be .*: No space left on .*Checkpoints \[10\] are intact"
    with pytest.raises(MachineError, match=line):
        work()
    checkpoints.close()


@pytest.mark.parametrize(
    "content", [b"", b'{"step": 10', b'{"step": 10}', b'{"step": "x", "score": 1}', b"5", b"\xff"]
)
def test_a_damaged_best_step_is_an_error_only_if_it_is_needed(directory, content):
    (directory / "best.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"best\.json is damaged .*: move it away") as error:
        Checkpoints(directory)
    assert "\n" not in str(error.value)
    reader = Checkpoints(directory, read_only=True)
    assert reader.resolve("last") == 20
    with pytest.raises(ValueError, match=r"best\.json is damaged"):
        reader.resolve("best")
    reader.close()


def test_the_best_checkpoint_is_kept_completely(directory):
    checkpoints = Checkpoints(directory, keep=1)
    checkpoints.mark_best(10, 0.5)
    checkpoints.close()
    assert json.loads((directory / "best.json").read_text()) == {"step": 10, "score": 0.5}
    assert sorted(file.name for file in Path(directory).iterdir()) == ["10", "20", "best.json"]
