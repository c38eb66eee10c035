"""One video of a data set, from its file to the example that is stored.

Whoever decodes imports this, and not what writes data sets: processes start sooner.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vidjax.data.catalog import Storage
from vidjax.data.decode import CostError, DecodeError, read_encoded
from vidjax.data.decode_limits import MOST_KEPT, Limits
from vidjax.data.decoded_cache import Decoded, Spool
from vidjax.data.flow_extraction import encoded_field, fields_of
from vidjax.data.local_video import at_hand, shown
from vidjax.data.manifest import Entry
from vidjax.data.multi_label_text import apart
from vidjax.data.optical_flow import Flow, X, Y
from vidjax.data.transforms import encode_jpeg
from vidjax.data.video_stream import stream_video

# Annotated times are rounded, often to whole frames or half seconds.
_ROUNDING = 0.5
# Of a stored video; each is a part of one record.
_MOST_FRAMES = 20_000


@dataclass(frozen=True)
class Job:
    """A video to be decoded.

    Attributes:
      file: where it is, or the file of many that it lies in.
      entry: what the manifest says of it.
      storage: how its frames are stored.
      spool: where they wait.
      multi_label: whether it may have several labels.
      shard: file that it becomes a record of.
    """

    file: Path
    entry: Entry
    storage: Storage
    spool: Spool
    multi_label: bool = False
    shard: str = ""

    @property
    def name(self) -> str:
        """The video's name in its data set."""
        return video_name(self.entry)

    @property
    def scratch(self) -> Path | None:
        """Where copies of its video go: beside what is decoded."""
        return self.spool.folder if self.spool.folder.is_dir() else None

    @property
    def shown(self) -> str:
        """What errors call it."""
        return shown(self.file, self.entry)


def video_name(entry: Entry) -> str:
    """Name of a manifest row that is unique in its data set: the path, and the times if cut."""
    if entry.start is None and entry.end is None:
        return entry.path
    return f"{entry.path}@{entry.start or 0:g}-{'' if entry.end is None else f'{entry.end:g}'}"


def frames(job: Job) -> Decoded:
    """A video's encoded frames, or fields of flow, and rate, as they are stored.

    Raises:
      DecodeError: it cannot be decoded, or ends before its piece does; or it has no flow.
    """
    entry, storage = job.entry, job.storage
    if storage.flow:
        return _flow(job, storage.flow)
    with at_hand(job.file, entry, job.scratch) as file:
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
    """A video's fields of flow, x and y in turn, as they are stored.

    Raises:
      DecodeError: as `frames`, or there are not two frames.
    """
    entry, storage = job.entry, job.storage
    with at_hand(job.file, entry, job.scratch) as file:
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
                raise CostError(f"{job.shown}: its flow takes more than {MOST_KEPT} bytes")
    # Of the two frames of the last field, the time of the second is one later.
    _refuse_early_end(job, times[-1] + 2 / video.fps)
    return jpegs, video.fps


def _refuse_early_end(job: Job, there: float) -> None:
    end = job.entry.end
    if end is not None and there < end - _ROUNDING:
        raise DecodeError(f"{job.shown}: its piece ends at {end:g} s, the video at {there:g} s")


def decode(job: Job) -> str:
    """Decodes one video into the spool; returns what is wrong with it, or nothing.

    Raises:
      OSError: the machine fails, not the video.
    """
    try:
        jpegs, fps = frames(job)
    except DecodeError as error:
        if job.entry.place is None:
            _read_through(job.file)
        return str(error)
    job.spool.save(job.name, jpegs, fps)
    return ""


def _read_through(file: Path) -> None:
    """Tells a damaged file from a machine that cannot read it.

    Raises:
      OSError: the file cannot be read to its end.
    """
    with file.open("rb") as stream:
        while stream.read(2**20):
            pass


def example(job: Job, decoded: Decoded) -> tuple[str, dict[str, Any]]:
    """Key and features, as the data set stores them."""
    jpegs, fps = decoded
    label = job.entry.label
    return job.name, {
        **({X: jpegs[::2], Y: jpegs[1::2]} if job.storage.flow else {"frames": jpegs}),
        **({"labels": list(apart(label))} if job.multi_label else {"label": label}),
        "video": job.name,
        "group": job.entry.group,
        "fps": np.float32(fps),
    }
