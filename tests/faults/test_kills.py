"""Tests that a run that is killed repeatedly at random times ends like an uninterrupted one."""

import random
import shutil
import signal
import time

import pytest

from tests.faults.tiny import command, ending, settings
from tests.training.test_resume import arrays

KILLS, LONGEST = 6, 600
# Includes rare writes: averages, the clock, the best checkpoint, and more than one epoch.
CHANGES = {"train__duration": "300 steps", "every__evaluate": "30 steps"}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.timeout(2 * LONGEST)
def test_a_run_killed_at_random_times_ends_like_an_uninterrupted_one(tmp_path, seed):
    began, rng = time.monotonic(), random.Random(seed)
    unbroken, workdir = tmp_path / "unbroken", tmp_path / "run"
    code, errors, _ = ending(command("train", *settings(unbroken, **CHANGES)))
    assert code == 0, errors
    kills = 0
    while kills < KILLS and time.monotonic() - began < LONGEST:
        process = command("train", *settings(workdir, **CHANGES))
        metrics = workdir / "metrics.jsonl"
        before = metrics.stat().st_size if metrics.exists() else 0
        # Most of a start is imports, so kill times are random only after the first sign of work.
        while process.poll() is None and not (metrics.exists() and metrics.stat().st_size > before):
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 1.5))
        process.send_signal(rng.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM]))
        process.communicate()
        kills += process.returncode in (-signal.SIGKILL, 75)
        if process.returncode == 0:
            # The run finished first; another one is killed.
            assert_same(workdir, unbroken)
            shutil.rmtree(workdir)
    code, errors, _ = ending(command("train", *settings(workdir, **CHANGES)))
    assert code == 0, errors
    assert_same(workdir, unbroken)


def assert_same(ours, theirs):
    (step, one), (other, two) = arrays(ours), arrays(theirs)
    assert step == other
    assert one.keys() == two.keys()
    assert [name for name in one if not (one[name] == two[name]).all()] == []
    for name in ("metrics.jsonl", "checkpoints/best.json"):
        assert (ours / name).read_text() == (theirs / name).read_text(), name
    reports = [
        sorted(file.name for file in (folder / "eval").iterdir()) for folder in (ours, theirs)
    ]
    assert reports[0] == reports[1]
    for name in reports[0]:
        assert (ours / "eval" / name).read_bytes() == (theirs / "eval" / name).read_bytes(), name
