"""Tests machine failures, such as a full disk: one line and exit code 74."""

import errno
import subprocess
import sys

import jax
import pytest

from tests.commands import ROOT
from tests.faults.tiny import command, ending, settings, start
from tests.training.test_resume import arrays
from vidjax.progress import ProgressLine
from vidjax.run.machine_errors import MachineError, of_machine
from vidjax.trained import scoring
from vidjax.trained.sources.run import open_run

pytest.importorskip("resource", reason="this system limits no process")


def caused(error, cause):
    error.__cause__ = cause
    return error


MACHINE = {
    "No space left on device: '/data/x'": OSError(errno.ENOSPC, "full", "/data/x"),
    "Permission denied": PermissionError(errno.EACCES, "no"),
    "out of memory (Unable to allocate 3 GiB)": MemoryError("Unable to allocate 3 GiB"),
    "out of memory": MemoryError(),
    "File too large": ValueError("OUT_OF_RANGE: Error writing [os_error_code='27']\nmore"),
    "out of memory (RESOURCE_EXHAUSTED: allocating 5 bytes)": jax.errors.JaxRuntimeError(
        "RESOURCE_EXHAUSTED: allocating 5 bytes\nmore"
    ),
    "Input/output error": ExceptionGroup("two", [KeyError(1), OSError(errno.EIO, "bad")]),
    "Too many open files": caused(RuntimeError("reading failed"), OSError(errno.EMFILE, "many")),
    "checkpoint 3": MachineError("checkpoint 3"),
}
OTHERS = [
    FileNotFoundError(errno.ENOENT, "no", "x"),
    NotADirectoryError(errno.ENOTDIR, "no", "x"),
    ValueError("a class named out of memory"),
    ValueError("NOT_FOUND [os_error_code='2']"),
    RuntimeError("shapes do not fit"),
    OSError("video.mp4: not a readable video"),
]


@pytest.mark.parametrize(("reason", "error"), MACHINE.items())
def test_machine_errors_are_described_in_one_line(reason, error):
    assert of_machine(error) == reason.replace("'", "")


@pytest.mark.parametrize("error", OTHERS, ids=repr)
def test_other_errors_are_not_machine_errors(error):
    assert of_machine(error) is None


FULL = """
import logging, resource, sys
import numpy as np
from absl import logging as absl_logging
from pathlib import Path
from vidjax.run.checkpoint import Checkpoints
absl_logging.set_verbosity(absl_logging.FATAL)
like = {"x": np.random.default_rng(0).random(200_000)}
checkpoints = Checkpoints(Path(sys.argv[1]))
checkpoints.save(1, like, {})
checkpoints.wait()
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
try:
    checkpoints.save(2, like, {})
    checkpoints.wait()
except OSError as error:
    print(type(error).__name__, error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
checkpoints.close()
checkpoints = Checkpoints(Path(sys.argv[1]))
assert checkpoints.steps() == [1]
checkpoints.save(2, like, {})
checkpoints.close()
for step in (1, 2):
    found, _ = Checkpoints(Path(sys.argv[1]), read_only=True).restore(step, like)
    assert (found["x"] == like["x"]).all()
print("sound")
"""


def test_a_checkpoint_on_a_full_disk_leaves_earlier_ones_intact(tmp_path):
    process = start(FULL.replace("sys.argv[1]", repr(str(tmp_path / "checkpoints"))))
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    told, sound = out.splitlines()
    assert told.startswith("MachineError checkpoint 2 could not be written to")
    assert "File too large. Checkpoints [1] are intact" in told
    assert sound == "sound"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems limit no address space")
def test_too_little_address_space_is_reported_before_libraries_load():
    line = f"ulimit -v 900000; exec {sys.executable} -m experiments.train --help"
    done = subprocess.run(["sh", "-c", line], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 74
    assert done.stderr.startswith("error: this process may use only 0.9 GB of address space")
    assert done.stderr.count("\n") == 1


def test_an_evaluation_that_cannot_write_its_report_fails_before_scoring(
    tiny_config, tiny_run, monkeypatch
):
    def score(*_):
        raise AssertionError

    kept = tiny_run / "eval"
    kept.rename(tiny_run / "kept")
    # A folder that nobody can write to, not even root.
    kept.write_text("no folder")
    monkeypatch.setattr(scoring.Scorer, "score", score)
    try:
        with pytest.raises(OSError, match="eval"), ProgressLine(silent=True) as progress:
            scoring.evaluate(tiny_config, open_run(tiny_run), tiny_run, progress)
    finally:
        kept.unlink()
        (tiny_run / "kept").rename(kept)


@pytest.mark.slow
@pytest.mark.parametrize("size", [2_000, 8_000, 20_000])
def test_a_run_on_a_full_disk_says_so_once_and_resumes_with_free_space(tmp_path, size):
    """Limits file sizes to different numbers of bytes, so different writes fail first."""
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, -1))"
    code, errors, _ = ending(command("train", *settings(tmp_path / "run"), fault=limit))
    assert code == 74, errors
    (told,) = [line for line in errors.splitlines() if line.startswith("error: ")]
    assert "File too large" in told
    assert "start the same command again: it resumes" in told
    assert "Traceback" not in errors
    assert len(errors.splitlines()) < 12
    for workdir in (tmp_path / "run", tmp_path / "unbroken"):
        code, errors, _ = ending(command("train", *settings(workdir)))
        assert code == 0, errors
    (_, ours), (_, theirs) = arrays(tmp_path / "run"), arrays(tmp_path / "unbroken")
    assert all((ours[name] == theirs[name]).all() for name in theirs)
    lines = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("run", "unbroken")]
    assert lines[0] == lines[1]
