"""Tests medians over processes, and the figure of ratios."""

import dataclasses

import pytest

from experiments.benchmark import processes, ratio_figure
from experiments.benchmark.arguments import network_and_width, without
from experiments.benchmark.measurement import Measurement
from experiments.benchmark.models_csv import read_csv, write_csv
from experiments.benchmark.processes import in_processes, medians

ROW = Measurement(
    "r3d_18", "train", "float32", 4, "8x64x64", "vidjax", 9, 100.0, 2.0, 40.0, 0.8, 10, 1e9, 0.5,
    0.1, 4.0, 300, None,
)  # fmt: skip


def row(peer, ms, ratio):
    return dataclasses.replace(ROW, peer=peer, ms=ms, of_torch=ratio)


def test_a_ratio_is_the_median_of_the_processes_own_ratios():
    turns = [
        [row("vidjax", 100.0, 0.5), row("torch", 200.0, 1.0)],
        [row("vidjax", 300.0, 0.75), row("torch", 400.0, 1.0)],
        [row("vidjax", 120.0, 1.2), row("torch", 100.0, 1.0)],
    ]
    own, peer = medians(turns)
    # The ratio of the medians would be 120 / 200.
    assert (own.ms, own.of_torch) == (120.0, 0.75)
    assert (own.least_of_torch, own.most_of_torch) == (0.5, 1.2)
    assert (own.processes, peer.ms) == (3, 200.0)
    assert "0.75 (0.50 to 1.20)" in own.cells()


def test_a_competitor_missing_from_one_process_keeps_the_others():
    own, peer = medians(
        [[row("vidjax", 100.0, None)], [row("vidjax", 80.0, 0.8), row("torch", 100.0, 1.0)]]
    )
    assert own.of_torch is None
    assert (peer.ms, peer.processes) == (100.0, 1)


def test_rows_of_several_processes_survive_the_file(tmp_path):
    rows = medians([[row("vidjax", 100.0, 0.5)], [row("vidjax", 200.0, 0.7)]])
    write_csv(tmp_path / "models.csv", rows)
    assert read_csv(tmp_path / "models.csv") == rows


def test_a_ratio_compares_processes_of_the_same_turn(monkeypatch):
    times = {"none": iter([30.0, 90.0]), "only": iter([60.0, 100.0])}

    def measured(arguments):
        kind = arguments[-1]
        peer = "vidjax" if kind == "none" else "torch"
        return [row(peer, next(times[kind]), None if kind == "none" else 1.0)]

    monkeypatch.setattr(processes, "_measured", measured)
    lines = []
    first, second = in_processes(["models"], [["none"], ["only"]], 2, lines.append)
    assert [each.of_torch for each in first] == [0.5, 1.0]
    assert [each.of_torch for each in second] == [0.9, 1.0]
    assert len(lines) == 4


def test_a_failed_process_is_named_with_its_last_lines():
    with pytest.raises(RuntimeError, match=r"(?s)models --no_such_flag=1 failed.*no_such_flag"):
        in_processes(["models"], [["--no_such_flag=1"]], 2, print)


def test_flags_for_all_processes_are_removed_in_both_spellings():
    given = ["--models=a", "--processes", "3", "--rounds", "9", "--output=here", "--lax"]
    assert without(("--processes", "--output"), given) == ["--models=a", "--rounds", "9", "--lax"]


@pytest.mark.parametrize(
    "text", ["r3d_18:width=", "r3d_18:width=0", "r3d_18:depth=2", "a:b:width=3"]
)
def test_an_invalid_width_is_refused(text):
    with pytest.raises(ValueError, match="r3d_18:width=16"):
        network_and_width(text)


def test_a_name_may_have_a_width():
    assert network_and_width("r3d_18:width=16") == ("r3d_18", 16)
    assert network_and_width("r3d_18") == ("r3d_18", None)


def test_pytorchs_line_is_inside_of_the_figure(tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    kept = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: kept.append(figure))
    rows = medians([[row("vidjax", 100.0, 0.5)], [row("vidjax", 200.0, 0.7)]])
    ratio_figure.draw(tmp_path / "ratios.png", rows, "here")
    (axes,) = kept[0].axes
    assert axes.get_xlim()[0] == 0
    assert axes.get_xlim()[1] >= 1
