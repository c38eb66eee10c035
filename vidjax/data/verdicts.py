"""Verdicts on video files: whether a file decodes from start to end, and if not, what is wrong.

Files are decoded frame by frame and no frame is kept, so a long video takes time but no memory.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import av
import msgspec

from vidjax.data import tables
from vidjax.data.avi import is_whole_avi
from vidjax.data.decode_limits import (
    USUAL,
    DecodeError,
    DecodeLimitError,
    DecodeTimeoutError,
    Limits,
)
from vidjax.data.frame_reader import Frames, open_frames
from vidjax.data.timestamps import Clock, stated_rate
from vidjax.records import Amount, Count, Name
from vidjax.settings import shown
from vidjax.storage.local_copies import local_copy
from vidjax.storage.paths import as_path, is_url
from vidjax.untrusted_names import printable

__all__ = [
    "COLUMNS",
    "VERDICTS",
    "Limits",
    "Verdict",
    "check_video",
    "digest",
    "read_verdicts",
    "video_path",
]

# The possible verdicts, from intact to missing.
VERDICTS = (
    "ok",
    "changed size",
    "damaged",
    "truncated",
    "too large",
    "took too long",
    "killed its worker",
    "no frames",
    "no video stream",
    "undecodable",
    "empty",
    "unreadable",
    "absent",
)
Degrees = Annotated[int, msgspec.Meta(ge=0, lt=360)]
# A header may state anything.
Stated = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
StatedRate = Annotated[float, msgspec.Meta(ge=-1e15, le=1e15)]
_ANEW = "; the table is damaged: check the videos again"
# Headers may be rounded. Missing frames count as lost only above this fraction.
_MISSING = 0.02
# Tolerance of the stated duration in seconds.
_SLACK = 0.5


@dataclass(frozen=True)
class Verdict:
    r"""The result of checking a file. The fields are the columns of the verdict table.

    Attributes:
      path: path as given. Line breaks and bytes that are not text are escaped as `\n` and `\xe9`.
      verdict: one of `VERDICTS`.
      detail: description of the problem; empty if there is none.
      bytes: size of the file.
      sha256: first 16 hex digits of the file's SHA-256.
      codec: name of the codec.
      pixel_format: such as `yuv420p`.
      width: width of the first frame in pixels as displayed, after rotation.
      height: height of the first frame in pixels as displayed, after rotation.
      rotation: degrees by which the stored image is rotated counter-clockwise for display.
      fps: average frame rate in the header.
      stated_frames: number of frames in the header; 0 if it states none.
      frames: number of decoded frames.
      seconds: time from the first decoded frame to the last.
      scan: `progressive` or `interlaced`, as marked in the first frame.
    """

    path: Name
    verdict: Name
    detail: str = ""
    bytes: Count = 0
    sha256: str = ""
    codec: str = ""
    pixel_format: str = ""
    width: Count = 0
    height: Count = 0
    rotation: Degrees = 0
    fps: StatedRate = 0.0
    stated_frames: Stated = 0
    frames: Count = 0
    seconds: Amount = 0.0
    scan: str = ""

    @property
    def usable(self) -> bool:
        """Whether the video can be used: all frames are there, though some may be concealed."""
        return self.verdict in ("ok", "changed size", "damaged")


COLUMNS = [field.name for field in dataclasses.fields(Verdict)]


def read_verdicts(file: Path) -> Iterator[Verdict]:
    """Reads the verdicts in a CSV. A last line that was cut off while it was written is skipped.

    Raises:
      ValueError: the file is another kind of table, or damaged; the message names line and column.
    """
    found = tables.columns(file, torn=True)
    if found and found != COLUMNS:
        raise ValueError(f"{file} is not a table of verdicts: {tables.listed(found, ', ')}")
    for line, verdict in tables.read(file, Verdict, ours=True, torn=True, advice=_ANEW):
        if verdict.verdict not in VERDICTS:
            known = ", ".join(VERDICTS)
            raise ValueError(
                f"{file}, line {line}: verdict {shown(verdict.verdict)} is not one of {known}"
            )
        yield verdict


def check_video(path: str, root: Path = Path(), limits: Limits | None = None) -> Verdict:
    """Decodes a file from start to end and returns the verdict.

    Args:
      path: path of the file, relative to `root`, absolute or a URL.
      root: folder that relative paths start from.
      limits: decoding limits.

    Raises:
      BucketError: the bucket cannot be read.
    """
    name = printable(path)
    try:
        with local_copy(video_path(root, path)) as file:
            return _check_local(file, name, limits or USUAL)
    except FileNotFoundError:
        return Verdict(name, "absent", "no such file")


def _check_local(file: Path, name: str, limits: Limits) -> Verdict:
    """Checks a local file."""
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            return Verdict(name, "absent", "not a file")
        facts: dict[str, object] = {"bytes": file.stat().st_size, "sha256": digest(file)}
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return Verdict(name, "absent", "no such file")
    except OSError as error:
        return Verdict(name, "unreadable", os.strerror(error.errno or 0))
    if not facts["bytes"]:
        return Verdict(name, "empty", "no bytes", **facts)  # type: ignore[arg-type]
    try:
        with open_frames(file, limits) as (stream, frames):
            watch = _Watch(stream, file, limits)
            verdict, detail = watch.all(frames)
            facts |= _stated(stream) | watch.facts
    except DecodeError as error:
        verdict, detail = _refusal(error, str(file))
    return Verdict(name, verdict, detail, **facts)  # type: ignore[arg-type]


def video_path(root: Path, path: str) -> Path:
    """Returns the path of a file; `path` may be relative to `root`, absolute or a URL."""
    return as_path(path) if is_url(path) else root / path


def digest(file: Path) -> str:
    """Returns the first 16 hex digits of a file's SHA-256."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:16]


