"""Tests a store that never answers: the run exits, and resumes when the store answers again."""

import time

import pytest

from tests.faults.tiny import command, ending, settings


def wait_until_written(store, text, process, seconds=120):
    """Waits until an object whose name contains this text is written."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        if any(line.startswith("POST") and text in line for line in store.requests()):
            return
        time.sleep(0.2)
    process.kill()
    raise AssertionError(process.communicate()[1])


@pytest.mark.slow
def test_a_store_that_stops_answering_ends_a_run_which_resumes_later(bucket, store):
    run = ["train", *settings(f"{bucket}/run", train__duration="60 steps"), "--hang_timeout=10"]
    process = command(*run)
    wait_until_written(store, "run/checkpoints/10", process)
    store.misbehave("hang")
    code, errors, _ = ending(process)
    assert code == 69, errors
    assert "this process hangs: no progress" in errors
    store.behave()
    code, errors, _ = ending(command(*run))
    assert code == 0, errors
