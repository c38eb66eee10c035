"""Draws accuracy over what networks cost: multiply-adds of a view, and parameters.

A point is the newest evaluation of a run, with the cost of its network on the views of that
evaluation. Its size is that of the network. With --pairs the runs are named in pairs, without and
with a method, and an arrow leads from one to the other. --printed adds the rows of tables of the
works, hollow: their accuracies are the works', and what they cost is counted here. Data sets have
a panel each. A table, PICTURE.csv, has the numbers.

Examples:
  vidjax tradeoff runs/r3d_34 runs/r3d_50 runs/mtnet_s --output=tradeoff.png
  vidjax tradeoff runs/r3d_34 runs/srtg_r3d_34 --pairs --output=tradeoff.png
  vidjax tradeoff --printed=5.1 --output=figure-5-7.png
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

_OUTPUT = flags.DEFINE_string("output", None, "PNG to write")
_PROTOCOL = flags.DEFINE_string("protocol", None, "such as test-10x3, where a run has several")
_PAIRS = flags.DEFINE_bool("pairs", False, "runs are pairs, without and with a method")
_PRINTED = flags.DEFINE_list("printed", [], "tables of the works to add, such as 5.1")
flags.mark_flag_as_required("output")


def main(*runs: str) -> None:
    """Counts, draws and writes."""
    output = as_path(_OUTPUT.value)
    sheet = output.with_suffix(".csv")
    for file in (output, sheet):
        if file.exists():
            raise ValueError(f"{file} is there already; name another --output")
    if not runs and not _PRINTED.value:
        raise ValueError("nothing to draw: name runs, or tables of the works with --printed")
    if _PAIRS.value and len(runs) % 2:
        raise ValueError(f"--pairs: {len(runs)} runs are not pairs; name them without, with, ...")
    works = find_tables(_PRINTED.value) if _PRINTED.value else []
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
    """The points of runs, called as their folders, or by the whole paths where those are equal."""
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
