"""Tests that texts from outside cannot control the terminal."""

import ast
import io
from pathlib import Path

import pytest

from vidjax import terminal
from vidjax.progress import ProgressLine

ROOT = Path(__file__).parents[1]
EVIL = "\x1b]0;title\x07[link=http://a]x[/y].mp4 [b]\r\u202e"


def test_a_line_has_no_control_codes_or_line_breaks(capsys):
    terminal.say(EVIL, "a\nb", 3)
    terminal.complain("\x1b[2J")
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        r"\x1b]0;title\x07[link=http://a]x[/y].mp4 [b]\r\u202e",
        r"a\nb",
        "3",
    ]
    assert err == "\\x1b[2J\n"


def test_tables_show_markup_as_text(capsys):
    terminal.table("[b]title", ("name", "[i]n"), [("x[/y].mp4", 1), ("\x1b[31m", "[link=a]")])
    shown = capsys.readouterr().out
    for text in ("[b]title", "[i]n", "x[/y].mp4", r"\x1b[31m", "[link=a]"):
        assert text in shown
    assert "\x1b" not in shown


def test_the_progress_line_shows_markup_and_codes_as_text(capsys):
    with ProgressLine(seconds=0) as progress:
        progress.show(f"explaining {EVIL}")
        progress.note(EVIL)
        progress.show(":smile: x[/y].mp4", final=True)
    shown = capsys.readouterr().err
    assert shown.count("[link=http://a]x[/y].mp4 [b]") == 2
    assert ":smile: x[/y].mp4" in shown
    assert "\x1b]" not in shown
    assert "\u202e" not in shown


def test_the_live_line_of_a_terminal_shows_markup_and_codes_as_text(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(
        terminal, "Console", lambda **settings: _terminal(stream, **settings | {"file": stream})
    )
    with ProgressLine() as progress:
        progress.show(f"reading {EVIL}")
    shown = stream.getvalue()
    assert "x[/y].mp4 [b]" in shown
    assert "\x1b]0;" not in shown
    # It was a terminal: rich's own control codes are present.
    assert "\x1b[" in shown


def _terminal(stream, **settings):
    from rich.console import Console

    return Console(force_terminal=True, width=200, **settings)


@pytest.mark.parametrize("package", ["vidjax", "experiments"])
def test_everything_is_printed_through_the_terminal_module(package):
    # It is copied into exported folders and must not depend on vidjax.
    excepted = {ROOT / "vidjax/terminal.py", ROOT / "vidjax/trained/exporting/load.py"}
    found = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file in (ROOT / package).rglob("*.py")
        if file not in excepted
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    ]
    assert found == []
