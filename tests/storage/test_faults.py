"""Tests runs whose bucket fails: they continue, or end in one line and resume later."""

import re

import pytest

from tests.commands import run_command
from tests.faults.test_kills import assert_same
from tests.faults.tiny import command, ending, settings
from vidjax.storage.local_copies import local_folder_copy
from vidjax.storage.paths import as_path

SHORT = {
    "train__duration": "8 steps",
    "every__log": "2 steps",
    "every__evaluate": "8 steps",
    "every__checkpoint": "4 steps",
}
# The waits of clients between retries are reduced to a hundredth.
HASTE = """
import asyncio, types
import gcsfs.retry
from vidjax.storage import retries
gcsfs.retry.asyncio = types.SimpleNamespace(sleep=lambda seconds: asyncio.sleep(seconds / 100))
retries.OF_TENSORSTORE = {"max_retries": 5, "initial_delay": "10ms", "max_delay": "10ms"}
"""
EVERY_WRITE = r"^(POST|PUT|DELETE)"


def train(workdir, **changes):
    process = command("train", *settings(workdir, **(SHORT | changes)), fault=HASTE)
    code, errors, _ = ending(process)
    return code, errors


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """Returns the run on a disk."""
    workdir = tmp_path_factory.mktemp("unbroken") / "run"
    code, errors = train(workdir)
    assert code == 0, errors
    return workdir


def assert_same_as_on_a_disk(workdir, unbroken):
    with local_folder_copy(as_path(workdir)) as copy:
        assert_same(copy, unbroken)


@pytest.mark.parametrize(
    ("kind", "match", "code", "said"),
    [
        ("forbidden", "", 2, "this account has no permission for that"),
        ("forbidden", EVERY_WRITE, 74, "this account has no permission for that"),
        ("expired", "", 2, "credentials are missing or have expired; run `gcloud auth"),
        ("expired", EVERY_WRITE, 74, "credentials are missing or have expired; run `gcloud auth"),
    ],
)
def test_missing_permissions_are_reported_before_anything_compiles(
    store, bucket, kind, match, code, said
):
    store.misbehave(kind, match=match)
    given = settings(f"{bucket}/run", **SHORT)
    done = run_command("experiments.train", *given, **store.environment)
    assert done.returncode == code, done.stderr
    (line,) = done.stderr.splitlines()
    assert re.match(rf"error: {bucket}\S*: ", line)
    assert said in line
    store.behave()
    assert not as_path(f"{bucket}/run").exists()


@pytest.mark.parametrize(
    ("kind", "match"),
    [
        # gcsfs and TensorStore have separate connections.
        pytest.param("quota", r"POST .*checkpoints/\d+/state", marks=pytest.mark.slow),
        pytest.param("unavailable", r"POST .*metrics", marks=pytest.mark.slow),
        pytest.param("unavailable", r"POST .*_CHECKPOINT_METADATA", marks=pytest.mark.slow),
        pytest.param("unavailable", r"POST .*checkpoints/\d+/state", marks=pytest.mark.slow),
        pytest.param("unavailable", r"POST .*/eval/", marks=pytest.mark.slow),
        pytest.param("forbidden", r"POST .*checkpoints/\d+/state", marks=pytest.mark.slow),
        pytest.param("quota", r"POST .*metrics", marks=pytest.mark.slow),
        pytest.param("quota", r"POST .*best", marks=pytest.mark.slow),
    ],
)
def test_a_full_store_ends_the_run_which_resumes_later(store, bucket, unbroken, kind, match):
    workdir = f"{bucket}/run"
    store.misbehave(kind, match=match)
    code, errors = train(workdir)
    (fault,) = store.behave()
    assert fault["met"] > 0
    assert code == 74, errors
    *_, last = errors.splitlines()
    assert last.startswith("error: ")
    assert bucket in last
    assert "start the same command again: it resumes" in last
    assert "Traceback" not in errors
    code, errors = train(workdir)
    assert code == 0, errors
    assert_same_as_on_a_disk(workdir, unbroken)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "match", "times"),
    [
        ("unavailable", "", 3),
        ("unavailable", r"checkpoints/4/state", 2),
        ("unavailable", r"metrics", 3),
        ("lost", EVERY_WRITE, 4),
        ("lost", r"POST .*metrics", 2),
        ("lost", r"POST .*checkpoints/4/state", 2),
    ],
)
def test_temporary_failures_of_the_store_are_harmless(store, bucket, unbroken, kind, match, times):
    store.misbehave(kind, match=match, times=times)
    code, errors = train(f"{bucket}/run")
    (fault,) = store.behave()
    assert fault["met"] == times
    assert code == 0, errors
    assert_same_as_on_a_disk(f"{bucket}/run", unbroken)


@pytest.mark.slow
def test_truncated_or_wrong_answers_do_not_corrupt_reads(store, bucket, tmp_path):
    workdir = f"{bucket}/run"
    code, errors = train(workdir, train__duration="4 steps")
    assert code == 0, errors
    given = (f"--workdir={workdir}",)
    store.misbehave("wrong", match=r"GET .*checkpoints/4/state/ocdbt.*(alt=media|download)")
    done = run_command("experiments.evaluate", *given, **store.environment)
    assert done.returncode == 2, done.stderr
    assert "checkpoint 4" in done.stderr
    assert "is damaged: its checksum is not the saved one" in done.stderr
    store.behave()
    # All faults may affect one object, and a client with exponential backoff retries for a minute.
    store.misbehave("cut", match=r"GET .*(alt=media|download)", times=4)
    code, errors = train(workdir)
    (fault,) = store.behave()
    assert fault["met"] == 4
    assert code == 0, errors
    assert "resuming after step 4 of 8" in errors
    for steps in ("4 steps", "8 steps"):
        code, errors = train(tmp_path / "run", train__duration=steps)
        assert code == 0, errors
    assert_same_as_on_a_disk(workdir, tmp_path / "run")


@pytest.mark.slow
def test_a_slow_store_only_costs_time(store, bucket, unbroken):
    store.misbehave("slow", seconds=0.1)
    code, errors = train(f"{bucket}/run")
    store.behave()
    assert code == 0, errors
    assert_same_as_on_a_disk(f"{bucket}/run", unbroken)


def test_a_start_makes_few_requests(store, bucket):
    """Each request takes the latency of the store."""
    store.misbehave("forbidden", match=r"POST .*checkpoints")
    store.requests()
    code, errors = train(f"{bucket}/run", train__duration="1 steps")
    assert code == 74, errors
    asked = store.requests()
    first = next(number for number, line in enumerate(asked) if line.startswith("POST"))
    begun = next(number for number, line in enumerate(asked) if "timing.jsonl" in line)
    # Requests until the directory is owned, and until the first step.
    assert first <= 15, asked[:first]
    assert begun <= 40, asked[:begun]
