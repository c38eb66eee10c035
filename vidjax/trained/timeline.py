"""Draws a timeline of a video: the likely classes over time, with frames below."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from vidjax.data.transforms import resize
from vidjax.storage.writing import writing_bytes
from vidjax.trained.predicting import WindowPrediction
from vidjax.untrusted_names import figure_text

# Largest number of pieces; beyond it, pairs of pieces are merged.
_MOST_PIECES = 1024
_ROWS = 6
# A class that is never the most likely is shown if it once reached this probability.
_NOTABLE = 0.2
_PICTURE = 96
# Inches.
_WIDTH, _LEFT, _RIGHT = 12.0, 2.5, 0.25
_TITLE, _BAND, _ROW, _AXIS, _EDGE = 0.5, 0.34, 0.42, 0.42, 0.15
_FILM = 0.8
_LETTER, _FEWEST_LETTERS = 0.07, 6
# Relative luminance of red, green and blue (ITU-R BT.709).
_LIGHT = np.array([0.2126, 0.7152, 0.0722])
# Colours that colour-blind people can tell apart, in temporal order (Okabe and Ito, 2008).
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9")
_OTHER, _PAPER, _INK, _FAINT = "#9AA0A6", "#F1F3F4", "#202124", "#5F6368"
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)
_MOST_TICKS = 12


@dataclass(frozen=True)
class Piece:
    """A piece of the timeline.

    Attributes:
      start: seconds.
      end: seconds.
      probabilities: `[K]`, the mean over its windows.
      picture: frame of its first window, uint8 `[96, 96, 3]`.
    """

    start: float
    end: float
    probabilities: np.ndarray
    picture: np.ndarray


class Timeline:
    """Collects windows in temporal order, in bounded memory, and draws them."""

    def __init__(self) -> None:
        self._pieces: list[Piece] = []
        self._merged, self._waiting = 1, 0

    def add(self, window: WindowPrediction) -> None:
        """Adds the next window."""
        picture = resize(window.picture[None], (_PICTURE, _PICTURE))[0]
        piece = Piece(window.start, window.end, window.probabilities, picture)
        if 0 < self._waiting < self._merged:
            self._pieces[-1] = _together(self._pieces[-1], piece, self._waiting)
        else:
            self._pieces.append(piece)
            self._waiting = 0
        self._waiting += 1
        if len(self._pieces) > _MOST_PIECES and self._waiting == self._merged:
            self._halve()

    def pieces(self) -> tuple[Piece, ...]:
        """Returns the pieces: one per window, or one per several windows if there are many."""
        return tuple(self._pieces)

    def _halve(self) -> None:
        """Merges pairs of pieces; an odd last piece is then half full."""
        pieces = self._pieces
        pairs = [_together(*pair, 1) for pair in zip(pieces[::2], pieces[1::2], strict=False)]
        odd = len(pieces) % 2
        self._pieces = [*pairs, *pieces[len(pieces) - odd :]]
        self._waiting = self._merged if odd else 2 * self._merged
        self._merged *= 2

    def draw(self, file: Path, labels: Sequence[str], title: str) -> None:
        """Draws a PNG.

        Each of the strongest classes has a row, in the order in which they begin; the height of a
        strip is the probability. The top row names the most likely class of each moment, paler
        where it is less likely. Frames of the video are below.

        Args:
          file: the file to write.
          labels: names of the classes.
          title: title of the figure.

        Raises:
          ValueError: no window was added.
          OSError: the file cannot be written.
        """
        if not self._pieces:
            raise ValueError("a timeline needs at least one window")
        from matplotlib.figure import Figure

        pieces = list(_side_by_side(self._pieces))
        chances = np.stack([piece.probabilities for piece in pieces])
        edges = np.array([pieces[0].start, *(piece.end for piece in pieces)])
        rows = _strongest(chances, np.diff(edges))
        heights = (_TITLE, _BAND, _ROW * len(rows), _AXIS, _FILM, _EDGE)
        figure = Figure(figsize=(_WIDTH, sum(heights)), facecolor="white")
        places = [_axes(figure, heights, place) for place in (1, 2, 4)]
        colours = dict(zip(rows, _COLOURS, strict=False))
        _draw_title(figure, title)
        _draw_winners(places[0], chances, edges, labels, colours)
        _draw_rows(places[1], chances, edges, labels, colours)
        _draw_film(places[2], pieces)
        with writing_bytes(file) as stream:
            figure.savefig(stream, dpi=120, format="png")


def _together(first: Piece, second: Piece, weight: int) -> Piece:
    """Merges two pieces, of which the first counts `weight` times."""
    mean = (weight * first.probabilities + second.probabilities) / (weight + 1)
    return replace(first, end=max(first.end, second.end), probabilities=mean)


def _side_by_side(pieces: Sequence[Piece]) -> Iterator[Piece]:
    """Closes gaps between pieces: a moment belongs to the nearest window."""
    begin = pieces[0].start
    for piece, after in itertools.pairwise([*pieces, None]):
        assert piece is not None
        end = piece.end if after is None else max(begin, (piece.end + after.start) / 2)
        yield replace(piece, start=begin, end=end)
        begin = end


def _strongest(chances: np.ndarray, lengths: np.ndarray) -> list[int]:
    """Returns the classes that are often or nearly the most likely, in the order they begin."""
    winners = chances.argmax(axis=1)
    best = chances.max(axis=1)
    won = np.bincount(winners, lengths * best, minlength=chances.shape[1])
    order = np.lexsort((-chances.max(axis=0), -won))[:_ROWS]
    shown = [int(k) for k in order if won[k] or chances[:, k].max() > _NOTABLE]
    # A class begins when a tenth of its total probability has passed, so early flickers do not
    # count.
    mass = np.cumsum(lengths[:, None] * chances[:, shown] ** 2, axis=0)
    begins = dict(zip(shown, (mass >= 0.1 * mass[-1]).argmax(axis=0), strict=True))
    return sorted(shown, key=lambda k: begins[k])


def _axes(figure: Any, heights: Sequence[float], place: int) -> Any:
    """Adds axes for one of several strips from top to bottom, with heights in inches."""
    total = sum(heights)
    bottom = total - sum(heights[: place + 1])
    width = _WIDTH - _LEFT - _RIGHT
    box = (_LEFT / _WIDTH, bottom / total, width / _WIDTH, heights[place] / total)
    axes = figure.add_axes(box)
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    return axes


def _draw_title(figure: Any, title: str) -> None:
    height = figure.get_figheight()
    place = (_LEFT / _WIDTH, 1 - 0.24 / height)
    figure.text(
        *place, figure_text(title, 110), fontsize=12, color=_INK, va="center", weight="bold"
    )


def _draw_winners(
    axes: Any,
    chances: np.ndarray,
    edges: np.ndarray,
    labels: Sequence[str],
    colours: dict[int, str],
) -> None:
    """Draws the most likely class of each moment, with its name if there is room."""
    from matplotlib.colors import to_rgb

    inches = (_WIDTH - _LEFT - _RIGHT) / (edges[-1] - edges[0])
    for winner, first, last in _runs(chances.argmax(axis=1)):
        start, stop = edges[first], edges[last]
        strength = 0.25 + 0.75 * chances[first:last, winner].mean()
        colour = 1 - strength * (1 - np.array(to_rgb(colours.get(winner, _OTHER))))
        axes.axvspan(start, stop, 0.1, 0.9, color=colour, linewidth=0)
        letters = int((stop - start) * inches / _LETTER) - 1
        if letters >= _FEWEST_LETTERS:
            shade = "white" if colour @ _LIGHT < 0.6 else _INK
            name = figure_text(labels[winner], letters)
            where = ((start + stop) / 2, 0.48)
            axes.text(*where, name, color=shade, fontsize=8.5, ha="center", va="center")
    axes.set(xlim=(edges[0], edges[-1]), ylim=(0, 1), xticks=[])


def _runs(winners: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """Yields class, first piece and end piece of each stretch without a change."""
    changes = np.flatnonzero(np.diff(winners)) + 1
    for first, last in itertools.pairwise([0, *changes, len(winners)]):
        yield int(winners[first]), int(first), int(last)


def _draw_rows(
    axes: Any,
    chances: np.ndarray,
    edges: np.ndarray,
    labels: Sequence[str],
    colours: dict[int, str],
) -> None:
    """Draws a strip per class, with its probability from 0 to 1."""
    begin, end = edges[0], edges[-1]
    for row, (index, colour) in enumerate(colours.items()):
        bottom = -row - 0.9
        axes.fill_between((begin, end), bottom, bottom + 0.8, color=_PAPER, linewidth=0)
        heights = bottom + 0.8 * chances[:, index]
        axes.stairs(heights, edges, baseline=bottom, fill=True, color=colour, linewidth=0)
    ticks = [-row - 0.5 for row in range(len(colours))]
    axes.set_yticks(ticks, [figure_text(labels[k], 30) for k in colours], fontsize=9.5, color=_INK)
    axes.tick_params(axis="y", length=0, pad=8)
    axes.set(xlim=(begin, end), ylim=(-len(colours), 0))
    ticks = _ticks(begin, end)
    axes.set_xticks(ticks, [_clock(tick, ticks) for tick in ticks], fontsize=9, color=_FAINT)
    axes.tick_params(axis="x", length=3, color=_OTHER, pad=4)


def _draw_film(axes: Any, pieces: Sequence[Piece]) -> None:
    """Draws frames below their time."""
    begin, end = pieces[0].start, pieces[-1].end
    count = max(1, int((_WIDTH - _LEFT - _RIGHT) / _FILM))
    width = (end - begin) / count
    centres = np.array([(piece.start + piece.end) / 2 for piece in pieces])
    gap = 0.02 * width
    for k in range(count):
        left = begin + k * width
        piece = pieces[int(np.abs(centres - left - width / 2).argmin())]
        box = (left + gap, left + width - gap, 0, 1)
        axes.imshow(piece.picture, extent=box, aspect="auto", interpolation="bilinear")
    axes.set(xlim=(begin, end), ylim=(0, 1), xticks=[])


def _ticks(begin: float, end: float) -> list[float]:
    """Returns round times within an interval."""
    step = next((s for s in _STEPS if (end - begin) / s <= _MOST_TICKS), (end - begin) / 10)
    return [k * step for k in range(math.ceil(begin / step), math.floor(end / step + 1e-9) + 1)]


def _clock(seconds: float, ticks: Sequence[float]) -> str:
    """Formats a time as `m:ss`, with hours or tenths if they are needed."""
    tenths = len(ticks) > 1 and ticks[1] - ticks[0] < 1
    minutes, rest = divmod(round(seconds, 1), 60)
    second = f"{rest:04.1f}" if tenths else f"{round(rest):02}"
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{second}" if hours else f"{minutes}:{second}"
