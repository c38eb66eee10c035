"""Which frames make a clip. Frame index 0 is the first frame, everywhere.

A video with too few frames is dealt with by a declared policy: `loop` starts it again, `hold`
repeats its last frame, `pad` marks what is missing by the index -1, a black frame.
"""

from __future__ import annotations

import numpy as np
from scipy import special

POLICIES = ("loop", "hold", "pad")


def clip_indices(
    start: int, num_frames: int, frames: int, stride: int, short: str = "loop"
) -> np.ndarray:
    """Indices of a clip that begins at `start`.

    Args:
      start: first frame.
      num_frames: frames that the video has.
      frames: length T of the clip.
      stride: distance of neighbouring frames.
      short: policy for indices past the video's end.

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
    """The largest stride up to `stride` at which a clip lies within the video; at least 1."""
    return max(1, min(stride, (num_frames - 1) // max(1, frames - 1)))


def _last_start(num_frames: int, frames: int, stride: int) -> int:
    """The last start whose clip lies within the video; 0 where none does."""
    return max(0, num_frames - 1 - stride * (frames - 1))


def random_clip(
    rng: np.random.Generator, num_frames: int, frames: int, stride: int, short: str = "loop"
) -> np.ndarray:
    """A clip `[T]` whose start is uniform over all starts that keep it within the video."""
    start = int(rng.integers(_last_start(num_frames, frames, stride) + 1))
    return clip_indices(start, num_frames, frames, stride, short)


def normal_start_clip(
    rng: np.random.Generator, num_frames: int, frames: int, stride: int, short: str = "loop"
) -> np.ndarray:
    """A clip `[T]` that starts around a quarter of the video (Stergiou, thesis, figure 5.6).

    With L frames in the video the start is normal of mean L/4 and standard deviation L/6, cut off
    below 0 and above L/2 or the last start that keeps the clip within the video, and rounded. One
    number is drawn. A video too short for a clip gives start 0.
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
    """A clip `[T]` from a normal start, as in `normal_start_clip`, on to anywhere.

    The other frames are uniform over what comes after the start, in order of time: the other
    reading of the thesis' figure 5.6. A frame is repeated where there are too few.

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
    """The clip `[T]` from the middle of the video."""
    start = _last_start(num_frames, frames, stride) // 2
    return clip_indices(start, num_frames, frames, stride, short)


def view_clips(
    num_frames: int, frames: int, stride: int, views: int, short: str = "loop"
) -> np.ndarray:
    """Clips `[views, T]` spread evenly from the first possible start to the last.

    One view is the centre clip. This is the temporal half of the usual 30-view protocol (10
    clips by 3 crops; Feichtenhofer et al., SlowFast, section 4).
    """
    if views < 1:
        raise ValueError(f"views = {views}: must be at least 1")
    if views == 1:
        return center_clip(num_frames, frames, stride, short)[None]
    starts = np.linspace(0, _last_start(num_frames, frames, stride), views).astype(np.int64)
    clips = [clip_indices(int(start), num_frames, frames, stride, short) for start in starts]
    return np.stack(clips)


def segment_clip(rng: np.random.Generator | None, num_frames: int, frames: int) -> np.ndarray:
    """One frame from each of T equal segments of the video, `[T]` (Wang et al., TSN, section 3).

    Args:
      rng: draws a frame within each segment; None takes the middle ones.
      num_frames: frames that the video has; segments shorter than a frame repeat it.
      frames: number T of segments.

    Raises:
      ValueError: the video has no frames.
    """
    if num_frames < 1:
        raise ValueError("a video without frames has no clips")
    share = 0.5 if rng is None else rng.random(frames)
    positions = (np.arange(frames) + share) * num_frames / frames
    return np.minimum(positions.astype(np.int64), num_frames - 1)
