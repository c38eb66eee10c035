"""Tests the time left that explanations show, with a clock that only moves when it is told to."""

import functools
import types

from experiments.explain import remaining_time
from vidjax.progress import TimeLeft


def test_a_map_of_many_passes_shows_the_time_left_without_that_of_compiling(monkeypatch):
    clock, lines = types.SimpleNamespace(seconds=0.0), []
    timed = functools.partial(TimeLeft, clock=lambda: clock.seconds)
    monkeypatch.setattr(remaining_time, "TimeLeft", timed)
    told = remaining_time.passes_shown(types.SimpleNamespace(show=lines.append))
    for done, seconds in ((8, 100), (16, 110), (40, 140)):
        clock.seconds = seconds
        told("RISE", done, 40)
    assert lines == [
        "RISE: 8/40 passes",
        "RISE: 16/40 passes, about 0:30 left",
        "RISE: 40/40 passes",
    ]
