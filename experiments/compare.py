"""Tests whether two runs differ by more than chance, with McNemar's test on the same videos.

It prints both scores, how many videos each run has right, their difference and its p-value. It
writes the videos on which the runs differ, if there are any, and the gain of each class as a table
and a picture. Both runs must have been evaluated on the same videos. Weights that `vidjax evaluate
--weights=...` has evaluated are named as they were there, or by their folder.

If videos have several labels, it compares the mean average precisions with a paired bootstrap over
the videos and writes a table of the classes. Both runs must have been evaluated with --scores.

Examples:
  vidjax compare runs/a runs/b
  vidjax compare runs/a i3d:kinetics400
"""

from __future__ import annotations

import csv
from pathlib import Path

from absl import flags

from vidjax.data import tables
from vidjax.evaluation.report import Prediction, describe
from vidjax.evaluation.significance import McNemar, mcnemar
from vidjax.storage.paths import as_path
from vidjax.storage.writing import make_folder, writing
from vidjax.terminal import say, table

from . import command_line
from .class_gains import class_gains, draw_gains, write_gains
from .compare_multi_label import compare_classes, read_pair
from .evaluation_files import PREDICTIONS, SCORES, evaluated_in, newest

_PROTOCOL = flags.DEFINE_string(
    "protocol",
    None,
    "PROTOCOL: Protocol of the evaluations, such as test-10x3, if runs have several.",
)
_OUTPUT = flags.DEFINE_string(
    "output",
    None,
    "FILE: CSV for the videos on which the runs differ. By default it goes to the second run.",
)
Rows = dict[str, Prediction]


def main(first: str, second: str) -> None:
    """Compares, prints and writes."""
    runs = evaluated_in(first), evaluated_in(second)
    if _OUTPUT.value and as_path(_OUTPUT.value).exists():
        raise ValueError(f"--output={_OUTPUT.value} exists already; name another file")
    files = newest(runs, PREDICTIONS, _PROTOCOL.value)
    default = runs[1] / "eval" / f"{files[1].name[: -len(PREDICTIONS)]}-against-{runs[0].name}.csv"
    output = as_path(_OUTPUT.value) if _OUTPUT.value else default
    several = ["labels" in tables.columns(file) for file in files]
    if all(several):
        pair = read_pair(newest(runs, SCORES, _PROTOCOL.value))
        _print_scores(files)
        compare_classes(*pair, output)
        return
    if any(several):
        raise ValueError(f"only one of {files[0]} and {files[1]} has several labels per video")
    a, b = (read_predictions(file) for file in files)
    _same_videos(a, b, files)
    result = mcnemar(*([row.is_right for row in rows.values()] for rows in _sorted(a, b)))
    _print_scores(files)
    _print(result)
    differing = result.b + result.c
    if not differing:
        say("They have the same videos right, so no files are written.")
        return
    _write(output, a, b)
    say(f"They differ on {differing} video{'s' * (differing > 1)}: {output}")
    say(f"The gain of each class from A to B: {_write_gains(output, a, b, (first, second))}")


def read_predictions(file: Path) -> Rows:
    """Reads the predictions of an evaluation, by video.

    Raises:
      ValueError: the table is damaged; names the line and column.
    """
    return {row.video: row for _, row in tables.read(file, Prediction, ours=True)}


def _same_videos(a: Rows, b: Rows, files: list[Path]) -> None:
    """Refuses runs that were evaluated on different videos or labels."""
    odd = sorted(a.keys() ^ b.keys()) or [v for v in a if a[v].label != b[v].label]
    if odd:
        raise ValueError(
            f"{files[0]} and {files[1]} have different videos or labels: {len(odd)} differ, for "
            f"example {odd[0]!r}. Evaluate both runs on the same split with vidjax evaluate"
        )


def _sorted(a: Rows, b: Rows) -> tuple[Rows, Rows]:
    return {video: a[video] for video in sorted(a)}, {video: b[video] for video in sorted(a)}


def _print_scores(files: list[Path]) -> None:
    say(f"A: {files[0]}", f"B: {files[1]}")
    for name, file in zip("AB", files, strict=True):
        report = file.with_name(f"{file.name[: -len(PREDICTIONS)]}.json")
        if report.is_file():
            say(f"{name}: {describe(report)}")


def _print(result: McNemar) -> None:
    right, wrong = result.both + result.c, result.b + result.neither
    rows = (
        ("A right", result.both, result.b, result.both + result.b),
        ("A wrong", result.c, result.neither, result.c + result.neither),
        ("all", right, wrong, right + wrong),
    )
    table("videos", ("", "B right", "B wrong", "all"), rows, width=100)
    say(in_words(result))


def in_words(result: McNemar) -> str:
    """Describes the difference in top-1 in a sentence, with its p-value."""
    points = 100 * (result.c - result.b) / (result.both + result.b + result.c + result.neither)
    way = f"{abs(points):.1f} points {'higher' if points > 0 else 'lower'}"
    way = f"B is {way}" if points else "B has as many videos right as A"
    how = "binomial"
    if not result.exact:
        how = f"chi-squared {result.statistic:.3f} with Edwards' correction"
    return (
        f"{way}; by chance alone, such a difference has p = {result.p_value:.3g} "
        f"(McNemar's test, {how})"
    )


def _write(output: Path, a: Rows, b: Rows) -> None:
    make_folder(output.parent)
    with writing(output) as stream:
        writer = csv.writer(stream)
        writer.writerow(["video", "label", "predicted by A", "predicted by B", "right"])
        for video in sorted(a):
            if a[video].correct != b[video].correct:
                right = "A" if a[video].is_right else "B"
                predicted = a[video].predicted, b[video].predicted
                writer.writerow(tables.cells([video, a[video].label, *predicted, right]))


def _write_gains(output: Path, a: Rows, b: Rows, names: tuple[str, str]) -> Path:
    """Writes the gains of the classes beside the table of videos; returns the picture."""
    gains = class_gains(a, b)
    write_gains(output.with_name(f"{output.stem}-classes.csv"), gains)
    picture = output.with_name(f"{output.stem}-classes.png")
    draw_gains(picture, gains, names)
    return picture


if __name__ == "__main__":
    command_line.run(main, __doc__, arguments=("RUN_A", "RUN_B"))
