"""The optical flow of a video, field by field, as its frames are decoded."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator

import numpy as np

from vidjax.data.decode_limits import DecodeError
from vidjax.data.optical_flow import Flow
from vidjax.data.transforms import encode_jpeg
from vidjax.data.video_stream import VideoStream


def fields_of(
    frames: Iterable[tuple[np.ndarray, float]], flow: Flow, name: object
) -> Iterator[tuple[np.ndarray, float]]:
    """The fields of a video with their times, uint8 `[H, W, 2]`, one fewer than frames.

    Args:
      frames: RGB, uint8 `[H, W, 3]`, with their seconds.
      flow: how it is computed.
      name: of the video, for errors.

    Yields:
      A field, and the seconds of the first of its two frames.

    Raises:
      DecodeError: there is only one frame, or OpenCV computes no flow of frames so small.
      ValueError: it is not in this OpenCV.
    """
    flow.require()
    # Of the frames that the last field is between.
    times: deque[float] = deque(maxlen=2)

    def noting() -> Iterator[np.ndarray]:
        for frame, time in frames:
            times.append(time)
            yield frame

    try:
        for field in flow.between(noting()):
            yield field, times[0]
    except DecodeError:
        raise
    except ValueError as error:
        raise DecodeError(f"{name}: {error}") from None
    fields_in(len(times), name)


def chosen_fields(
    video: VideoStream, wanted: Collection[int], flow: Flow, name: object
) -> Iterator[tuple[int, np.ndarray]]:
    """Some fields with their numbers, in order; others are not computed.

    Args:
      video: from its first frame on.
      wanted: numbers of fields; number 0 is from the first frame to the second.
      flow: as in `fields_of`.
      name: likewise.

    Raises:
      DecodeError: as in `fields_of`.
      ValueError: likewise.
    """
    chosen = set(wanted)
    needed = chosen | {number + 1 for number in chosen}
    earlier: tuple[int, np.ndarray] | None = None
    for number, frame in video.at(needed):
        if earlier is not None and earlier[0] == number - 1 and number - 1 in chosen:
            pair = ((earlier[1], 0.0), (frame, 0.0))
            ((field, _),) = fields_of(pair, flow, name)
            yield number - 1, field
        earlier = number, frame


def fields_in(frames: int, name: object) -> int:
    """How many fields a video of so many frames has.

    Raises:
      DecodeError: it has none.
    """
    if frames < 2:
        raise DecodeError(f"{name}: a video of one frame has no flow")
    return frames - 1


def encoded_field(field: np.ndarray, quality: int) -> list[bytes]:
    """The two pictures, x and y, that a field uint8 `[H, W, 2]` is stored as."""
    return [encode_jpeg(np.ascontiguousarray(field[..., axis]), quality) for axis in (0, 1)]
