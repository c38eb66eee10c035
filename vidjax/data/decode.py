"""Decodes video files with PyAV, behind one small interface.

Frames are returned as they are displayed: rotated and mirrored as the file says, deinterlaced, in
RGB, on a uniform time grid. `vidjax.data.decode_limits` limits the cost of a hostile or broken
file. Such a file raises one `DecodeError` that names the file and the reason.

Times follow these rules. The first displayed frame is at 0 seconds. The time stamps give the times
of the later frames, with these exceptions:

- A frame without a time stamp comes one usual step after the frame before it. The usual step is the
  median of the last steps. In a stream without time stamps it follows from the header's rate.
- A step back, or a jump of more than 10 minutes (10 s in transport and program streams), is a
  discontinuity of the time stamps. It counts as one usual step, and later frames are shifted.
- AVI stores frames in order, without time stamps. Its times are sorted.

The frame rate is the header's if the times agree with it, and otherwise it is measured from the
times. `start` and `end` of a segment are in these times. Limits on the number of frames refer to
returned frames.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np

from vidjax.data.containers import open_video
from vidjax.data.decode_limits import (
    MOST_KEPT,
    DecodeError,
    DecodeLimitError,
    DecodeTimeoutError,
    Limits,
    Meter,
)
from vidjax.data.frame_reader import Frames, open_frames
from vidjax.data.timestamps import is_uniform, rate_of
from vidjax.data.video_segment import VideoSegment

__all__ = [
    "DecodeError",
    "DecodeLimitError",
    "DecodeTimeoutError",
    "EncodedVideo",
    "Frames",
    "Limits",
    "Video",
    "VideoInfo",
    "open_frames",
    "probe",
    "read_encoded",
    "read_video",
]

# Time stamps are rounded to the container's clock. A frame this close to a time has that time.
SLACK = 5e-4


@dataclass(frozen=True)
class VideoInfo:
    """Facts from a video's header and first frame.

    Attributes:
      width: pixels as displayed, after rotation.
      height: pixels as displayed, after rotation.
      rotation: degrees by which the stored image is rotated counter-clockwise for display.
      fps: average frames per second.
      frames: number of frames in the header; 0 if it states none.
      codec: name of the codec.
      pixel_format: such as `yuv420p`.
      duration: seconds in the header; 0 if it states none.
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
    """A decoded video.

    Attributes:
      frames: uint8 `[T, H, W, 3]`, RGB.
      timestamps: float64 `[T]`, seconds from the video's first frame.
      fps: frames per second.
      error: why decoding stopped early; None if all frames were decoded.
    """

    frames: np.ndarray
    timestamps: np.ndarray
    fps: float
    error: str | None = None


@dataclass(frozen=True)
class EncodedVideo:
    """A video whose frames were encoded again while decoding.

    Attributes:
      frames: T encoded images.
      timestamps: float64 `[T]`, seconds from the video's first frame.
      fps: frames per second.
    """

    frames: list[bytes]
    timestamps: np.ndarray
    fps: float


