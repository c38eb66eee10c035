"""Reads the frames of a video file one by one, from its start or from shortly before a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import av
import av.container
import av.video

from vidjax.data.containers import open_video
from vidjax.data.decode_limits import (
    USUAL,
    DecodeError,
    DecodeLimitError,
    DecodeTimeoutError,
    Limits,
    Meter,
)
from vidjax.data.timestamps import has_leaps

# Containers whose frames have the same time stamps wherever decoding starts. Others are read from
# their first frame.
_SEEKABLE = ("mov,mp4", "matroska")
# Seconds: a segment that starts after _FAR is reached by seeking to _BEFORE before its start.
_FAR, _BEFORE = 2.0, 1.0


@contextmanager
def open_frames(
    path: str | Path, limits: Limits = USUAL
) -> Iterator[tuple[av.VideoStream, Frames]]:
    """Opens a file; yields its main video stream and its frames, decoded one by one.

    Args:
      path: file or URL.
      limits: decoding limits.

    Raises:
      DecodeError: the file cannot be opened or has no video. Iterating raises it if the file is
        broken.
      DecodeLimitError: iterating raises it if a limit is exceeded.
    """
    meter = Meter.of(path, limits)
    with open_video(path, limits) as (container, stream):
        yield stream, Frames(path, container, stream, meter)


@contextmanager
def open_at(
    path: str | Path, start: float, meter: Meter
) -> Iterator[tuple[av.video.stream.VideoStream, float | None, Iterator[av.VideoFrame]]]:
    """Opens a file; yields its frames from `start` seconds, or from an earlier frame.

    Args:
      path: file or URL.
      start: start of the wanted frames in seconds.
      meter: enforces the decoding limits.

    Yields:
      The stream, the time stamp of its first frame if that frame is skipped, and the frames.

    Raises:
      DecodeError: like `open_frames`, or the frames are too large.
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
    """Seeks to before `start`; returns the video's first time and the frames, or None."""
    try:
        first = next(Frames(path, container, stream, meter), None)
        if first is None or first.time is None:
            return None
        target = first.time + start - _BEFORE
        container.seek(round(target / (stream.time_base or 1)), stream=stream)
        frames = Frames(path, container, stream, meter)
        landed = next(frames, None)
    except DecodeTimeoutError:
        raise
    except (DecodeError, av.error.FFmpegError):
        return None
    if landed is None or landed.time is None or landed.time > first.time + start:
        return None
    return first.time, chain([landed], frames)


class Frames:
    """Iterates over the frames of a stream, within the decoding limits.

    Attributes:
      meter: enforces the limits.
      packets: number of packets decoded so far. Some contain no frame: placeholders, and frames
        that an edit list hides.

    Raises:
      DecodeError: raised while iterating if the stream is broken.
      DecodeLimitError: raised while iterating if a limit is exceeded.
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
        """Returns itself."""
        return self

    def __next__(self) -> av.VideoFrame:
        """Decodes the next frame."""
        return next(self._frames)

    def _decoded(self) -> Iterator[av.VideoFrame]:
        count = 0
        try:
            for packet in self._container.demux(self._stream):
                self.meter.refuse_late()
                # The last packet has no time stamp; it flushes the decoder.
                self.packets += packet.dts is not None or packet.size > 0
                for frame in packet.decode():
                    assert isinstance(frame, av.VideoFrame)
                    self.meter.add(frame.width, frame.height)
                    yield frame
                    count += 1
        except DecodeError:
            raise
        except av.error.ExitError as error:
            raise DecodeTimeoutError(
                f"{self._path}: reading takes too long after {count} frames"
            ) from error
        except av.error.MemoryError as error:
            reason = "asks for more memory than a video may use"
            raise DecodeLimitError(f"{self._path}: {reason} after {count} frames") from error
        except (av.error.FFmpegError, ValueError) as error:
            reason = type(error).__name__
            raise DecodeError(f"{self._path}: broken after {count} frames ({reason})") from error