def _stated(stream: av.VideoStream) -> dict[str, object]:
    return {
        "codec": stream.codec_context.name,
        "pixel_format": stream.codec_context.pix_fmt or "",
        "fps": round(float(stream.average_rate or 0), 4),
        "stated_frames": stream.frames,
    }


class _Watch:
    """Goes through all frames of a file, keeps none, and collects facts about them."""

    def __init__(self, stream: av.VideoStream, file: Path, limits: Limits) -> None:
        self._stream, self._file, self._limits = stream, file, limits
        self._sizes: list[tuple[int, int]] = []
        # Largest time and time stamp so far, in seconds.
        self._last = self._stamp = 0.0
        self._count = self._damaged = 0
        self.facts: dict[str, object] = {}

    def all(self, frames: Frames) -> tuple[str, str]:
        """Decodes all frames; returns verdict and detail."""
        context, broken = self._stream.codec_context, ""
        try:
            frames.meter.refuse_size(context.width, context.height)
            for frame, time in Clock(self._stream).timed(frames):
                self._see(frame, time)
                if self._count > self._limits.frames:
                    return "too large", f"more than {self._limits.frames} frames"
        except DecodeLimitError as error:
            return _refusal(error, str(self._file))
        except DecodeError as error:
            broken = str(error).rpartition("(")[2].rstrip(")")
        return self._judge(broken, frames.packets)

    def _see(self, frame: av.VideoFrame, time: float) -> None:
        self._count += 1
        self._damaged += frame.is_corrupt
        self._last = max(self._last, time)
        self._stamp = max(self._stamp, frame.time or 0.0)
        turned = frame.rotation % 180 != 0
        size = (frame.height, frame.width) if turned else (frame.width, frame.height)
        if not self._sizes:
            scan = "interlaced" if frame.interlaced_frame else "progressive"
            self.facts |= {"width": size[0], "height": size[1], "scan": scan}
            self.facts["rotation"] = frame.rotation % 360
        if not self._sizes or size != self._sizes[-1]:
            self._sizes.append(size)
        self.facts |= {"frames": self._count, "seconds": round(self._last, 4)}

    def _judge(self, broken: str, packets: int) -> tuple[str, str]:
        count, reason = self._count, f" ({broken})" if broken else ""
        if not count:
            if broken:
                return "undecodable", f"no frame can be decoded{reason}"
            return "no frames", "a video stream without frames"
        stated, lasting = self._stream.frames, _stated_seconds(self._stream)
        # Not every packet contains a frame, so the packets count, up to the last one.
        missing = max(count, packets) < stated * (1 - _MISSING) and not self._reaches_the_end()
        if broken or missing:
            return (
                "truncated",
                f"ends after frame {count}{f' of {stated}' if stated else ''}{reason}",
            )
        if not stated and self._stamp + _SLACK < lasting * (1 - _MISSING):
            return "truncated", f"ends after frame {count}, at {self._stamp:g} s of {lasting:g} s"
        if len(self._sizes) > 1:
            sizes = (f"{width}x{height}" for width, height in self._sizes[:4])
            return "changed size", " then ".join(sizes)
        if self._damaged:
            return "damaged", f"the decoder concealed errors in {self._damaged} of {count} frames"
        return "ok", ""

    def _reaches_the_end(self) -> bool:
        """Returns whether the file is not truncated, despite having fewer frames than stated."""
        stream, rate = self._stream, stated_rate(self._stream)
        if stream.container.format.name == "avi":
            # FFmpeg guesses the duration of a truncated AVI.
            return is_whole_avi(self._file)
        unit = float(stream.time_base or 0)
        end = ((stream.start_time or 0) + (stream.duration or 0)) * unit
        return bool(stream.duration and rate) and self._stamp + 1.5 / rate >= end


def _stated_seconds(stream: av.VideoStream) -> float:
    """Returns the stream duration in seconds that Matroska states; 0 if there is none."""
    parts = stream.metadata.get("DURATION", "0").split(":")
    try:
        return functools.reduce(lambda total, part: 60 * total + float(part), parts, 0.0)
    except ValueError:
        return 0.0


def _refusal(error: DecodeError, file: str) -> tuple[str, str]:
    detail = str(error).removeprefix(f"{file}: ")
    if isinstance(error, DecodeLimitError):
        return ("took too long" if isinstance(error, DecodeTimeoutError) else "too large"), detail
    return ("no video stream" if "no video stream" in detail else "undecodable"), detail
