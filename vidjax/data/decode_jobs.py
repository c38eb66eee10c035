"""Decodes one video of a data set into the example that is stored.

Decoding processes import this module and not the data set writer, so that they start faster.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vidjax.data.catalog import Storage
from vidjax.data.decode import DecodeError, DecodeLimitError, read_encoded
from vidjax.data.decode_limits import MOST_KEPT, Limits
from vidjax.data.decoded_cache import Decoded, DecodedCache
from vidjax.data.flow_extraction import encoded_field, fields_of
from vidjax.data.local_video import local_video, shown
from vidjax.data.manifest import Entry
from vidjax.data.multi_label_text import split_labels
from vidjax.data.optical_flow import Flow, X, Y
from vidjax.data.transforms import encode_jpeg
from vidjax.data.video_stream import stream_video

# Annotated times are rounded, often to whole frames or half seconds.
_ROUNDING = 0.5
# Most frames of a stored video, since all are in one record.
_MOST_FRAMES = 20_000


@dataclass(frozen=True)
class Job:
    """A video to decode.

    Attributes:
      file: path of the video, or of the archive that contains it.
      entry: manifest entry of the video.
      storage: how frames are stored.
      cache: local folder for the decoded video.
      multi_label: whether the video may have several labels.
      shard: file name of the shard that it belongs to.
    """

    file: Path
    entry: Entry
    storage: Storage
    cache: DecodedCache
    multi_label: bool = False
    shard: str = ""

    @property
    def name(self) -> str:
        """Name of the video in its data set."""
        return video_name(self.entry)

    @property
    def scratch(self) -> Path | None:
        """Folder for a temporary copy of the video, in the folder of decoded videos."""
        return self.cache.folder if self.cache.folder.is_dir() else None

    @property
    def shown(self) -> str:
        """Name of the video for errors."""
        return shown(self.file, self.entry)


def video_name(entry: Entry) -> str:
    """Returns a name that is unique in the data set: the path, and the times of a segment."""
    if entry.start is None and entry.end is None:
        return entry.path
    return f"{entry.path}@{entry.start or 0:g}-{'' if entry.end is None else f'{entry.end:g}'}"


def frames(job: Job) -> Decoded:
    """Decodes a video; returns the encoded frames or flow fields to store, and the frame rate.

    Raises:
      DecodeError: the video cannot be decoded, ends before its segment does, or has no flow.
    """
    entry, storage = job.entry, job.storage
    if storage.flow:
        return _flow(job, storage.flow)
    with local_video(job.file, entry, job.scratch) as file:
        video = read_encoded(
            file,
            functools.partial(encode_jpeg, quality=storage.quality),
            start=entry.start,
            end=entry.end,
            fps=storage.fps,
            short_side=storage.short_side,
            max_frames=_MOST_FRAMES,
        )
    there = float(video.timestamps[-1]) + 1 / video.fps
    _refuse_early_end(job, there)
    return video.frames, video.fps


def _flow(job: Job, flow: Flow) -> Decoded:
    """Computes a video's flow; returns the encoded fields, x and y alternating, and the frame rate.

    Raises:
      DecodeError: like `frames`, or there are fewer than two frames.
    """
    entry, storage = job.entry, job.storage
    with local_video(job.file, entry, job.scratch) as file:
        video = stream_video(
            file,
            start=entry.start,
            end=entry.end,
            fps=storage.fps,
            short_side=storage.short_side,
            limits=Limits(frames=_MOST_FRAMES),
        )
        jpegs, times, kept = list[bytes](), list[float](), 0
        for field, time in fields_of(video, flow, job.shown):
            times.append(time)
            jpegs += encoded_field(field, storage.quality)
            kept += len(jpegs[-2]) + len(jpegs[-1])
            if kept > MOST_KEPT:
                raise DecodeLimitError(f"{job.shown}: its flow takes more than {MOST_KEPT} bytes")
    # The time is that of the first of the last field's two frames.
    _refuse_early_end(job, times[-1] + 2 / video.fps)
    return jpegs, video.fps


def _refuse_early_end(job: Job, there: float) -> None:
    end = job.entry.end
    if end is not None and there < end - _ROUNDING:
        raise DecodeError(f"{job.shown}: its segment ends at {end:g} s, the video at {there:g} s")


def decode(job: Job) -> str:
    """Decodes one video into the cache; returns the error, or an empty text.

    Raises:
      OSError: the machine failed, not the video.
    """
    try:
        jpegs, fps = frames(job)
    except DecodeError as error:
        if job.entry.place is None:
            _read_through(job.file)
        return str(error)
    job.cache.save(job.name, jpegs, fps)
    return ""


def _read_through(file: Path) -> None:
    """Reads a whole file, to distinguish a damaged file from a failing disk.

    Raises:
      OSError: the file cannot be read to its end.
    """
    with file.open("rb") as stream:
        while stream.read(2**20):
            pass


def example(job: Job, decoded: Decoded) -> tuple[str, dict[str, Any]]:
    """Returns key and features of the stored example."""
    jpegs, fps = decoded
    label = job.entry.label
    return job.name, {
        **({X: jpegs[::2], Y: jpegs[1::2]} if job.storage.flow else {"frames": jpegs}),
        **({"labels": list(split_labels(label))} if job.multi_label else {"label": label}),
        "video": job.name,
        "group": job.entry.group,
        "fps": np.float32(fps),
    }
