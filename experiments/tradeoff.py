"""Plots accuracy against cost: multiply-adds per view, and parameters.

Each point is the newest evaluation of a run, with the cost of its network on the views of that
evaluation. The area of a point grows with the number of parameters. With --pairs the runs are named
in pairs, without and with a method, and an arrow leads from one to the other. --paper_tables adds
rows of the papers' tables as hollow points: their accuracies are the papers', and their costs are
counted here. Each data set has its own panels. A CSV beside the picture has the numbers.

Examples:
  vidjax tradeoff runs/r3d_34 runs/r3d_50 runs/mtnet_s --output=tradeoff.png
  vidjax tradeoff runs/r3d_34 runs/srtg_r3d_34 --pairs --output=tradeoff.png
  vidjax tradeoff --paper_tables=5.1 --output=figure-5-7.png
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import astuple, fields, replace
from pathlib import Path

from absl import flags

from vidjax.data import tables
from vidjax.progress import ProgressLine
from vidjax.storage.paths import as_path
from vidjax.storage.writing import make_folder, writing
from vidjax.terminal import say

from . import command_line
from .explain.output_files import write_figure
from .reproduce.analytical import Counter
from .reproduce.table import find_tables
from .tradeoff_points import Point, draw, of_run, of_table

_OUTPUT = flags.DEFINE_string("output", None, "FILE: New PNG file; the CSV goes beside it.")
_PROTOCOL = flags.DEFINE_string(
    "protocol",
    None,
    "PROTOCOL: Protocol of the evaluations, such as test-10x3, if a run has several.",
)
_PAIRS = flags.DEFINE_bool(
    "pairs", False, "Takes the runs as pairs: without a method, then with it."
)
_PAPER_TABLES = flags.DEFINE_list(
    "paper_tables", [], "TABLE,...: Tables of the papers to add, such as 5.1."
)
flags.mark_flag_as_required("output")
command_line.renamed("printed", "paper_tables")


def main(*runs: str) -> None:
    """Counts, draws and writes."""
    output = as_path(_OUTPUT.value)
    sheet = output.with_suffix(".csv")
    for file in (output, sheet):
        if file.exists():
            raise ValueError(f"{file} exists already; name another --output")
    if not runs and not _PAPER_TABLES.value:
        raise ValueError("nothing to draw: name runs, or tables of the papers with --paper_tables")
    if _PAIRS.value and len(runs) % 2:
        raise ValueError(
            f"--pairs: {len(runs)} runs are not pairs; name each run without, then with the method"
        )
    works = find_tables(_PAPER_TABLES.value) if _PAPER_TABLES.value else []
    with ProgressLine() as progress:
        counter = Counter(progress.show)
        points = _told_apart([as_path(run) for run in runs], counter)
        if _PAIRS.value:
            points = [*_paired(points)]
        for work in works:
            points += of_table(work, counter)
    make_folder(output.parent)
    _write(sheet, points)
    write_figure(output, draw(points))
    say(output, sheet)


def _told_apart(runs: Sequence[Path], counter: Counter) -> list[Point]:
    """Returns the points of runs, labelled by their folders, or by whole paths if those repeat."""
    points = [of_run(run, counter, _PROTOCOL.value) for run in runs]
    if len({point.label for point in points}) == len(points):
        return points
    return [replace(each, label=str(run)) for each, run in zip(points, runs, strict=True)]


def _paired(points: Sequence[Point]) -> Iterator[Point]:
    for without, with_it in zip(points[::2], points[1::2], strict=True):
        yield without
        yield replace(with_it, after=without.label)


def _write(file: Path, points: Sequence[Point]) -> None:
    with writing(file) as stream:
        writer = csv.writer(stream)
        writer.writerow([field.name for field in fields(Point)])
        writer.writerows(map(tables.cells, map(astuple, points)))


if __name__ == "__main__":
    command_line.run(main, __doc__, arguments=("[RUN...]",))
