"""A verdict on a video file: whether it decodes from end to end, and what is wrong if it does not.

Files are decoded frame by frame and nothing is kept, so that a long video costs time, not memory.
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
from vidjax.data.decode_limits import USUAL, CostError, DecodeError, LateError, Limits
from vidjax.data.frame_reader import Frames, open_frames
from vidjax.data.timestamps import Clock, stated_rate
from vidjax.records import Amount, Count, Name
from vidjax.settings import shown
from vidjax.storage.local_copies import here
from vidjax.storage.paths import as_path, is_url
from vidjax.untrusted_names import told

__all__ = [
    "COLUMNS",
    "VERDICTS",
    "Limits",
    "Verdict",
    "digest",
    "judge",
    "place_of",
    "read_verdicts",
]

# What a file may be, from sound to hopeless.
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
_ANEW = "; the table is damaged: check the videos anew"
# Containers round: fewer frames than stated are a loss only beyond this share.
_MISSING = 0.02
# And a second or so of the length that is stated.
_SLACK = 0.5


@dataclass(frozen=True)
class Verdict:
    r"""What is known of a file; the columns of a table of verdicts.

    Attributes:
      path: as it was given, with line breaks and bytes that are no text as `\n` and `\xe9`.
      verdict: one of `VERDICTS`.
      detail: what was found, in words; empty where all is well.
      bytes: size of the file.
      sha256: of its bytes, the first 16 digits.
      codec: name of the codec.
      pixel_format: such as `yuv420p`.
      width: pixels as displayed, after rotation, of the first frame.
      height: likewise.
      rotation: degrees counter-clockwise that the stored picture is turned by for display.
      fps: average frames a second that the header states.
      stated_frames: that the header states; 0 where it states none.
      frames: that were decoded.
      seconds: from the first decoded frame to the last.
      scan: `progressive` or `interlaced`, as the first frame is marked.
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
        """Whether training may read it: all of its frames are there, if some be patched up."""
        return self.verdict in ("ok", "changed size", "damaged")


COLUMNS = [field.name for field in dataclasses.fields(Verdict)]


def read_verdicts(file: Path) -> Iterator[Verdict]:
    """The verdicts in a CSV; a last line that was cut off while it was written is left out.

    Raises:
      ValueError: it is another kind of table, or damaged; names the line and column.
    """
    found = tables.columns(file, torn=True)
    if found and found != COLUMNS:
        raise ValueError(f"{file} is another kind of table: {tables.listed(found, ', ')}")
    for line, verdict in tables.read(file, Verdict, ours=True, torn=True, advice=_ANEW):
        if verdict.verdict not in VERDICTS:
            known = ", ".join(VERDICTS)
            raise ValueError(
                f"{file}, line {line}: verdict {shown(verdict.verdict)} is not one of {known}"
            )
        yield verdict


def judge(path: str, root: Path = Path(), limits: Limits | None = None) -> Verdict:
    """Decodes a file from end to end.

    Args:
      path: of the file, from `root`, absolute or a URL.
      root: folder.
      limits: what it may cost.

    Raises:
      BucketError: a bucket does not give it.
    """
    name = told(path)
    try:
        with here(place_of(root, path)) as file:
            return _judged(file, name, limits or USUAL)
    except FileNotFoundError:
        return Verdict(name, "absent", "no such file")


def _judged(file: Path, name: str, limits: Limits) -> Verdict:
    """The verdict on a file of this machine."""
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


def place_of(root: Path, path: str) -> Path:
    """Where a file is: `path` may be relative to the folder, absolute or a URL."""
    return as_path(path) if is_url(path) else root / path


def digest(file: Path) -> str:
    """The first 16 digits of a file's SHA-256."""
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
    """Sees all frames of a file, keeps none, and notes what they are."""

    def __init__(self, stream: av.VideoStream, file: Path, limits: Limits) -> None:
        self._stream, self._file, self._limits = stream, file, limits
        self._sizes: list[tuple[int, int]] = []
        # Seconds of the latest frame, and its time stamp.
        self._last = self._stamp = 0.0
        self._count = self._damaged = 0
        self.facts: dict[str, object] = {}

    def all(self, frames: Frames) -> tuple[str, str]:
        """Verdict and detail."""
        context, broken = self._stream.codec_context, ""
        try:
            frames.meter.refuse_size(context.width, context.height)
            for frame, time in Clock(self._stream).timed(frames):
                self._see(frame, time)
                if self._count > self._limits.frames:
                    return "too large", f"more than {self._limits.frames} frames"
        except CostError as error:
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
        # Not each packet has a picture: what counts is that they are all there, to the last.
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
            return "damaged", f"{self._damaged} of {count} frames are patched up by the decoder"
        return "ok", ""

    def _reaches_the_end(self) -> bool:
        """Whether nothing was cut off: the file is whole, or its latest frame the last in time."""
        stream, rate = self._stream, stated_rate(self._stream)
        if stream.container.format.name == "avi":
            # FFmpeg makes up how long an AVI without its end is.
            return is_whole_avi(self._file)
        unit = float(stream.time_base or 0)
        end = ((stream.start_time or 0) + (stream.duration or 0)) * unit
        return bool(stream.duration and rate) and self._stamp + 1.5 / rate >= end


def _stated_seconds(stream: av.VideoStream) -> float:
    """Length that Matroska states for its streams; 0 where none is stated."""
    parts = stream.metadata.get("DURATION", "0").split(":")
    try:
        return functools.reduce(lambda total, part: 60 * total + float(part), parts, 0.0)
    except ValueError:
        return 0.0


def _refusal(error: DecodeError, file: str) -> tuple[str, str]:
    detail = str(error).removeprefix(f"{file}: ")
    if isinstance(error, CostError):
        return ("took too long" if isinstance(error, LateError) else "too large"), detail
    return ("no video stream" if "no video stream" in detail else "undecodable"), detail
