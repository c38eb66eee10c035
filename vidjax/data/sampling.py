"""Samples the frame indices of clips. Frame index 0 is the first frame, everywhere.

A policy says what happens if a video has too few frames: `loop` starts it again, `hold` repeats its
last frame, and `pad` uses the index -1, which stands for a black frame.
"""

from __future__ import annotations

import numpy as np
from scipy import special

POLICIES = ("loop", "hold", "pad")


def clip_indices(
    start: int, num_frames: int, frames: int, stride: int, short: str = "loop"
) -> np.ndarray:
    """Returns the frame indices of a clip that begins at `start`.

    >>> clip_indices(start=4, num_frames=8, frames=4, stride=2).tolist()
    [4, 6, 0, 2]

    Args:
      start: index of the first frame.
      num_frames: number of frames of the video.
      frames: length T of the clip.
      stride: stride between frames.
      short: policy for indices past the end of the video.

    Returns:
      int64 `[T]`.

    Raises:
      ValueError: the video has no frames, or an argument is out of its range.
    """
    if num_frames < 1:
        raise ValueError("a video without frames has no clips")
    if frames < 1 or stride < 1:
        raise ValueError(f"frames = {frames}, stride = {stride}: both must be at least 1")
    indices = start + stride * np.arange(frames, dtype=np.int64)
    if short == "loop":
        return indices % num_frames
    if short == "hold":
        return np.minimum(indices, num_frames - 1)
    if short == "pad":
        return np.where(indices < num_frames, indices, -1)
    raise ValueError(f"short = {short!r}: one of {', '.join(POLICIES)}")


def fitting_stride(num_frames: int, frames: int, stride: int) -> int:
    """Returns the largest stride up to `stride` at which a clip fits into the video; at least 1."""
    return max(1, min(stride, (num_frames - 1) // max(1, frames - 1)))


def _last_start(num_frames: int, frames: int, stride: int) -> int:
    """Returns the last start at which a clip fits into the video; 0 if none does."""
    return max(0, num_frames - 1 - stride * (frames - 1))


def random_clip(
    rng: np.random.Generator, num_frames: int, frames: int, stride: int, short: str = "loop"
) -> np.ndarray:
    """Draws a clip `[T]` with a start uniform over all starts at which it fits into the video."""
    start = int(rng.integers(_last_start(num_frames, frames, stride) + 1))
    return clip_indices(start, num_frames, frames, stride, short)


def normal_start_clip(
    rng: np.random.Generator, num_frames: int, frames: int, stride: int, short: str = "loop"
) -> np.ndarray:
    """Draws a clip `[T]` that starts around a quarter of the video (Stergiou, thesis, figure 5.6).

    For a video of L frames, the start is drawn from a normal distribution with mean L/4 and
    standard deviation L/6, truncated to the range from 0 to L/2 or to the last start at which the
    clip fits, and rounded. One random number is drawn. If the video is too short for a clip, the
    start is 0.
    """
    start = _normal_start(rng, num_frames, _last_start(num_frames, frames, stride))
    return clip_indices(start, num_frames, frames, stride, short)


def _normal_start(rng: np.random.Generator, num_frames: int, last: int) -> int:
    latest = min(num_frames / 2, last)
    mean, deviation = num_frames / 4, max(num_frames, 1) / 6
    low, high = special.ndtr([-mean / deviation, (latest - mean) / deviation])
    place = mean + deviation * special.ndtri(low + (high - low) * rng.random())
    return int(np.clip(np.rint(place), 0, np.floor(latest)))


def normal_spread_clip(rng: np.random.Generator, num_frames: int, frames: int) -> np.ndarray:
    """Draws a clip `[T]` from a start as in `normal_start_clip`, and random later frames.

    The other frames are uniform over the frames after the start, in temporal order. This is the
    other reading of the thesis' figure 5.6. Frames are repeated if there are too few.

    Raises:
      ValueError: the video has no frames.
    """
    if num_frames < 1:
        raise ValueError("a video without frames has no clips")
    start = _normal_start(rng, num_frames, max(0, num_frames - frames))
    later = np.arange(start + 1, num_frames)
    wanted = frames - 1
    if len(later) >= wanted:
        chosen = rng.choice(later, wanted, replace=False)
    else:
        chosen = rng.choice(np.append(later, start), wanted)
    return np.concatenate([[start], np.sort(chosen)]).astype(np.int64)


def center_clip(num_frames: int, frames: int, stride: int, short: str = "loop") -> np.ndarray:
    """Returns the clip `[T]` from the middle of the video."""
    start = _last_start(num_frames, frames, stride) // 2
    return clip_indices(start, num_frames, frames, stride, short)


def view_clips(
    num_frames: int, frames: int, stride: int, views: int, short: str = "loop"
) -> np.ndarray:
    """Returns clips `[views, T]` with starts spread evenly from the first possible to the last.

    A single view is the centre clip. This is the temporal half of the usual 30-view protocol (10
    clips by 3 crops; Feichtenhofer et al., SlowFast, section 4).

    >>> view_clips(num_frames=8, frames=2, stride=2, views=3).tolist()
    [[0, 2], [2, 4], [5, 7]]
    """
    if views < 1:
        raise ValueError(f"views = {views}: must be at least 1")
    if views == 1:
        return center_clip(num_frames, frames, stride, short)[None]
    starts = np.linspace(0, _last_start(num_frames, frames, stride), views).astype(np.int64)
    clips = [clip_indices(int(start), num_frames, frames, stride, short) for start in starts]
    return np.stack(clips)


def segment_clip(rng: np.random.Generator | None, num_frames: int, frames: int) -> np.ndarray:
    """Samples one frame from each of T equal segments of the video, `[T]` (TSN, section 3).

    The paper is Wang et al., ECCV 2016.

    >>> segment_clip(None, num_frames=8, frames=4).tolist()
    [1, 3, 5, 7]

    Args:
      rng: draws a random frame in each segment; None takes the middle frames.
      num_frames: number of frames of the video. Segments shorter than a frame repeat it.
      frames: number T of segments.

    Raises:
      ValueError: the video has no frames.
    """
    if num_frames < 1:
        raise ValueError("a video without frames has no clips")
    share = 0.5 if rng is None else rng.random(frames)
    positions = (np.arange(frames) + share) * num_frames / frames
    return np.minimum(positions.astype(np.int64), num_frames - 1)
