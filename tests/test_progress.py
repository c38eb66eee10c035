"""Tests the live line of a terminal, its final state, and estimates of the remaining time."""

import io
import itertools
import re
import types

import pytest

from vidjax import progress, terminal
from vidjax.progress import ProgressLine, TimeLeft

WIDTH = 40
_CODE = re.compile(r"\x1b\[(\?25[lh]|\d*[A-Za-z])|\r|\n|[^\x1b\r\n]+")


def screen(text):
    """Returns the lines that a terminal of unlimited height shows after receiving a text."""
    lines, row, column = [""], 0, 0
    for match in _CODE.finditer(text):
        part = match[0]
        if part == "\n":
            row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
        elif part == "\r":
            column = 0
        elif part.endswith("A"):
            row -= int(part[2:-1] or 1)
            assert row >= 0, "above the first line"
        elif part == "\x1b[2K":
            lines[row] = ""
        elif not part.startswith("\x1b"):
            lines[row] = lines[row][:column].ljust(column) + part + lines[row][column + len(part) :]
            column += len(part)
            assert column <= WIDTH, "a terminal would wrap it"
        else:
            assert part in ("\x1b[?25l", "\x1b[?25h"), part
    return [line.rstrip() for line in lines if line.rstrip()]


@pytest.fixture
def shown(monkeypatch):
    """Replaces standard error with a terminal of 40 columns."""
    from rich.console import Console

    stream = io.StringIO()
    settings = {"file": stream, "force_terminal": True, "width": WIDTH, "color_system": None}
    monkeypatch.setattr(terminal, "Console", lambda **given: Console(**given | settings))
    return stream


@pytest.fixture
def clock(monkeypatch):
    """Returns a clock that only changes when it is set."""
    now = types.SimpleNamespace(seconds=100.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: now.seconds)
    return now


def test_final_lines_and_notes_stay_and_others_are_replaced(shown, clock):
    with ProgressLine() as line:
        line.show("preparing 1/2")
        line.show("preparing 2/2", final=True)
        line.show("step 1")
        line.note("compiled")
        line.show("step 2")
    assert screen(shown.getvalue()) == ["preparing 2/2", "compiled", "step 2"]


def test_a_terminal_keeps_one_line_per_minute(shown, clock):
    with ProgressLine() as line:
        for seconds in range(0, 150, 10):
            clock.seconds = 100.0 + seconds
            line.show(f"after {seconds} s")
    assert screen(shown.getvalue()) == ["after 60 s", "after 120 s", "after 140 s"]


def test_a_long_line_is_cut_to_one_row(shown, clock):
    with ProgressLine() as line:
        line.note("above")
        for number in range(3):
            line.show(f"step {number} " + "long " * 20)
        line.show("short", final=True)
    assert screen(shown.getvalue()) == ["above", "short"]


def test_standard_output_is_untouched_if_it_is_no_terminal(shown, capsys):
    with ProgressLine() as line:
        line.show("counting")
        terminal.say("a row of the table")
    assert capsys.readouterr().out == "a row of the table\n"
    assert "a row" not in shown.getvalue()


def test_without_a_terminal_plain_lines_are_printed_every_few_seconds(capsys, clock):
    with ProgressLine() as line:
        for seconds in range(0, 25, 5):
            clock.seconds = 100.0 + seconds
            line.show(f"after {seconds} s")
        line.show("done", final=True)
    printed = capsys.readouterr().err.splitlines()
    assert printed == ["after 0 s", "after 10 s", "after 20 s", "done"]


def test_the_remaining_time_counts_down_during_long_parts(clock):
    left = TimeLeft(4, clock=lambda: clock.seconds)
    assert str(left) == ""
    clock.seconds += 60
    left.update(1)
    assert str(left) == ", about 3:00 left"
    estimates = []
    for _ in range(5):
        clock.seconds += 30
        left.update(1)
        estimates.append(left.seconds)
    assert estimates == [150, 120, 90, 60, 30]
    clock.seconds += 30
    assert str(left) == ""


def test_the_remaining_time_does_not_grow_if_parts_differ_by_chance(clock):
    left = TimeLeft(20, clock=lambda: clock.seconds)
    shown = []
    for part in range(1, 20):
        clock.seconds += 12 if part % 2 else 8
        left.update(part)
        shown.append(left.seconds)
        assert left.seconds == pytest.approx(10 * (20 - part), abs=40)
    assert shown[0] == 228
    assert all(after < before for before, after in itertools.pairwise(shown))
    assert "slower" not in str(left)


def test_the_remaining_time_says_that_later_parts_are_slower(clock):
    left = TimeLeft(4, clock=lambda: clock.seconds)
    clock.seconds += 10
    left.update(1)
    assert str(left) == ", about 0:30 left"
    clock.seconds += 110
    left.update(2)
    assert str(left) == ", about 2:00 left, slower than expected"
    clock.seconds += 60
    left.update(3)
    assert str(left) == ", about 1:00 left"


def test_the_remaining_time_follows_the_current_pace(clock):
    left = TimeLeft(10, done=4, clock=lambda: clock.seconds)
    clock.seconds += 20
    left.update(6)
    assert left.seconds == 40
    left.skip()
    assert left.seconds == 30
    left.update(10)
    assert left.seconds is None


def test_less_than_half_a_second_left_is_not_mentioned(clock):
    left = TimeLeft(4, clock=lambda: clock.seconds)
    clock.seconds += 0.8
    left.update(2)
    assert str(left) == ", about 0:01 left"
    clock.seconds += 0.4
    assert left.seconds > 0
    assert str(left) == ""
