"""Computes the optical flow of a video field by field, while its frames are decoded."""

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
    """Computes the flow fields of a video, uint8 `[H, W, 2]`; there is one fewer than frames.

    Args:
      frames: RGB frames, uint8 `[H, W, 3]`, with their time in seconds.
      flow: flow settings.
      name: name of the video, for errors.

    Yields:
      A field, and the time in seconds of the first of its two frames.

    Raises:
      DecodeError: there is only one frame, or the frames are too small for OpenCV.
      ValueError: this OpenCV lacks the method.
    """
    flow.require()
    # Times of the two frames of the latest field.
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
    """Computes only the wanted fields; yields them with their indices, in order.

    Args:
      video: stream from the video's first frame on.
      wanted: indices of fields; index 0 is from the first frame to the second.
      flow: as in `fields_of`.
      name: as in `fields_of`.

    Raises:
      DecodeError: as in `fields_of`.
      ValueError: as in `fields_of`.
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
    """Returns the number of flow fields of a video with `frames` frames.

    Raises:
      DecodeError: there are fewer than two frames.
    """
    if frames < 2:
        raise DecodeError(f"{name}: a video with a single frame has no flow")
    return frames - 1


def encoded_field(field: np.ndarray, quality: int) -> list[bytes]:
    """Encodes a field uint8 `[H, W, 2]` as two JPEG images, x and y."""
    return [encode_jpeg(np.ascontiguousarray(field[..., axis]), quality) for axis in (0, 1)]
