"""Features of many videos into one file, which an interrupted process goes on with."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import msgspec
import numpy as np

import vidjax
from vidjax.data.manifest import Entry, Manifest
from vidjax.progress import ProgressLine, duration
from vidjax.settings import check, number, one_of, optional, whole
from vidjax.trained.batching import Computed, in_batches
from vidjax.trained.feature_files.table import DTYPES
from vidjax.trained.feature_files.unfinished import Row, Skipped, Unfinished, making
from vidjax.trained.features import EMBEDDING
from vidjax.trained.trained_network import Trained
from vidjax.trained.video_clips import Ended, Event, Look, Looking
from vidjax.untrusted_names import told

# A day is longer than any window, and as many clips as `eval.clips` may be.
_TABLE = {
    "clips": whole(1, 65_536),
    "every": optional(number(above=0, most=86_400)),
    "dtype": one_of(*DTYPES),
}


@dataclass(frozen=True)
class Extraction:
    """What is taken of each video.

    Attributes:
      layer: as in `vidjax.trained.features.features`; its mean over time and space.
      clips: clips spread evenly over each video.
      crops: of each clip; features are averaged over them.
      average: one row a video, the mean over its clips; else a row a clip.
      every: a row every so many seconds instead, of windows that slide over the video.
      dtype: of the file, `float16` or `float32`.
      batch_size: clips that are computed at once.
      threads: videos that are decoded at a time.

    Raises:
      ValueError: a setting is out of its range.
    """

    layer: str = EMBEDDING
    clips: int = 1
    crops: int = 1
    average: bool = True
    every: float | None = None
    dtype: str = "float32"
    batch_size: int = 1
    threads: int = 2

    def __post_init__(self) -> None:
        check(vars(self), _TABLE, "--")

    def facts(self) -> dict[str, Any]:
        """What decides the rows, of JSON's types."""
        names = ("layer", "clips", "crops", "average", "every", "dtype")
        facts = {name: getattr(self, name) for name in names}
        return {**facts, "clips": 0, "average": False} if self.every else facts


def extract(
    trained: Trained,
    manifest: Manifest,
    output: Path,
    how: Extraction,
    progress: ProgressLine,
) -> list[Skipped]:
    """Writes features of all videos of a manifest into a file.

    Rows are in the order of the manifest. What an interrupted process has done is gone on with.

    Args:
      trained: the network.
      manifest: the videos; labels and splits may be empty.
      output: `.npz` or `.h5`, which is not there yet; see `feature_files`.
      how: what is taken of each video.
      progress: told how far it is.

    Returns:
      The videos that could not be read, or not to their end. Rows before a break are kept.

    Raises:
      ValueError: no video can be read, the network has no such layer, or the file is there, or was
        begun with other settings.
      OSError: the file cannot be written.
    """
    about = _about(trained, manifest, how)
    with making(output, about, how.dtype) as rows:
        if rows.count:
            progress.note(f"going on behind {rows.count} rows of {rows.position.video} videos")
        watch = _Watch(progress, rows.position.video, len(manifest.entries))
        for event in _rows(trained, manifest, how, rows):
            if isinstance(event, Ended):
                name = told(manifest.entries[event.video].path)
                rows.end_video(Skipped(name, event.error) if event.error else None)
                watch.ended(event.video + 1)
            else:
                rows.add(event)
                watch.row(rows.count)
        skipped = msgspec.to_builtins(rows.skipped)
        rows.finish(output, {**about, "skipped": skipped})
    return rows.skipped


def _rows(
    trained: Trained, manifest: Manifest, how: Extraction, done: Unfinished
) -> Iterator[Row | Ended]:
    """Rows that are not there yet, and the end of each video."""
    at, clips = done.position, 0 if how.every else how.clips
    looking = Looking(trained.preprocessing, clips, how.crops, how.every, how.threads)
    events = _behind(looking.all(manifest, at.video), at.video, at.rows)
    left = (len(manifest.entries) - at.video) * max(1, clips)
    size = how.batch_size if how.every else max(1, min(how.batch_size, left))
    # Averages are of whole videos, of which no part is kept.
    averages = how.average and not how.every
    taken = in_batches(functools.partial(trained.features, layer=how.layer), events, size)
    for event, vector in _averaged(taken) if averages else taken:
        if isinstance(event, Ended):
            yield event
        else:
            yield _row(manifest.entries[event.video], event, vector, how.dtype)


