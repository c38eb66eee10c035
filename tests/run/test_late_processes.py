"""Tests real processes of which one is late or pauses."""

import signal
import time

import pytest

from tests.run.jobs import ends, job, said, slowly
from tests.training.test_resume import arrays, wait_for_step

SHORT = {"train__duration": "4 steps"}
STEADY = {"every__checkpoint": "300 steps", "every__evaluate": "300 steps"}


@pytest.mark.slow
def test_a_process_may_compile_for_longer_than_a_transport_waits(tmp_path):
    """Gloo would give up on a first message after 30 s."""
    workdir = tmp_path / "run"
    command = slowly("vidjax.training.loop.compile_step", 45, 1)
    with job([], [], workdir=workdir, command=command, changes=SHORT) as processes:
        assert ends(processes, 240) == [0, 0], said
    assert arrays(workdir)[0] == 4


@pytest.mark.slow
def test_a_process_may_pause_for_half_the_heartbeat_timeout_but_not_longer_than_it(tmp_path):
    for seconds, codes in ((8, [0, 0]), (60, None)):
        workdir = tmp_path / str(seconds)
        changes = STEADY | {"train__duration": "300 steps" if codes else "4000 steps"}
        with job([], [], workdir=workdir, heartbeat=20, changes=changes) as processes:
            wait_for_step(workdir, 6, processes[0])
            processes[1].send_signal(signal.SIGSTOP)
            began = time.monotonic()
            while processes[0].poll() is None and time.monotonic() - began < seconds:
                time.sleep(0.1)
            paused = time.monotonic() - began
            processes[1].send_signal(signal.SIGCONT)
            if codes:
                assert ends(processes) == codes, said
            else:
                assert 9 < paused < 35
                assert processes[0].wait(30) in (-signal.SIGABRT, 69)
