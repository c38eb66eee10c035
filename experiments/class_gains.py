"""The gain of each class from one evaluation to another: figure 6.5 of the thesis."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vidjax.data import tables
from vidjax.evaluation.report import Prediction
from vidjax.storage.writing import make_folder, writing, writing_bytes
from vidjax.untrusted_names import figure_text

# Number of largest gains and of largest losses that are drawn.
_SHOWN = 15
_COLUMNS = ("class", "videos", "right in A", "right in B", "gain")


@dataclass(frozen=True)
class Gain:
    """A class in two evaluations of the same videos.

    Attributes:
      name: name of the class.
      videos: number of its videos.
      first: number of videos that the first evaluation has right.
      second: number of videos that the second evaluation has right.
    """

    name: str
    videos: int
    first: int
    second: int

    @property
    def gain(self) -> float:
        """Accuracy of the second evaluation minus that of the first, in [-1, 1]."""
        return (self.second - self.first) / self.videos


def class_gains(a: Mapping[str, Prediction], b: Mapping[str, Prediction]) -> list[Gain]:
    """Computes the gains of all classes, largest first.

    Args:
      a: predictions of the first evaluation, by video.
      b: predictions of the second evaluation, for the same videos and labels.
    """
    counts: dict[str, list[int]] = {}
    for video, row in a.items():
        count = counts.setdefault(row.label, [0, 0, 0])
        count[0] += 1
        count[1] += row.is_right
        count[2] += b[video].is_right
    gains = (Gain(name, *count) for name, count in counts.items())
    return sorted(gains, key=lambda each: (-each.gain, each.name))


def write_gains(file: Path, gains: Iterable[Gain]) -> None:
    """Writes a CSV with one line per class."""
    make_folder(file.parent)
    with writing(file) as stream:
        writer = csv.writer(stream)
        writer.writerow(_COLUMNS)
        for each in gains:
            row = [each.name, each.videos, each.first, each.second, round(each.gain, 4)]
            writer.writerow(tables.cells(row))


def draw_gains(file: Path, gains: Sequence[Gain], names: tuple[str, str]) -> None:
    """Draws the largest gains and losses as a PNG, one bar per class.

    Args:
      file: PNG file to write.
      gains: as from `class_gains`.
      names: names of the first and of the second evaluation, for the title.
    """
    from matplotlib.figure import Figure

    shown = list(gains)
    if len(gains) > 2 * _SHOWN:
        shown = [*gains[:_SHOWN], *gains[-_SHOWN:]]
    figure = Figure(figsize=(8, 1.6 + 0.24 * len(shown)), layout="constrained")
    axes = figure.subplots()
    colors = ["C0" if each.gain >= 0 else "C3" for each in shown]
    axes.barh(range(len(shown)), [100 * each.gain for each in shown], color=colors)
    classes = [figure_text(f"{each.name} ({each.videos})") for each in shown]
    axes.set_yticks(range(len(shown)), classes)
    axes.invert_yaxis()
    axes.axvline(0, color="0.3", linewidth=1)
    axes.set_xlabel("accuracy of B minus that of A, points; number of videos in brackets")
    some = f", the {_SHOWN} largest gains and losses of" if len(shown) < len(gains) else ", all"
    told = (f"{letter}: {figure_text(name)}" for letter, name in zip("AB", names, strict=True))
    title = "\n".join((f"gains of classes{some} {len(gains)}", *told))
    axes.set_title(title, loc="left", fontsize="medium")
    axes.grid(axis="x", alpha=0.3)
    with writing_bytes(file) as stream:
        figure.savefig(stream, format="png", dpi=110)
