"""The frames of a file, one by one, from its beginning or from shortly before a moment on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import av
import av.container
import av.video

from vidjax.data.containers import open_video
from vidjax.data.decode_limits import USUAL, CostError, DecodeError, LateError, Limits, Meter
from vidjax.data.timestamps import has_leaps

# Files whose frames carry the same times wherever decoding begins; others are read from their
# first frame on.
_SEEKABLE = ("mov,mp4", "matroska")
# A piece that begins later is looked for, in seconds, and decoding begins this much before it.
_FAR, _BEFORE = 2.0, 1.0


@contextmanager
def open_frames(
    path: str | Path, limits: Limits = USUAL
) -> Iterator[tuple[av.VideoStream, Frames]]:
    """A file's main video stream and its frames, decoded one by one.

    Args:
      path: file.
      limits: what it may cost.

    Raises:
      DecodeError: the file cannot be opened or has no video; or, from the frames, it is broken.
      CostError: from the frames: it costs too much.
    """
    meter = Meter.of(path, limits)
    with open_video(path, limits) as (container, stream):
        yield stream, Frames(path, container, stream, meter)


@contextmanager
def open_at(
    path: str | Path, start: float, meter: Meter
) -> Iterator[tuple[av.video.stream.VideoStream, float | None, Iterator[av.VideoFrame]]]:
    """A file's frames from `start` seconds or earlier on.

    Args:
      path: file.
      start: seconds.
      meter: counts what they cost, within its limits.

    Yields:
      The stream, the time stamp of its first frame where that is skipped, and the frames.

    Raises:
      DecodeError: as `open_frames`, or the frames are too large.
    """
    with open_video(path, meter.limits) as (container, stream):
        meter.refuse_size(stream.codec_context.width, stream.codec_context.height)
        if start <= _FAR or not container.format.name.startswith(_SEEKABLE):
            yield stream, None, Frames(path, container, stream, meter)
            return
        found = None if has_leaps(stream) else _skip(path, container, stream, meter, start)
        if found is not None:
            yield stream, *found
            return
    with open_video(path, meter.limits) as (container, stream):
        yield stream, None, Frames(path, container, stream, meter)


def _skip(
    path: str | Path,
    container: av.container.InputContainer,
    stream: av.video.stream.VideoStream,
    meter: Meter,
    start: float,
) -> tuple[float, Iterator[av.VideoFrame]] | None:
    """The time of the first frame, and the frames from shortly before `start` on; None if lost."""
    try:
        first = next(Frames(path, container, stream, meter), None)
        if first is None or first.time is None:
            return None
        target = first.time + start - _BEFORE
        container.seek(round(target / (stream.time_base or 1)), stream=stream)
        frames = Frames(path, container, stream, meter)
        landed = next(frames, None)
    except LateError:
        raise
    except (DecodeError, av.error.FFmpegError):
        return None
    if landed is None or landed.time is None or landed.time > first.time + start:
        return None
    return first.time, chain([landed], frames)


class Frames:
    """The frames of a stream, decoded one by one within a budget.

    Attributes:
      meter: counts what they cost.
      packets: number of stored pieces that they were decoded from so far. Some hold no picture:
        placeholders, and what an edit list hides.

    Raises:
      DecodeError: as they are taken: the stream is broken.
      CostError: likewise: it costs too much.
    """

    def __init__(
        self,
        path: str | Path,
        container: av.container.InputContainer,
        stream: av.video.stream.VideoStream,
        meter: Meter | None = None,
    ) -> None:
        self._path, self._container, self._stream = path, container, stream
        self.meter = meter or Meter.of(path)
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
                self.meter.refuse_late()
                # The last one, which has no time, asks the decoder for what it holds back.
                self.packets += packet.dts is not None or packet.size > 0
                for frame in packet.decode():
                    assert isinstance(frame, av.VideoFrame)
                    self.meter.add(frame.width, frame.height)
                    yield frame
                    count += 1
        except DecodeError:
            raise
        except av.error.ExitError as error:
            raise LateError(f"{self._path}: reading takes too long after {count} frames") from error
        except av.error.MemoryError as error:
            reason = "asks for more memory than a video may take"
            raise CostError(f"{self._path}: {reason} after {count} frames") from error
        except (av.error.FFmpegError, ValueError) as error:
            reason = type(error).__name__
            raise DecodeError(f"{self._path}: broken after {count} frames ({reason})") from error