def _behind(events: Iterable[Event], video: int, rows: int) -> Iterator[Event]:
    """Without the first clips of a video, whose rows are there."""
    for event in events:
        if isinstance(event, Ended) or event.video > video or event.clip >= rows:
            yield event


def _averaged(taken: Iterable[Computed]) -> Iterator[Computed]:
    """One clip for all those of a video, with their mean and from the first to the last."""
    for video, group in itertools.groupby(taken, key=lambda each: each[0].video):
        *clips, (end, nothing) = group
        if clips:
            looks = [look for look, _ in clips if isinstance(look, Look)]
            window = dataclasses.replace(
                looks[0].window,
                start=min(look.window.start for look in looks),
                end=max(look.window.end for look in looks),
            )
            yield Look(video, 0, window), np.mean([vector for _, vector in clips], axis=0)
        yield end, nothing


def _row(entry: Entry, look: Look, vector: np.ndarray, dtype: str) -> Row:
    kept = vector.astype(dtype)
    if not np.isfinite(kept).all():
        raise ValueError(
            f"features of {told(entry.path)} are not finite in {dtype}: take --dtype=float32, or "
            "other weights"
        )
    start, end = look.window.start, look.window.end
    texts = told(entry.path), entry.label, entry.split, entry.group
    return Row(kept, *texts, start, end, look.clip)


def _about(trained: Trained, manifest: Manifest, how: Extraction) -> dict[str, Any]:
    """How features are made, of JSON's types; work goes on only where it is the same."""
    about = {
        "vidjax": vidjax.__version__,
        "network": trained.name,
        "weights": trained.source,
        "step": trained.step,
        "weights_crc32": _fingerprint(trained.variables),
        "preprocessing": trained.preprocessing.facts,
        **how.facts(),
        "videos": _listed(manifest),
        # What earlier versions began goes on.
        **({"multi_label": True} if manifest.multi_label else {}),
    }
    # As a file has it: a tuple is a list there.
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(about))
    return found


def _fingerprint(variables: Mapping[str, Any]) -> str:
    """CRC-32 of all arrays, in the order of their names."""
    total = 0
    for leaf in jax.tree.leaves(variables):
        total = zlib.crc32(np.ascontiguousarray(leaf).tobytes(), total)
    return f"{total:08x}"


def _listed(manifest: Manifest) -> str:
    """Number of the videos, and a hash of their rows, sizes and times of change."""
    digest = hashlib.sha256()
    for entry in manifest.entries:
        file = manifest.file(entry)
        facts = (file.stat().st_size, file.stat().st_mtime_ns) if file.is_file() else ()
        digest.update(repr((entry, facts)).encode("utf-8", "surrogateescape"))
    return f"{len(manifest.entries)}, sha256 {digest.hexdigest()[:16]}"


class _Watch:
    """Tells how far the work is, and how long it will take."""

    def __init__(self, progress: ProgressLine, first: int, total: int) -> None:
        self._progress, self._first, self._total = progress, first, total
        self._began, self._video, self._rows = time.monotonic(), first, 0

    def row(self, count: int) -> None:
        """Says how many rows there are."""
        self._rows = count
        self._show()

    def ended(self, videos: int) -> None:
        """Says how many videos are done."""
        self._video = videos
        self._show(final=videos == self._total)

    def _show(self, *, final: bool = False) -> None:
        done, left = self._video - self._first, self._total - self._video
        seconds = time.monotonic() - self._began
        rest = f", {duration(seconds / done * left)} left" if done and left else ""
        line = f"features of {self._video}/{self._total} videos, {self._rows} rows{rest}"
        self._progress.show(line, final=final)
