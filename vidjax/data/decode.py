"""Decoding video files with PyAV, behind one small interface.

Frames come as people see them: turned and mirrored as the file says, without the combs of
interlacing, RGB, on a uniform time grid. What a hostile or broken file can cost is bounded by the
budget of `vidjax.data.decode_limits`, and it is one `DecodeError` that names the file and the
reason.

The law of time. The first frame that is shown is at 0 seconds. Each later one is as much later as
its time stamp says, with these exceptions:

- A frame without a time stamp comes a usual step after the one before it. The usual step is the
  median of the last ones; in a stream without any time stamps it is that of the header's rate.
- A step back, or a leap of more than 10 minutes (10 s in transport and program streams), is a
  change of clocks: it counts as a usual step, and later frames follow it.
- AVI has no time stamps but an order of storage. Its times are sorted.

The rate is the header's where the times agree with it, else as the times have it. Seconds of a
piece, of `start` and `end`, are those of this law. Limits count the frames that are kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np

from vidjax.data.containers import open_video
from vidjax.data.decode_limits import MOST_KEPT, CostError, DecodeError, LateError, Limits, Meter
from vidjax.data.frame_reader import Frames, open_frames
from vidjax.data.timestamps import is_uniform, rate_of
from vidjax.data.video_segment import Piece

__all__ = [
    "CostError",
    "DecodeError",
    "EncodedVideo",
    "Frames",
    "LateError",
    "Limits",
    "Video",
    "VideoInfo",
    "open_frames",
    "probe",
    "read_encoded",
    "read_video",
]

# Time stamps are rounded to the container's clock: a frame this near to a moment is at it.
SLACK = 5e-4


@dataclass(frozen=True)
class VideoInfo:
    """What a file's header says.

    Attributes:
      width: pixels as displayed, after rotation.
      height: pixels as displayed, after rotation.
      rotation: degrees counter-clockwise that the stored picture is turned by for display.
      fps: average frames a second.
      frames: number of frames stated; 0 where the header states none.
      codec: name of the codec.
      pixel_format: such as `yuv420p`.
      duration: seconds stated; 0 where the header states none.
    """

    width: int
    height: int
    rotation: int
    fps: float
    frames: int
    codec: str
    pixel_format: str
    duration: float


@dataclass(frozen=True)
class Video:
    """Decoded frames.

    Attributes:
      frames: uint8 `[T, H, W, 3]`, RGB.
      timestamps: float64 `[T]`, seconds from the video's first frame.
      fps: frames a second.
      error: why decoding stopped early, or None when all frames are here.
    """

    frames: np.ndarray
    timestamps: np.ndarray
    fps: float
    error: str | None = None


@dataclass(frozen=True)
class EncodedVideo:
    """Frames that were encoded as they came.

    Attributes:
      frames: T encoded pictures.
      timestamps: float64 `[T]`, seconds from the video's first frame.
      fps: frames a second.
    """

    frames: list[bytes]
    timestamps: np.ndarray
    fps: float


def probe(path: str | Path) -> VideoInfo:
    """Reads a file's header and its first frame, which alone knows the rotation.

    Raises:
      DecodeError: the file cannot be opened, or has no video or no frame.
    """
    with open_video(path) as (container, stream):
        frame = next(Frames(path, container, stream), None)
        if frame is None:
            raise DecodeError(f"{path}: a video without frames")
        turned = frame.rotation % 180 != 0
        return VideoInfo(
            width=frame.height if turned else frame.width,
            height=frame.width if turned else frame.height,
            rotation=frame.rotation % 360,
            fps=float(stream.average_rate or 0),
            frames=stream.frames,
            codec=stream.codec_context.name,
            pixel_format=stream.codec_context.pix_fmt or "",
            duration=float((stream.duration or 0) * (stream.time_base or 0)),
        )


def read_video(
    path: str | Path,
    *,
    start: float | None = None,
    end: float | None = None,
    fps: float | None = None,
    short_side: int | None = None,
    max_frames: int = 20_000,
    max_pixels: int = Limits().pixels,
    seconds: float = Limits().seconds,
    partial: bool = False,
) -> Video:
    """Decodes a video, or the piece from `start` to `end` seconds.

    With an `fps`, and wherever the time between frames varies, each moment of a uniform grid
    shows the latest frame at or before it; a file of constant rate comes frame for frame.

    Args:
      path: file.
      start: seconds from the first frame; None is 0.
      end: seconds, exclusive; None is the end.
      fps: frame rate wanted; None keeps the file's.
      short_side: pixels that a longer short side is reduced to while decoding.
      max_frames: the most frames that may be returned.
      max_pixels: the most pixels that a frame may have.
      seconds: that one core may decode it; small files get less.
      partial: return what came before an error instead of raising it.

    Raises:
      DecodeError: as the module says.
    """
    meter = Meter.of(path, Limits(max_pixels, max_frames, seconds))
    reader = _Reader(path, meter, Piece(path, meter, start=start, end=end, short_side=short_side))
    reader.read()
    if reader.error and not (partial and reader.frames):
        raise reader.error
    frames, times, rate = reader.shown(fps)
    return Video(np.stack(frames), times, rate, str(reader.error) if reader.error else None)


def read_encoded(
    path: str | Path,
    encode: Callable[[np.ndarray], bytes],
    *,
    start: float | None = None,
    end: float | None = None,
    fps: float | None = None,
    short_side: int | None = None,
    max_frames: int = Limits().frames,
    seconds: float = Limits().seconds,
) -> EncodedVideo:
    """As `read_video`, but each frame is encoded at once, so that long videos take little memory.

    Args:
      path: file.
      encode: of a frame uint8 `[H, W, 3]`.
      start: as in `read_video`.
      end: as in `read_video`.
      fps: as in `read_video`.
      short_side: as in `read_video`.
      max_frames: the most frames that may be returned.
      seconds: that one core may decode and encode it; small files get less.

    Raises:
      DecodeError: as the module says.
    """
    meter = Meter.of(path, Limits(frames=max_frames, seconds=seconds))
    piece = Piece(path, meter, start=start, end=end, short_side=short_side)
    reader = _Reader(path, meter, piece, encode)
    reader.read()
    if reader.error:
        raise reader.error
    return EncodedVideo(*reader.shown(fps))


class _Reader:
    """Keeps the frames of a piece."""

    def __init__(
        self,
        path: str | Path,
        meter: Meter,
        piece: Piece,
        encode: Callable[[np.ndarray], Any] = lambda picture: picture,
    ) -> None:
        self._path, self._limits, self._piece, self._encode = path, meter.limits, piece, encode
        self._kept = 0
        self._times: list[float] = []
        self.frames: list[Any] = []
        self.error: DecodeError | None = None

    def read(self) -> None:
        try:
            for frame, time in self._piece.frames():
                self._keep(frame, time)
        except DecodeError as error:
            self.error = error

    def _keep(self, frame: av.VideoFrame, time: float) -> None:
        if len(self.frames) == self._limits.frames:
            raise CostError(f"{self._path}: more than {self._limits.frames} frames")
        picture = self._encode(self._piece.picture(frame))
        self._kept += _bytes_of(picture)
        self._refuse_many(self._kept, len(self.frames) + 1)
        self.frames.append(picture)
        self._times.append(time)

    def _refuse_many(self, size: int, count: int) -> None:
        if size > MOST_KEPT:
            height, width = self._piece.size or (0, 0)
            raise CostError(
                f"{self._path}: {count} frames of {width}x{height} are too many to be kept, with "
                f"more than {MOST_KEPT} bytes; set a short side, or take a piece"
            )

    def shown(self, fps: float | None) -> tuple[list[Any], np.ndarray, float]:
        """What was kept on a uniform grid of times, the times, and the rate."""
        if not self.frames:
            raise self._piece.nothing()
        # AVI tells the order of decoding alone: the times guessed from it are those of the frames,
        # but not always in the order in which frames are shown.
        times = np.sort(self._times)
        rate = fps or rate_of(times, self._piece.stated)
        if fps is None and is_uniform(times):
            return self.frames, times, rate
        count = max(1, round((times[-1] - times[0]) * rate) + 1)
        if count > self._limits.frames:
            raise CostError(f"{self._path}: more than {self._limits.frames} frames at {rate:g} fps")
        grid = times[0] + np.arange(count) / rate
        latest = np.searchsorted(times, grid + SLACK, side="right") - 1
        sizes = np.array([_bytes_of(picture) for picture in self.frames])
        self._refuse_many(int(sizes[latest].sum()), count)
        return [self.frames[index] for index in latest], grid, rate


def _bytes_of(picture: Any) -> int:
    return picture.nbytes if isinstance(picture, np.ndarray) else len(picture)
