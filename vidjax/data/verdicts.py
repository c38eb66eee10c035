"""A verdict on a video file: whether it decodes from end to end, and what is wrong if it does not.

Files are decoded frame by frame and nothing is kept, so that a long video costs time, not memory.
"""

from __future__ import annotations

import csv
import dataclasses
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

    @property
    def usable(self) -> bool:
        """Whether training may read it: all of its frames are there."""
        return self.verdict in ("ok", "changed size")


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
            facts |= _stated(stream)
            verdict, detail = _watch(stream, frames, facts, limits or Limits())
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


def _watch(
    stream: av.VideoStream,
    frames: Iterator[av.VideoFrame],
    facts: dict[str, object],
    limits: Limits,
) -> tuple[str, str]:
    """Decodes all frames and notes what they are; returns verdict and detail."""
    sizes: list[tuple[int, int]] = []
    first, last, count = 0.0, 0.0, 0
    pixels = stream.codec_context.width * stream.codec_context.height
    if pixels > limits.pixels:
        return "too large", f"frames of {pixels} pixels exceed the limit of {limits.pixels}"
    broken = ""
    try:
        for frame in frames:
            count += 1
            if count > limits.frames:
                return "too large", f"more than {limits.frames} frames"
            last = frame.time if frame.time is not None else last
            size = (
                (frame.height, frame.width) if frame.rotation % 180 else (frame.width, frame.height)
            )
            if not sizes:
                first, (facts["width"], facts["height"]) = last, size
                facts["rotation"] = frame.rotation % 360
            if not sizes or size != sizes[-1]:
                sizes.append(size)
            facts |= {"frames": count, "seconds": round(last - first, 4)}
    except DecodeError as error:
        broken = str(error).rpartition("(")[2].rstrip(")")
    stated = stream.frames
    if not count:
        return (
            ("undecodable", f"no frame can be decoded ({broken})")
            if broken
            else ("no frames", "a video stream without frames")
        )
    if broken or (stated and count < stated * (1 - _MISSING)):
        of = f" of {stated}" if stated else ""
        reason = f" ({broken})" if broken else ""
        return "truncated", f"ends after frame {count}{of}{reason}"
    if len(sizes) > 1:
        return "changed size", " then ".join(f"{width}x{height}" for width, height in sizes[:4])
    return "ok", ""


def _refusal(error: DecodeError, file: str) -> tuple[str, str]:
    detail = str(error).removeprefix(f"{file}: ")
    return ("no video stream" if "no video stream" in detail else "undecodable"), detail
