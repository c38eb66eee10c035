"""Prints and writes predictions: of one video, of many videos, and of windows over a video."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vidjax.data.decode import DecodeError, probe
from vidjax.data.manifest import Entry, Manifest, few
from vidjax.progress import ProgressLine, TimeLeft, duration
from vidjax.storage.writing import make_folder, refuse_there, unfinished
from vidjax.terminal import complain, say, table
from vidjax.trained.predicting import (
    Unreadable,
    WindowPrediction,
    predict_videos,
    predict_windows,
)
from vidjax.trained.prediction_files import (
    OF_VIDEOS,
    OF_WINDOWS,
    SUFFIXES,
    TOP,
    Row,
    writing_rows,
)
from vidjax.trained.score_collector import ScoreCollector
from vidjax.trained.timeline import Timeline
from vidjax.trained.trained_network import Trained
from vidjax.untrusted_names import printable

Piece = tuple[float | None, float | None]
_TABLES, _PICTURE = ("windows.csv", "windows.json"), "timeline.png"
# Rows that are printed if a file has all of them.
_SHOWN = 40


def refuse_table(output: Path) -> None:
    """Checks that a table can be written, before anything is computed.

    Raises:
      ValueError: the suffix is wrong, or the file or its unfinished part exists.
    """
    if output.suffix not in SUFFIXES:
        raise ValueError(f"--output={output}: a table is a {' or '.join(SUFFIXES)} file")
    for file in (output, unfinished(output)):
        refuse_there(file)


def refuse_folder(output: Path) -> None:
    """Checks that the files of windows can be written into a folder.

    Raises:
      ValueError: it is a file, or some of the files exist.
    """
    if output.exists() and not output.is_dir():
        raise ValueError(f"--output={output} is a file; windows are written to a folder")
    tables = [output / name for name in _TABLES]
    for file in (*tables, *map(unfinished, tables), output / _PICTURE):
        refuse_there(file)


def left(output: Path) -> list[Path]:
    """Returns the unfinished tables of an interrupted command."""
    parts = map(unfinished, (output, *(output / name for name in _TABLES)))
    return [part for part in parts if part.is_file()]


def one(
    trained: Trained, video: Path, piece: Piece, output: Path | None, scores: ScoreCollector | None
) -> str:
    """Prints the most likely classes of a video, and writes them as a table with one row.

    Returns:
      The most likely class.

    Raises:
      ValueError: the video cannot be read.
    """
    start, end = piece
    prediction = trained.prediction(video, start=start, end=end, once=True)
    entry, top = Entry(str(video), "", "", start, end), prediction.top(trained.labels, TOP)
    if scores:
        scores.add(entry, prediction)
    for name, probability in top:
        say(f"{probability:7.2%}  {name}")
    if output:
        with _rows_of_videos(output, trained) as write:
            write(_fields(entry), top)
        say(f"  {output}")
    return top[0][0]


def many(
    trained: Trained,
    videos: Manifest,
    batch_size: int,
    threads: int,
    output: Path | None,
    scores: ScoreCollector | None,
) -> int:
    """Predicts many videos, one row each.

    Returns:
      The exit code: 2 if none of them could be read.
    """
    rows: list[Sequence[str]] = []
    skipped: list[str] = []
    verdicts: list[bool] = []
    strangers: set[str] = set()
    total = len(videos.entries)
    table_of = _rows_of_videos(output, trained) if output else contextlib.nullcontext(_nowhere)
    with ProgressLine() as progress, table_of as write:
        watch = _Watch(progress)
        found = predict_videos(trained, videos, batch_size=batch_size, threads=threads)
        for done, (entry, prediction) in enumerate(found, start=1):
            watch.show(f"predicting videos {done}/{total}", done / total)
            if isinstance(prediction, Unreadable):
                skipped.append(prediction.error)
                write(_fields(entry, error=prediction.error), [])
                continue
            if scores:
                scores.add(entry, prediction)
            top = prediction.top(trained.labels, TOP)
            labels = videos.labels_of(entry)
            correct = _verdict(labels, top, trained)
            verdicts += [] if correct is None else [correct]
            write(_fields(entry, correct), top)
            strangers.update(labels)
            rows.append((_name(entry), f"{top[0][1]:.1%}", top[0][0], entry.label))
    _show_rows(rows, output)
    if verdicts:
        several = "; any of a video's labels counts" if videos.multi_label else ""
        say(f"{sum(verdicts)} of {len(verdicts)} are right ({np.mean(verdicts):.1%}){several}")
    unknown = sorted(strangers - set(trained.labels))
    if unknown:
        complain(
            f"the network has no class {few(unknown)}; videos with these labels are not counted"
        )
    complain(*(f"skipped {line}" for line in skipped))
    if output:
        say(f"  {output}")
    return 0 if rows else 2


def _nowhere(fields: Mapping[str, Any], top: Sequence[tuple[str, float]]) -> None:
    """Writes no row, for when no table is wanted."""


def windows(
    trained: Trained,
    video: Path,
    piece: Piece,
    window_stride: float | None,
    batch_size: int,
    output: Path | None,
    scores: ScoreCollector | None,
) -> None:
    """Predicts windows that slide over a video; writes tables and a picture.

    Raises:
      ValueError: no part of the video can be read.
    """
    start, end = piece
    found = predict_windows(
        trained, video, window_stride=window_stride, start=start, end=end, batch_size=batch_size
    )
    if scores:
        found = scores.passing(video, found)
    if output is None:
        for window in _readable(found, complain):
            name, chance = window.top(trained.labels, 1)[0]
            say(f"{_clock(window.start)} - {_clock(window.end)}  {chance:7.2%}  {name}")
        return
    about = {**_about(trained), "video": printable(str(video)), "window_stride": window_stride}
    length = (end or probe(video).duration) - (start or 0.0)
    line = Timeline()
    with ProgressLine() as progress, contextlib.ExitStack() as stack:
        rest = _readable(found, progress.note)
        # No folder is created for a video that cannot be read at all.
        first = next(rest)
        folder = make_folder(output)
        writers = [
            stack.enter_context(writing_rows(folder / name, OF_WINDOWS, about, trained.num_classes))
            for name in _TABLES
        ]
        watch = _Watch(progress)
        for window in itertools.chain([first], rest):
            line.add(window)
            for write in writers:
                write({"start": window.start, "end": window.end}, window.top(trained.labels, TOP))
            done = window.end - (start or 0.0)
            watch.show(
                f"predicting {duration(done)} of {duration(length)}", done / max(length, done)
            )
    line.draw(folder / _PICTURE, trained.labels, f"{video.name} ({trained.name})")
    for name in (*_TABLES, _PICTURE):
        say(f"  {folder / name}")


def _readable(
    found: Iterator[WindowPrediction], note: Callable[[str], None]
) -> Iterator[WindowPrediction]:
    """Yields windows until the video ends; if decoding fails on the way, prints a warning.

    Raises:
      DecodeError: decoding fails before the first window.
    """
    count = 0
    try:
        for count, window in enumerate(found, start=1):  # noqa: B007
            yield window
    except DecodeError as error:
        if not count:
            raise
        note(f"warning: {error}; only the {count} windows before that are predicted")


def _rows_of_videos(output: Path, trained: Trained) -> contextlib.AbstractContextManager[Row]:
    return writing_rows(output, OF_VIDEOS, _about(trained), trained.num_classes)


def _about(trained: Trained) -> Mapping[str, Any]:
    return {"network": trained.name, "weights": printable(trained.source)}


def _fields(entry: Entry, correct: bool | None = None, error: str | None = None) -> dict[str, Any]:
    """Returns the columns of a row other than the classes."""
    fields = {"video": printable(entry.path), "start": entry.start, "end": entry.end}
    return {**fields, "label": entry.label, "correct": correct, "error": error}


def _verdict(
    labels: Sequence[str], top: Sequence[tuple[str, float]], trained: Trained
) -> bool | None:
    """Returns whether the most likely class is right; None if the network knows no label."""
    return top[0][0] in labels if set(labels) & set(trained.labels) else None


def _show_rows(rows: Sequence[Sequence[str]], output: Path | None) -> None:
    """Prints the table; only its beginning if a file has all of it."""
    shown = rows[:_SHOWN] if output else rows
    columns = ("video", "probability", "predicted", "label")
    count = len(columns) if any(row[-1] for row in rows) else len(columns) - 1
    if shown:
        table(None, columns[:count], (row[:count] for row in shown))
    if len(rows) > len(shown):
        say(f"and {len(rows) - len(shown)} more")


def _name(entry: Entry) -> str:
    """Returns the name of a video, with the part of it that is meant."""
    if entry.start is None and entry.end is None:
        return entry.path
    end = "end" if entry.end is None else _clock(entry.end)
    return f"{entry.path} ({_clock(entry.start or 0.0)} - {end})"


def _clock(seconds: float) -> str:
    """Formats a time as `m:ss.s`."""
    minutes, rest = divmod(round(seconds, 1), 60)
    return f"{int(minutes)}:{rest:04.1f}"


class _Watch:
    """Shows how far the work is, and how much longer it takes.

    The clock starts after the first video or window, because that also compiles the network.
    """

    def __init__(self, progress: ProgressLine) -> None:
        self._progress = progress
        self._left: TimeLeft | None = None

    def show(self, text: str, share: float) -> None:
        """Shows a text with the time left; `share` of the work is done."""
        self._left = self._left or TimeLeft(1.0, share)
        self._left.update(share)
        self._progress.show(f"{text}{self._left}", final=share >= 1)
