"""Tests a job of several real processes whose bucket fails for one of them."""

import time

import pytest

from tests.faults.test_kills import assert_same
from tests.run.jobs import ends, job, lines, said
from tests.storage.test_faults import HASTE
from tests.storage.test_hanging_store import wait_until_written
from vidjax.storage.local_copies import local_folder_copy
from vidjax.storage.paths import as_path

SHORT = {
    "train__duration": "20 steps",
    "every__checkpoint": "5 steps",
    "every__evaluate": "20 steps",
}
HASTILY = f"{HASTE}\nimport runpy\nrunpy.run_module('experiments.train', run_name='__main__')"
COMMAND = ("-c", HASTILY, "--config=synthetic")


def trained(workdir):
    with job([], [], workdir=workdir, heartbeat=100, command=COMMAND, changes=SHORT) as processes:
        assert ends(processes, 300) == [0, 0], said


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """Returns the run on a disk."""
    workdir = tmp_path_factory.mktemp("unbroken") / "run"
    trained(workdir)
    return workdir


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("kind", "match", "number"),
    [
        # Process 0 marks a checkpoint as complete; each process writes its own arrays.
        ("unavailable", "checkpoints/10/commit_success", 0),
        ("forbidden", "checkpoints/10/_CHECKPOINT_METADATA", 0),
        ("quota", "checkpoints/10/state/ocdbt.process_1", 1),
    ],
)
def test_a_checkpoint_that_one_process_cannot_write_ends_all_within_seconds(
    store, bucket, unbroken, kind, match, number
):
    workdir = as_path(f"{bucket}/run")
    store.misbehave(kind, rf"^POST .*{match}")
    # Nothing here waits for a heartbeat.
    with job([], [], workdir=workdir, heartbeat=100, command=COMMAND, changes=SHORT) as processes:
        wait_until_written(store, match, processes[number], 300)
        began = time.monotonic()
        assert ends(processes) == [74, 74], said
    # Orbax itself would wait for 20 minutes.
    assert time.monotonic() - began < 60
    for process in processes:
        (line,) = lines(process)
        assert "checkpoint 10 could not be written" in line
    store.behave()
    trained(workdir)
    with local_folder_copy(workdir) as copy:
        assert_same(copy, unbroken)