def probe(path: str | Path) -> VideoInfo:
    """Reads a file's header, and its first frame for the rotation.

    Raises:
      DecodeError: the file cannot be opened, or has no video stream or no frame.
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
    """Decodes a video, or the segment from `start` to `end` seconds.

    If `fps` is given, or the time between frames varies, frames are resampled to a uniform grid:
    each grid time gets the latest frame at or before it. Otherwise every frame is returned once.

    >>> import tempfile
    >>> from vidjax.data.encode import write_mp4
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_mp4(Path(folder) / "clip.mp4", np.zeros((6, 32, 48, 3), np.uint8), fps=2)
    ...     video = read_video(Path(folder) / "clip.mp4", start=1.0)
    >>> video.frames.shape, video.timestamps.tolist()
    ((4, 32, 48, 3), [1.0, 1.5, 2.0, 2.5])

    Args:
      path: file or URL.
      start: seconds from the first frame; None is 0.
      end: seconds, exclusive; None is the end of the video.
      fps: output frame rate; None keeps the file's.
      short_side: shorter side in pixels that larger frames are resized to while decoding.
      max_frames: most frames that may be returned.
      max_pixels: most pixels that a frame may have.
      seconds: CPU time limit in seconds of one core. Small files get less.
      partial: if decoding fails after some frames, return them instead of raising the error.

    Raises:
      DecodeError: the file cannot be decoded within the limits; the message names file and reason.
    """
    meter = Meter.of(path, Limits(max_pixels, max_frames, seconds))
    reader = _Reader(
        path, meter, VideoSegment(path, meter, start=start, end=end, short_side=short_side)
    )
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
    """Does the same as `read_video`, and encodes each frame at once to save memory.

    Args:
      path: file or URL.
      encode: encodes a frame uint8 `[H, W, 3]`.
      start: as in `read_video`.
      end: as in `read_video`.
      fps: as in `read_video`.
      short_side: as in `read_video`.
      max_frames: most frames that may be returned.
      seconds: CPU time limit for decoding and encoding, in seconds of one core. Small files get
        less.

    Raises:
      DecodeError: the file cannot be decoded within the limits; the message names file and reason.
    """
    meter = Meter.of(path, Limits(frames=max_frames, seconds=seconds))
    segment = VideoSegment(path, meter, start=start, end=end, short_side=short_side)
    reader = _Reader(path, meter, segment, encode)
    reader.read()
    if reader.error:
        raise reader.error
    return EncodedVideo(*reader.shown(fps))


class _Reader:
    """Collects the frames of a video segment."""

    def __init__(
        self,
        path: str | Path,
        meter: Meter,
        segment: VideoSegment,
        encode: Callable[[np.ndarray], Any] = lambda image: image,
    ) -> None:
        self._path, self._limits, self._segment, self._encode = path, meter.limits, segment, encode
        self._kept = 0
        self._times: list[float] = []
        self.frames: list[Any] = []
        self.error: DecodeError | None = None

    def read(self) -> None:
        try:
            for frame, time in self._segment.frames():
                self._keep(frame, time)
        except DecodeError as error:
            self.error = error

    def _keep(self, frame: av.VideoFrame, time: float) -> None:
        if len(self.frames) == self._limits.frames:
            raise DecodeLimitError(f"{self._path}: more than {self._limits.frames} frames")
        image = self._encode(self._segment.image(frame))
        self._kept += _bytes_of(image)
        self._refuse_many(self._kept, len(self.frames) + 1)
        self.frames.append(image)
        self._times.append(time)

    def _refuse_many(self, size: int, count: int) -> None:
        if size > MOST_KEPT:
            height, width = self._segment.size or (0, 0)
            raise DecodeLimitError(
                f"{self._path}: {count} frames of {width}x{height} take more than the limit of "
                f"{MOST_KEPT} bytes; set short_side, or decode a segment (start and end)"
            )

    def shown(self, fps: float | None) -> tuple[list[Any], np.ndarray, float]:
        """Returns the frames on a uniform time grid, their times, and the rate."""
        if not self.frames:
            raise self._segment.nothing()
        # AVI stores only the decoding order. The times guessed from it belong to these frames, but
        # not always in display order.
        times = np.sort(self._times)
        rate = fps or rate_of(times, self._segment.stated)
        if fps is None and is_uniform(times):
            return self.frames, times, rate
        count = max(1, round((times[-1] - times[0]) * rate) + 1)
        if count > self._limits.frames:
            raise DecodeLimitError(
                f"{self._path}: more than {self._limits.frames} frames at {rate:g} fps"
            )
        grid = times[0] + np.arange(count) / rate
        latest = np.searchsorted(times, grid + SLACK, side="right") - 1
        sizes = np.array([_bytes_of(image) for image in self.frames])
        self._refuse_many(int(sizes[latest].sum()), count)
        return [self.frames[index] for index in latest], grid, rate


def _bytes_of(image: Any) -> int:
    return image.nbytes if isinstance(image, np.ndarray) else len(image)
