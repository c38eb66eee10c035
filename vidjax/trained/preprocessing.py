"""The preprocessing that turns a video into the clip a network was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vidjax.data.flow_extraction import chosen_fields, fields_in
from vidjax.data.optical_flow import Flow, num_stacks, stack_fields, stack_indices
from vidjax.data.pipeline import ClipShape
from vidjax.data.transforms import COLOURS, normalize
from vidjax.data.video_stream import stream_video
from vidjax.data.views import Views

Colours = tuple[float, ...]


@dataclass(frozen=True)
class Preprocessing:
    """The steps from a video to a network's input.

    Attributes:
      frames: frames per clip, T.
      stride: distance between neighbouring frames of a clip, in frames of the video at the rate
        `fps`.
      size: height and width of the square crop, in pixels.
      short_side: length to which the shorter side of frames is resized before the crop, in pixels.
      mean: mean of red, green and blue in [0, 1], or of the flow's x and y; it is subtracted.
      std: standard deviation of red, green and blue in [0, 1], or of the flow's x and y; the
        difference is divided by it.
      fps: frame rate to which the video is resampled; None keeps each video's own.
      sampling: how frames are sampled from a video, as in `ClipShape`.
      short: policy for videos with too few frames, as in `ClipShape`.
      fit: whether short videos get a smaller stride first, as in `ClipShape`.
      stored_side: short side of frames as a data set stores them, in pixels; None is `short_side`.
      quality: quality of the JPEG images in which a data set stores frames.
      stretched: height and width to which frames are resized without keeping the aspect ratio, as
        some projects did, instead of `short_side`; None keeps the ratio.
      flow: how optical flow is computed, for networks that take flow; None for RGB frames.
      pairs: number L of successive flow fields at each position of a clip; 0 for RGB frames.
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
        """Shape of a clip: `(T, H, W, 3)`, or `(T, H, W, 2 L)` for flow."""
        return (self.frames, self.size, self.size, 2 * self.pairs if self.flow else COLOURS)

    @property
    def facts(self) -> dict[str, Any]:
        """All settings by name, for records; settings of flow are left out for RGB networks."""
        absent = () if self.flow else ("flow", "pairs")
        return {name: value for name, value in asdict(self).items() if name not in absent}

    def require_frames(self, what: str) -> None:
        """Refuses a network that takes optical flow.

        Args:
          what: the operation that needs RGB frames, for the message.

        Raises:
          ValueError: the network takes flow.
        """
        if self.flow:
            raise ValueError(
                f"{what} needs a network that takes RGB frames, but this one takes flow"
            )

    def views(self, clips: int = 1, crops: int = 1) -> Views:
        """Returns the views of a video: `clips` spread over time, with `crops` crops each."""
        shape = ClipShape(self.frames, self.stride, self.size, self.short, self.sampling, self.fit)
        return Views(clips, crops, self.size, shape, self.short_side, self.stretched)

    def normalized(self, clip: Any) -> Any:
        """Normalises uint8 colours, 0 to 255, for the network; float32 of the same shape."""
        return normalize(clip, self.mean, self.std)


def picked(
    frames: Mapping[int, np.ndarray] | Sequence[np.ndarray], indices: np.ndarray
) -> np.ndarray:
    """Returns the frames at `indices` [T], uint8 `[T, H, W, 3]`; index -1 gives a black frame."""
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
    """Reads the central crop of a video's middle clip, as a network takes it.

    The video is decoded twice, first to find its middle and then for the clip, and is not kept.

    Args:
      path: a video file.
      preprocessing: preprocessing of the network.
      start: start of the piece in seconds from the first frame; None is 0.
      end: end of the piece in seconds, exclusive; None is the end of the video.

    Returns:
      float32 `[T, H, W, 3]`, normalised; for flow `[T, H, W, 2 L]`.

    Raises:
      DecodeError: the file cannot be decoded.

    Examples:
      >>> import numpy as np, vidjax
      >>> from vidjax.data.encode import write_mp4
      >>> from vidjax.trained.preprocessing import Preprocessing
      >>> write_mp4("video.mp4", np.zeros((8, 48, 64, 3), np.uint8), fps=8)
      >>> grey, spread = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
      >>> preprocessing = Preprocessing(4, 2, 32, 40, grey, spread)  # of a network: .preprocessing
      >>> vidjax.read_clip("video.mp4", preprocessing).shape
      (4, 32, 32, 3)
    """
    views = preprocessing.views()
    side = preprocessing.stored_side or preprocessing.short_side
    stream = stream_video(
        path, fps=preprocessing.fps, start=start, end=end, short_side=side, counted=True
    )
    assert stream.count is not None
    if preprocessing.flow:
        count = fields_in(stream.count, path)
        (indices,) = views.shape.view_indices(num_stacks(count, preprocessing.pairs), 1)
        shown = stack_indices(indices, preprocessing.pairs, count)
        chosen = chosen_fields(stream, shown[shown >= 0].tolist(), preprocessing.flow, path)
        fields = {number: views.resized(field[None])[0] for number, field in chosen}
        (clip,) = views.crops_of(stack_fields(fields, shown))
        return np.asarray(preprocessing.normalized(clip))
    (indices,) = views.shape.view_indices(stream.count, 1)
    wanted = set(indices[indices >= 0].tolist())
    frames = {index: views.resized(frame[None])[0] for index, frame in stream.at(wanted)}
    (clip,) = views.crops_of(picked(frames, indices))
    return np.asarray(preprocessing.normalized(clip))
