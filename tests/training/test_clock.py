"""Tests what counts as time of a lap."""

import time

import pytest

from vidjax.training.clock import Clock


def test_a_pause_is_time_of_the_run_but_not_of_the_lap():
    clock = Clock()
    with clock.paused():
        time.sleep(0.2)
    with clock.waiting():
        time.sleep(0.1)
    clock.count(8, 1000)
    seconds, lap = clock.seconds, clock.lap()
    assert seconds == pytest.approx(0.3, rel=0.3)
    assert lap.seconds == pytest.approx(0.1, rel=0.3)
    assert lap.clips_per_second == pytest.approx(80, rel=0.3)
    assert lap.waiting == pytest.approx(1, abs=0.1)
