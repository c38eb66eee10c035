"""A verdict on a video file: whether it decodes from end to end, and what is wrong if it does not.

Files are decoded frame by frame and nothing is kept, so that a long video costs time, not memory.
"""

from __future__ import annotations

import csv
import dataclasses
import functools
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av

from vidjax.data.decode import DecodeError, open_frames

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
    "absent",
)
# Containers round: fewer frames than stated are a loss only beyond this share.
_MISSING = 0.02
# And a second or so of the length that is stated.
_SLACK = 0.5


@dataclass(frozen=True)
class Limits:
    """What a file may cost.

    Attributes:
      pixels: of a frame.
      frames: of a video.
    """

    pixels: int = 8192 * 8192
    frames: int = 1_000_000


@dataclass(frozen=True)
class Verdict:
    """What is known of a file; the columns of a table of verdicts.

    Attributes:
      path: as it was given.
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

    path: str
    verdict: str
    detail: str = ""
    bytes: int = 0
    sha256: str = ""
    codec: str = ""
    pixel_format: str = ""
    width: int = 0
    height: int = 0
    rotation: int = 0
    fps: float = 0.0
    stated_frames: int = 0
    frames: int = 0
    seconds: float = 0.0
    scan: str = ""

    @property
    def usable(self) -> bool:
        """Whether training may read it: all of its frames are there, if some be patched up."""
        return self.verdict in ("ok", "changed size", "damaged")


COLUMNS = [field.name for field in dataclasses.fields(Verdict)]


def read_verdicts(file: Path) -> Iterator[Verdict]:
    """The verdicts in a CSV; a line that was cut off while it was written is left out.

    Raises:
      ValueError: it is another kind of table.
    """
    with file.open(newline="", encoding="utf-8") as stream:
        rows = csv.DictReader(stream)
        if rows.fieldnames and list(rows.fieldnames) != COLUMNS:
            raise ValueError(f"{file} is another kind of table: {', '.join(rows.fieldnames)}")
        kinds = {name: type(value) for name, value in dataclasses.asdict(Verdict("", "")).items()}
        for row in rows:
            if None not in row.values() and None not in row:
                yield Verdict(**{name: kind(row[name]) for name, kind in kinds.items()})


def judge(path: str, root: Path = Path(), limits: Limits | None = None) -> Verdict:
    """Decodes a file from end to end.

    Args:
      path: of the file, from `root` or absolute.
      root: folder.
      limits: what it may cost.
    """
    file = root / path
    if not file.is_file():
        return Verdict(path, "absent", "no such file")
    facts: dict[str, object] = {"bytes": file.stat().st_size, "sha256": digest(file)}
    if not facts["bytes"]:
        return Verdict(path, "empty", "no bytes", **facts)  # type: ignore[arg-type]
    try:
        with open_frames(file) as (stream, frames):
            watch = _Watch(stream, limits or Limits())
            verdict, detail = watch.all(frames)
            facts |= _stated(stream) | watch.facts
    except DecodeError as error:
        verdict, detail = _refusal(error, str(file))
    return Verdict(path, verdict, detail, **facts)  # type: ignore[arg-type]


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

    def __init__(self, stream: av.VideoStream, limits: Limits) -> None:
        self._stream, self._limits = stream, limits
        self._sizes: list[tuple[int, int]] = []
        self._first = self._last = 0.0
        self._count = self._damaged = 0
        self.facts: dict[str, object] = {}

    def all(self, frames: Iterator[av.VideoFrame]) -> tuple[str, str]:
        """Verdict and detail."""
        context, broken = self._stream.codec_context, ""
        excess = self._excess(context.width, context.height)
        if excess:
            return "too large", excess
        try:
            for frame in frames:
                self._see(frame)
                excess = self._excess(frame.width, frame.height)
                if excess:
                    return "too large", excess
        except DecodeError as error:
            broken = str(error).rpartition("(")[2].rstrip(")")
        return self._judge(broken)

    def _excess(self, width: int, height: int) -> str:
        if width * height > self._limits.pixels:
            return f"frames of {width}x{height} exceed the limit of {self._limits.pixels} pixels"
        if self._count > self._limits.frames:
            return f"more than {self._limits.frames} frames"
        return ""

    def _see(self, frame: av.VideoFrame) -> None:
        self._count += 1
        self._damaged += frame.is_corrupt
        self._last = frame.time if frame.time is not None else self._last
        turned = frame.rotation % 180 != 0
        size = (frame.height, frame.width) if turned else (frame.width, frame.height)
        if not self._sizes:
            self._first = self._last
            scan = "interlaced" if frame.interlaced_frame else "progressive"
            self.facts |= {"width": size[0], "height": size[1], "scan": scan}
            self.facts["rotation"] = frame.rotation % 360
        if not self._sizes or size != self._sizes[-1]:
            self._sizes.append(size)
        self.facts |= {"frames": self._count, "seconds": round(self._last - self._first, 4)}

    def _judge(self, broken: str) -> tuple[str, str]:
        count, reason = self._count, f" ({broken})" if broken else ""
        if not count:
            if broken:
                return "undecodable", f"no frame can be decoded{reason}"
            return "no frames", "a video stream without frames"
        stated, lasting = self._stream.frames, _stated_seconds(self._stream)
        if broken or (stated and count < stated * (1 - _MISSING)):
            return (
                "truncated",
                f"ends after frame {count}{f' of {stated}' if stated else ''}{reason}",
            )
        if not stated and self._last + _SLACK < lasting * (1 - _MISSING):
            return "truncated", f"ends after frame {count}, at {self._last:g} s of {lasting:g} s"
        if len(self._sizes) > 1:
            sizes = (f"{width}x{height}" for width, height in self._sizes[:4])
            return "changed size", " then ".join(sizes)
        if self._damaged:
            return "damaged", f"{self._damaged} of {count} frames are patched up by the decoder"
        return "ok", ""


def _stated_seconds(stream: av.VideoStream) -> float:
    """Length that Matroska states for its streams; 0 where none is stated."""
    parts = stream.metadata.get("DURATION", "0").split(":")
    try:
        return functools.reduce(lambda total, part: 60 * total + float(part), parts, 0.0)
    except ValueError:
        return 0.0


def _refusal(error: DecodeError, file: str) -> tuple[str, str]:
    detail = str(error).removeprefix(f"{file}: ")
    return ("no video stream" if "no video stream" in detail else "undecodable"), detail
