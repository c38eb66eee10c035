"""How a video becomes the clip that a network was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vidjax.data.flow_extraction import chosen_fields, fields_in
from vidjax.data.optical_flow import Flow, places, shown_fields, stacked
from vidjax.data.pipeline import ClipShape
from vidjax.data.transforms import COLOURS, normalize
from vidjax.data.video_stream import stream_video
from vidjax.data.views import Views

Colours = tuple[float, ...]


@dataclass(frozen=True)
class Preprocessing:
    """What is done to a video before a network sees it.

    Attributes:
      frames: T of a clip.
      stride: distance of neighbouring frames in the video, at the rate `fps`.
      size: height and width of the square that is cut out, in pixels.
      short_side: length that the frames' shorter side is resized to before, in pixels.
      mean: of the colours in [0, 1], or of flow's x and y, subtracted.
      std: likewise, divided by.
      fps: frame rate that the video is brought to; None keeps each video's own.
      sampling: how frames are taken from a video, as in `ClipShape`.
      short: what is done with videos of too few frames, as in `ClipShape`.
      fit: whether too short videos get a smaller stride first, as in `ClipShape`.
      stored_side: short side of frames as a data set stores them, in pixels; None is `short_side`.
      quality: of the JPEG pictures in which a data set stores them.
      stretched: height and width that frames are resized to without keeping their aspect, as some
        projects did, in place of `short_side`; None keeps it.
      flow: how optical flow is computed, which the network sees; None where it sees frames.
      pairs: number L of successive fields of flow at one place of a clip; 0 of frames.
    """

    frames: int
    stride: int
    size: int
    short_side: int
    mean: Colours
    std: Colours
    fps: float | None = None
    sampling: str = "dense"
    short: str = "loop"
    fit: bool = False
    stored_side: int | None = None
    quality: int = 90
    stretched: tuple[int, int] | None = None
    flow: Flow | None = None
    pairs: int = 0

    @property
    def clip_shape(self) -> tuple[int, int, int, int]:
        """`(T, H, W, 3)` of a clip, or `(T, H, W, 2 L)` of flow."""
        return (self.frames, self.size, self.size, 2 * self.pairs if self.flow else COLOURS)

    @property
    def facts(self) -> dict[str, Any]:
        """All of it by name, for records; without flow where there is none, as in older ones."""
        absent = () if self.flow else ("flow", "pairs")
        return {name: value for name, value in asdict(self).items() if name not in absent}

    def require_frames(self, what: str) -> None:
        """Refuses a network that sees flow.

        Args:
          what: for which it must see frames.

        Raises:
          ValueError: it does not.
        """
        if self.flow:
            raise ValueError(f"{what} is for networks that see frames, and this one sees flow")

    def views(self, clips: int = 1, crops: int = 1) -> Views:
        """Views of a video: `clips` spread over its time, each with so many `crops`."""
        shape = ClipShape(self.frames, self.stride, self.size, self.short, self.sampling, self.fit)
        return Views(clips, crops, self.size, shape, self.short_side, self.stretched)

    def normalized(self, clip: Any) -> Any:
        """Colours from uint8 0..255 to what the network takes, float32 of the same shape."""
        return normalize(clip, self.mean, self.std)


def picked(
    frames: Mapping[int, np.ndarray] | Sequence[np.ndarray], indices: np.ndarray
) -> np.ndarray:
    """The frames at `indices` [T], uint8 `[T, H, W, 3]`; index -1 is black."""
    found = [frames[int(index)] if index >= 0 else None for index in indices]
    black = next(np.zeros_like(frame) for frame in found if frame is not None)
    return np.stack([black if frame is None else frame for frame in found])


def read_clip(
    path: str | Path,
    preprocessing: Preprocessing,
    *,
    start: float | None = None,
    end: float | None = None,
) -> np.ndarray:
    """The middle clip of a video, its centre, as a network takes it.

    The video is decoded twice, for where its middle is and for the clip, and not kept.

    Args:
      path: a video file.
      preprocessing: of the network.
      start: seconds from the first frame; None is 0.
      end: seconds, exclusive; None is the end.

    Returns:
      float32 `[T, H, W, 3]`, normalised; of flow `[T, H, W, 2 L]`.

    Raises:
      DecodeError: the file cannot be decoded.
    """
    views = preprocessing.views()
    side = preprocessing.stored_side or preprocessing.short_side
    stream = stream_video(
        path, fps=preprocessing.fps, start=start, end=end, short_side=side, counted=True
    )
    assert stream.count is not None
    if preprocessing.flow:
        count = fields_in(stream.count, path)
        (indices,) = views.shape.view_indices(places(count, preprocessing.pairs), 1)
        shown = shown_fields(indices, preprocessing.pairs, count)
        chosen = chosen_fields(stream, shown[shown >= 0].tolist(), preprocessing.flow, path)
        fields = {number: views.resized(field[None])[0] for number, field in chosen}
        (clip,) = views.crops_of(stacked(fields, shown))
        return np.asarray(preprocessing.normalized(clip))
    (indices,) = views.shape.view_indices(stream.count, 1)
    wanted = set(indices[indices >= 0].tolist())
    frames = {index: views.resized(frame[None])[0] for index, frame in stream.at(wanted)}
    (clip,) = views.crops_of(picked(frames, indices))
    return np.asarray(preprocessing.normalized(clip))
