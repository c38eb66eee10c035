"""Extracts features of many videos into one file; an interrupted extraction can be resumed."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
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
from vidjax.progress import ProgressLine, TimeLeft
from vidjax.settings import check, number, one_of, optional, whole
from vidjax.trained.batching import Computed, in_batches
from vidjax.trained.feature_files.table import DTYPES
from vidjax.trained.feature_files.unfinished import Row, Skipped, Unfinished, making
from vidjax.trained.features import EMBEDDING
from vidjax.trained.trained_network import Trained
from vidjax.trained.video_clips import ClipSampler, EndOfVideo, Event, SampledClip
from vidjax.untrusted_names import printable

# Limits: windows are at most a day apart, and clips at most as many as `eval.clips` allows.
_TABLE = {
    "clips": whole(1, 65_536),
    "window_stride": optional(number(above=0, most=86_400)),
    "dtype": one_of(*DTYPES),
}


@dataclass(frozen=True)
class Extraction:
    """What to extract from each video.

    Attributes:
      layer: as in `vidjax.trained.features.features`; features are averaged over time and space.
      clips: clips spread evenly over each video.
      crops: crops per clip; features are averaged over them.
      average: one row per video, the mean over its clips, instead of a row per clip.
      window_stride: slide windows over the video instead, one every so many seconds, with a row
        each.
      dtype: dtype in the file, `float16` or `float32`.
      batch_size: clips per batch.
      threads: videos decoded at the same time.

    Raises:
      ValueError: a setting is out of range.
    """

    layer: str = EMBEDDING
    clips: int = 1
    crops: int = 1
    average: bool = True
    window_stride: float | None = None
    dtype: str = "float32"
    batch_size: int = 1
    threads: int = 2

    def __post_init__(self) -> None:
        check(vars(self), _TABLE, "--")

    def facts(self) -> dict[str, Any]:
        """Returns the settings that determine the rows, of JSON types."""
        names = ("layer", "clips", "crops", "average", "window_stride", "dtype")
        facts = {name: getattr(self, name) for name in names}
        return {**facts, "clips": 0, "average": False} if self.window_stride else facts


def extract(
    trained: Trained,
    manifest: Manifest,
    output: Path,
    how: Extraction,
    progress: ProgressLine,
) -> list[Skipped]:
    """Extracts features of all videos of a manifest into a file.

    Rows are in the order of the manifest. If an earlier extraction was interrupted, it is resumed.

    Args:
      trained: the network.
      manifest: the videos; labels and splits may be empty.
      output: a `.npz` or `.h5` file that does not exist yet; see `feature_files`.
      how: what to extract from each video.
      progress: line that shows the progress.

    Returns:
      The videos that could not be read, or not to their end. Rows before the break are kept.

    Raises:
      ValueError: no video can be read, the network has no such layer, or the file exists or was
        begun with other settings.
      OSError: the file cannot be written.
    """
    about = _about(trained, manifest, how)
    with making(output, about, how.dtype) as rows:
        if rows.count:
            progress.note(f"resuming after {rows.count} rows of {rows.position.video} videos")
        watch = _Watch(progress, rows.position.video, len(manifest.entries))
        for event in _rows(trained, manifest, how, rows):
            if isinstance(event, EndOfVideo):
                name = printable(manifest.entries[event.video].path)
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
) -> Iterator[Row | EndOfVideo]:
    """Yields the rows that are still missing, and the end of each video."""
    at, clips = done.position, 0 if how.window_stride else how.clips
    looking = ClipSampler(trained.preprocessing, clips, how.crops, how.window_stride, how.threads)
    events = _behind(looking.all(manifest, at.video), at.video, at.rows)
    left = (len(manifest.entries) - at.video) * max(1, clips)
    size = how.batch_size if how.window_stride else max(1, min(how.batch_size, left))
    # An average needs the whole video, so rows of a part are not kept.
    averages = how.average and not how.window_stride
    taken = in_batches(functools.partial(trained.features, layer=how.layer), events, size)
    for event, vector in _averaged(taken) if averages else taken:
        if isinstance(event, EndOfVideo):
            yield event
        else:
            yield _row(manifest.entries[event.video], event, vector, how.dtype)


def _behind(events: Iterable[Event], video: int, rows: int) -> Iterator[Event]:
    """Skips the first clips of a video, whose rows already exist."""
    for event in events:
        if isinstance(event, EndOfVideo) or event.video > video or event.clip >= rows:
            yield event


def _averaged(taken: Iterable[Computed]) -> Iterator[Computed]:
    """Merges the clips of each video into one, with their mean and the time from first to last."""
    for video, group in itertools.groupby(taken, key=lambda each: each[0].video):
        *clips, (end, nothing) = group
        if clips:
            looks = [look for look, _ in clips if isinstance(look, SampledClip)]
            window = dataclasses.replace(
                looks[0].window,
                start=min(look.window.start for look in looks),
                end=max(look.window.end for look in looks),
            )
            yield SampledClip(video, 0, window), np.mean([vector for _, vector in clips], axis=0)
        yield end, nothing


def _row(entry: Entry, look: SampledClip, vector: np.ndarray, dtype: str) -> Row:
    kept = vector.astype(dtype)
    if not np.isfinite(kept).all():
        raise ValueError(
            f"features of {printable(entry.path)} are not finite in {dtype}: use --dtype=float32 "
            "or other weights"
        )
    start, end = look.window.start, look.window.end
    texts = printable(entry.path), entry.label, entry.split, entry.group
    return Row(kept, *texts, start, end, look.clip)


def _about(trained: Trained, manifest: Manifest, how: Extraction) -> dict[str, Any]:
    """Describes how features are made, of JSON types; extraction resumes only if it is the same."""
    about = {
        "vidjax": vidjax.__version__,
        "network": trained.name,
        "weights": trained.source,
        "step": trained.step,
        "weights_crc32": _fingerprint(trained.variables),
        "preprocessing": trained.preprocessing.facts,
        **how.facts(),
        "videos": _listed(manifest),
        # Extractions that earlier versions began can be resumed.
        **({"multi_label": True} if manifest.multi_label else {}),
    }
    # As it is read back from a file, where a tuple becomes a list.
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(about))
    return found


def _fingerprint(variables: Mapping[str, Any]) -> str:
    """Returns a CRC-32 of all arrays, in the order of their names."""
    total = 0
    for leaf in jax.tree.leaves(variables):
        total = zlib.crc32(np.ascontiguousarray(leaf).tobytes(), total)
    return f"{total:08x}"


def _listed(manifest: Manifest) -> str:
    """Returns the number of videos, and a hash of their rows, sizes and modification times."""
    digest = hashlib.sha256()
    for entry in manifest.entries:
        file = manifest.file(entry)
        facts = (file.stat().st_size, file.stat().st_mtime_ns) if file.is_file() else ()
        digest.update(repr((entry, facts)).encode("utf-8", "surrogateescape"))
    return f"{len(manifest.entries)}, sha256 {digest.hexdigest()[:16]}"


class _Watch:
    """Shows how many videos are done, and how long the rest takes.

    The clock starts after the first video, because that also compiles the network.
    """

    def __init__(self, progress: ProgressLine, first: int, total: int) -> None:
        self._progress, self._total = progress, total
        self._video, self._rows = first, 0
        self._time: TimeLeft | None = None

    def row(self, count: int) -> None:
        """Notes how many rows there are."""
        self._rows = count
        self._show()

    def ended(self, videos: int) -> None:
        """Notes how many videos are done."""
        self._video = videos
        self._time = self._time or TimeLeft(self._total, videos)
        self._time.update(videos)
        self._show(final=videos == self._total)

    def _show(self, *, final: bool = False) -> None:
        line = f"features of {self._video}/{self._total} videos, {self._rows} rows"
        line += str(self._time or "")
        self._progress.show(line, final=final)
