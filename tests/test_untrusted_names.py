"""Tests names from outside, including ones that Matplotlib would read as mathematics."""

import io
import json
import os

import numpy as np
import pytest
from matplotlib.figure import Figure

from vidjax.explain.class_feature_pyramids import Pyramid
from vidjax.explain.frequency import Point
from vidjax.explain.frequency_plot import draw_points
from vidjax.explain.gates import GateLog, GateState
from vidjax.explain.gates_plot import draw_gates
from vidjax.explain.map_measurements import QUANTITIES
from vidjax.explain.map_metrics_report import draw_metrics
from vidjax.explain.map_metrics_tables import MetricRow
from vidjax.explain.pyramid_figure import draw_pyramid
from vidjax.untrusted_names import figure_text, file_name, flaw, printable, script_json

BAD = r"$100\bar$"


def test_printable_names_are_unchanged():
    for name in (
        "walk.mp4",
        "d\u00e9j\u00e0 vu",
        "\u6b69\u304f",
        "a\\b",
        "\u0915\u094d\u200d\u0937",
    ):
        assert printable(name) == name
        assert flaw(name) == ""


@pytest.mark.parametrize(
    ("name", "line", "why"),
    [
        ("a\nb", r"a\nb", "line break"),
        ("a\r\x1b[0m", r"a\r\x1b[0m", "control character"),
        ("a\u2028b", r"a\u2028b", "line break"),
        (os.fsdecode(b"d\xe9j"), r"d\xe9j", "not UTF-8"),
        ("\ud800", r"\ud800", "not UTF-8"),
    ],
)
def test_other_names_are_escaped_to_one_line(name, line, why):
    assert printable(name) == line
    assert line.encode("utf-8").decode("utf-8").isprintable()
    assert why in flaw(name)


def drawn(text, **how):
    """Returns the pixels of a figure with a text."""
    figure = Figure(figsize=(4, 1))
    figure.text(0.1, 0.4, text, **how)
    pixels = io.BytesIO()
    figure.savefig(pixels, format="raw")
    return pixels.getvalue()


@pytest.mark.parametrize("name", [BAD, "win $5_$ now", "$", r"a\$b", "a$b", r"\alpha", "x_1^2"])
def test_figure_text_shows_a_name_literally(name):
    assert drawn(figure_text(name)) == drawn(name, parse_math=False)


def test_long_figure_text_is_cut():
    assert figure_text("x" * 100_000) == "x" * 59 + "\u2026"
    assert figure_text("two\nlines") == "two\nlines"


def _pictures():
    runs = [f"runs/{BAD}", "runs/other"]
    points = [Point(run, part, 1.0, 0.5, 1, 2) for run in runs for part in ("low", "high")]
    states = [GateState(run, "gate", 0.5, 2) for run in runs]
    logs = [GateLog(run, step, "gate", "open", 0.5) for run in runs for step in (1, 2)]
    rows = [
        MetricRow(run, "tube", quantity, 0.5, 0.1, 0.1, 0.2, 0.1, 2, 2)
        for run in runs
        for quantity in QUANTITIES
    ]
    yield "frequency", lambda: draw_points(points)
    yield "gates", lambda: draw_gates(states, logs)
    yield "metrics", lambda: draw_metrics(rows, {})
    empty = Pyramid(0, "layer", 1.0, 2, (16, 16), (), {})
    yield "pyramid", lambda: draw_pyramid(empty, np.zeros((2, 16, 16, 3), np.uint8), BAD)


PICTURES = list(_pictures())


@pytest.mark.parametrize(("kind", "draw"), PICTURES, ids=dict(PICTURES))
def test_plots_show_names_literally(kind, draw, tmp_path):
    figure = draw()
    figure.savefig(tmp_path / "picture.png")
    shown = [text.get_text() for text in figure.findobj(lambda each: hasattr(each, "get_text"))]
    assert any(figure_text(BAD) in text for text in shown), kind


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("walk", "walk"),
        ("d\u00e9j\u00e0 vu", "d\u00e9j\u00e0 vu"),
        ("a/b", "a%2Fb"),
        ("a%2Fb", "a%252Fb"),
        ("..", "%2E%2E"),
        (".hidden", "%2Ehidden"),
        ("-rf", "%2Drf"),
        ("a\\b:c*?", "a%5Cb%3Ac%2A%3F"),
        ("end. ", "end%2E%20"),
        ("a\nb\0", "a%0Ab%00"),
        ("nul.txt", "%6Eul.txt"),
        ("", "%"),
        ("a b, c (d)", "a b, c (d)"),
        ("\ud800", "%ED%A0%80"),
    ],
)
def test_file_names_cannot_leave_their_folder(name, file):
    assert file_name(name) == file


def test_different_names_give_different_file_names(tmp_path):
    names = ["a/b", "a%2Fb", "a\\b", "a_b", "..", ".", "x" * 300, "x" * 301, "\u6b69" * 200, "con"]
    files = [file_name(name) for name in names]
    assert len(set(files)) == len(names)
    for file in files:
        (tmp_path / f"pyramid-10-{file}.json").write_text("x")
    assert len(list(tmp_path.iterdir())) == len(names)


def test_no_text_can_end_a_script():
    data = {"a": "</script><script>x()</script><!-- \u2028", "b": ["\ud800"]}
    text = script_json(data)
    assert "<" not in text
    assert "\u2028" not in text
    assert json.loads(text) == data


def test_bidirectional_control_characters_are_escaped():
    assert printable("a\u202eb\u2066") == r"a\u202eb\u2066"
