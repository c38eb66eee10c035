"""Decoding video files with PyAV, behind one small interface.

Frames come as people see them: turned and mirrored as the file says, without the combs of
interlacing, RGB, on a uniform time grid. What a hostile or broken file can cost is bounded, and it
is one `DecodeError` that names the file and the reason.

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

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import av
import av.container
import av.video
import numpy as np

from vidjax.data.clock import Clock, has_leaps, is_uniform, rate_of, stated_rate
from vidjax.data.containers import DecodeError, open_video
from vidjax.data.costs import Limits, Meter
from vidjax.data.deinterlace import deinterlaced
from vidjax.data.transforms import resize, short_side_size
from vidjax.data.upright import upright

__all__ = ["DecodeError", "Frames", "Video", "VideoInfo", "open_frames", "probe", "read_video"]

# Files whose frames carry the same times wherever decoding begins; others are read from their
# first frame on.
_SEEKABLE = ("mov,mp4", "matroska")
# A piece that begins later is looked for, in seconds, and decoding begins this much before it.
_FAR, _BEFORE = 2.0, 1.0
# Sums of seconds are rounded; a frame this near to a piece's start or end is at it.
_EXACT = 1e-6
# Pixels of all frames returned: 6 gigabytes, and as much again while they are put together.
_MOST_KEPT = 2**31


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
    max_pixels: int = 8192 * 8192,
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
      partial: return what came before an error instead of raising it.

    Raises:
      DecodeError: as the module says.
    """
    meter = Meter(_size(path), Limits(max_pixels))
    with _open_at(path, start or 0.0, meter) as (stream, origin, frames):
        reader = _Reader(path, start or 0.0, end, short_side, max_frames, meter)
        reader.read(Clock(stream, origin).timed(deinterlaced(frames)))
        stated = stated_rate(stream)
    if reader.error and not (partial and reader.frames):
        raise DecodeError(reader.error)
    if not reader.frames:
        span = "" if not reader.seen else f" between {start or 0:g} s and {end or 'its end'}"
        raise DecodeError(f"{path}: a video without frames{span}")
    return reader.video(fps, stated)


@contextmanager
def open_frames(path: str | Path) -> Iterator[tuple[av.VideoStream, Frames]]:
    """A file's main video stream and its frames, decoded one by one.

    Raises:
      DecodeError: the file cannot be opened or has no video; or, from the frames, it is broken.
    """
    with open_video(path) as (container, stream):
        yield stream, Frames(path, container, stream)


def _size(path: str | Path) -> int:
    try:
        return Path(path).stat().st_size
    except OSError:
        # Opening it says what is wrong.
        return 0


class _Reader:
    """Takes frames in the order they are shown, keeps those of a time span."""

    def __init__(
        self,
        path: str | Path,
        start: float,
        end: float | None,
        short_side: int | None,
        max_frames: int,
        meter: Meter,
    ) -> None:
        self._path, self._start, self._end = path, start, end
        self._short_side = short_side
        self._max_frames, self._meter = max_frames, meter
        self.frames: list[np.ndarray] = []
        self.times: list[float] = []
        self.error: str | None = None
        self.seen = 0

    def read(self, timed: Iterator[tuple[av.VideoFrame, float]]) -> None:
        try:
            for frame, time in timed:
                self.seen += 1
                if self._end is not None and time >= self._end - _EXACT:
                    return
                excess = self._meter.add(frame.width, frame.height)
                if time >= self._start - _EXACT and not excess:
                    excess = self._keep(frame, time)
                if excess:
                    self.error = f"{self._path}: {excess}"
                    return
        except DecodeError as error:
            self.error = str(error)

    def _keep(self, frame: av.VideoFrame, time: float) -> str:
        """Takes a frame, or says what it exceeds."""
        if len(self.frames) == self._max_frames:
            return f"more than {self._max_frames} frames"
        self.frames.append(self._picture(frame))
        self.times.append(time)
        return self._too_much(len(self.frames))

    def _too_much(self, count: int) -> str:
        height, width = self.frames[0].shape[:2]
        if count * height * width > _MOST_KEPT:
            return f"{count} frames of {width}x{height} are too many to be kept; set a short side"
        return ""

    def _picture(self, frame: av.VideoFrame) -> np.ndarray:
        picture = upright(frame)
        if self._short_side:
            height, width = picture.shape[:2]
            size = short_side_size(height, width, self._short_side, upscale=False)
            picture = resize(picture[None], size)[0]
        if self.frames and picture.shape != self.frames[0].shape:
            # Some streams change their size midway; a video has one.
            picture = resize(picture[None], self.frames[0].shape[:2])[0]
        return picture

    def video(self, fps: float | None, stated: float) -> Video:
        # AVI tells the order of decoding alone: the times guessed from it are those of the frames,
        # but not always in the order in which frames are shown.
        times = np.sort(self.times)
        rate = fps or rate_of(times, stated)
        if fps is None and is_uniform(times):
            return Video(np.stack(self.frames), times, rate, self.error)
        count = max(1, round((times[-1] - times[0]) * rate) + 1)
        if count > self._max_frames:
            raise DecodeError(f"{self._path}: more than {self._max_frames} frames at {rate:g} fps")
        if excess := self._too_much(count):
            raise DecodeError(f"{self._path}: {excess}")
        grid = times[0] + np.arange(count) / rate
        # Half a millisecond of slack: timestamps are rounded to the container's clock.
        latest = np.searchsorted(times, grid + 5e-4, side="right") - 1
        frames = np.stack([self.frames[index] for index in latest])
        return Video(frames, grid, rate, self.error)


@contextmanager
def _open_at(
    path: str | Path, start: float, meter: Meter
) -> Iterator[tuple[av.video.stream.VideoStream, float | None, Iterator[av.VideoFrame]]]:
    """A file's frames from `start` seconds or earlier on, and the time of its first if skipped."""
    with open_video(path) as (container, stream):
        if excess := meter.excess(stream.codec_context.width, stream.codec_context.height):
            raise DecodeError(f"{path}: {excess}")
        if start <= _FAR or not container.format.name.startswith(_SEEKABLE):
            yield stream, None, Frames(path, container, stream)
            return
        found = None if has_leaps(stream) else _skip(path, container, stream, start)
        if found is not None:
            yield stream, *found
            return
    with open_video(path) as (container, stream):
        yield stream, None, Frames(path, container, stream)


def _skip(
    path: str | Path,
    container: av.container.InputContainer,
    stream: av.video.stream.VideoStream,
    start: float,
) -> tuple[float, Iterator[av.VideoFrame]] | None:
    """The time of the first frame, and the frames from shortly before `start` on; None if lost."""
    try:
        first = next(Frames(path, container, stream), None)
        if first is None or first.time is None:
            return None
        target = first.time + start - _BEFORE
        container.seek(round(target / (stream.time_base or 1)), stream=stream)
        frames = Frames(path, container, stream)
        landed = next(frames, None)
    except (DecodeError, av.error.FFmpegError):
        return None
    if landed is None or landed.time is None or landed.time > first.time + start:
        return None
    return first.time, chain([landed], frames)


class Frames:
    """The frames of a stream, decoded one by one.

    Attributes:
      packets: number of stored pieces that they were decoded from so far. Some hold no picture:
        placeholders, and what an edit list hides.

    Raises:
      DecodeError: as they are taken: the stream is broken.
    """

    def __init__(
        self,
        path: str | Path,
        container: av.container.InputContainer,
        stream: av.video.stream.VideoStream,
    ) -> None:
        self._path, self._container, self._stream = path, container, stream
        self._frames = self._decoded()
        self.packets = 0

    def __iter__(self) -> Iterator[av.VideoFrame]:
        """Itself."""
        return self

    def __next__(self) -> av.VideoFrame:
        """The next one."""
        return next(self._frames)

    def _decoded(self) -> Iterator[av.VideoFrame]:
        count = 0
        try:
            for packet in self._container.demux(self._stream):
                # The last one, which has no time, asks the decoder for what it holds back.
                self.packets += packet.dts is not None or packet.size > 0
                for frame in packet.decode():
                    assert isinstance(frame, av.VideoFrame)
                    yield frame
                    count += 1
        except (av.error.FFmpegError, ValueError) as error:
            reason = type(error).__name__
            raise DecodeError(f"{self._path}: broken after {count} frames ({reason})") from error
