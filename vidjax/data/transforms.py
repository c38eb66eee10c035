"""Clip transforms: resizing, cropping, flipping, colour jitter, normalization, JPEG coding.

Frames are uint8 `[T, H, W, 3]`, RGB. Random transforms take a NumPy generator and draw once per
clip.
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np

from vidjax.data.image_size import MOST_PIXELS, image_size

# Callers run several threads of their own; OpenCV's would compete with them.
cv2.setNumThreads(0)

Box = tuple[int, int, int, int]
# Largest allowed aspect ratio of a frame.
ASPECT = 64
# Channels of a frame; flow has an even number.
COLOURS = 3
_LARGEST = np.uint8(255)
# Most channels that OpenCV resizes at once.
_AT_ONCE = 4


def resize(frames: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resizes to `size` = (height, width): by area if that shrinks the frames, else bilinear."""
    height, width = size
    if frames.shape[1:3] == (height, width):
        return frames
    shrinks = height * width < frames.shape[1] * frames.shape[2]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.stack([_resized(frame, (width, height), method) for frame in frames])


def _resized(frame: np.ndarray, size: tuple[int, int], method: int) -> np.ndarray:
    """Resizes a frame `[H, W, C]` with any even or small number of channels."""
    if frame.shape[-1] <= _AT_ONCE:
        return np.asarray(cv2.resize(frame, size, interpolation=method))
    starts = range(0, frame.shape[-1], _AT_ONCE)
    parts = (np.ascontiguousarray(frame[..., start : start + _AT_ONCE]) for start in starts)
    return np.concatenate([cv2.resize(part, size, interpolation=method) for part in parts], axis=-1)


def short_side_size(height: int, width: int, size: int, *, upscale: bool) -> tuple[int, int]:
    """Returns height and width after resizing the shorter side to `size`, keeping the aspect."""
    short = min(height, width)
    if short == size or (short < size and not upscale):
        return height, width
    scale = size / short
    return max(size, round(height * scale)), max(size, round(width * scale))


def resize_short_side(frames: np.ndarray, size: int, *, upscale: bool = False) -> np.ndarray:
    """Resizes so that the shorter side is `size` pixels; smaller frames stay unless `upscale`.

    Frames with an aspect ratio above `ASPECT` are center-cropped to it first, because resizing
    could take gigabytes.

    >>> resize_short_side(np.zeros((4, 96, 128, 3), np.uint8), 48).shape
    (4, 48, 64, 3)
    """
    frames = crop(frames, strip(*frames.shape[1:3]))
    height, width = frames.shape[1:3]
    return resize(frames, short_side_size(height, width, size, upscale=upscale))


def strip(height: int, width: int) -> Box:
    """Returns the central box of a frame that keeps the aspect ratio at most `ASPECT`."""
    longest = ASPECT * min(height, width)
    tall, wide = min(height, longest), min(width, longest)
    return (height - tall) // 2, (width - wide) // 2, tall, wide


def random_resized_crop_box(
    rng: np.random.Generator,
    height: int,
    width: int,
    scale: tuple[float, float] = (0.08, 1.0),
    ratio: tuple[float, float] = (0.75, 4 / 3),
) -> Box:
    """Draws a random box (top, left, height, width) within the frame.

    Its fraction of the frame's area is uniform in `scale`, and the logarithm of its aspect ratio,
    width over height, is uniform in that of `ratio` (Szegedy et al. 2015, section 6). If ten draws
    do not fit, the result is the largest central box of an allowed ratio.
    """
    low, high = math.log(ratio[0]), math.log(ratio[1])
    for _ in range(10):
        area = height * width * rng.uniform(*scale)
        aspect = math.exp(rng.uniform(low, high))
        box_width, box_height = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < box_width <= width and 0 < box_height <= height:
            top = int(rng.integers(height - box_height + 1))
            left = int(rng.integers(width - box_width + 1))
            return top, left, box_height, box_width
    box_height = min(height, max(1, round(width / ratio[0])))
    box_width = min(width, max(1, round(height * ratio[1])))
    return (height - box_height) // 2, (width - box_width) // 2, box_height, box_width


def crop(frames: np.ndarray, box: Box) -> np.ndarray:
    """Crops the box (top, left, height, width) from every frame; returns a view, not a copy.

    Raises:
      ValueError: the box does not lie within the frame.
    """
    top, left, height, width = box
    inside = top >= 0 and left >= 0 and height > 0 and width > 0
    if not inside or top + height > frames.shape[1] or left + width > frames.shape[2]:
        raise ValueError(f"box {box} does not lie within frames of {frames.shape[1:3]}")
    return frames[:, top : top + height, left : left + width]


def center_crop(frames: np.ndarray, size: int) -> np.ndarray:
    """Crops the central square of `size` by `size` pixels from every frame."""
    return crop(frames, spatial_views(frames, size, 1)[0])


def spatial_views(frames: np.ndarray, size: int, crops: int) -> list[Box]:
    """Returns the crop boxes (top, left, height, width) of the spatial views for evaluation.

    >>> spatial_views(np.zeros((1, 112, 200, 3), np.uint8), size=112, crops=3)
    [(0, 0, 112, 112), (0, 44, 112, 112), (0, 88, 112, 112)]

    Args:
      frames: uint8 `[T, H, W, 3]`.
      size: height and width of a box in pixels.
      crops: number of boxes: 1 (centre), 3 (spread along the longer side) or 5 (corners and
        centre).

    Raises:
      ValueError: `crops` is another number, or the frames are smaller than the crop.
    """
    height, width = frames.shape[1:3]
    if crops not in (1, 3, 5):
        raise ValueError(f"crops = {crops}: must be 1, 3 or 5")
    if min(height, width) < size:
        raise ValueError(f"frames of {(height, width)} are smaller than a crop of {size}")
    free_y, free_x = height - size, width - size
    places = [(free_y // 2, free_x // 2)]
    if crops == 5:
        places = [(y, x) for y in (0, free_y) for x in (0, free_x)] + places
    elif crops == 3 and free_x >= free_y:
        places = [(free_y // 2, left) for left in (0, free_x // 2, free_x)]
    elif crops == 3:
        places = [(top, free_x // 2) for top in (0, free_y // 2, free_y)]
    return [(top, left, size, size) for top, left in places]


def random_scale_short_side(
    rng: np.random.Generator, frames: np.ndarray, low: int, high: int, size: int
) -> np.ndarray:
    """Resizes the short side to a random value in [low, high]; crops `size` x `size` at random.

    This is the training crop of Simonyan and Zisserman 2015, section 3.1, as used by SlowFast.
    """
    frames = resize_short_side(frames, int(rng.integers(low, high + 1)), upscale=True)
    top = int(rng.integers(frames.shape[1] - size + 1))
    left = int(rng.integers(frames.shape[2] - size + 1))
    return crop(frames, (top, left, size, size))


def random_padded_crop(rng: np.random.Generator, frames: np.ndarray, size: int) -> np.ndarray:
    """Resizes the short side to `size`, adds a black border and crops `size` x `size` at random.

    The border is an eighth of `size`: 4 pixels for 32, as usual for CIFAR (He et al. 2016,
    section 4.2).
    """
    frames = resize_short_side(frames, size, upscale=True)
    border = size // 8
    wide = np.pad(frames, ((0, 0), (border, border), (border, border), (0, 0)))
    top = int(rng.integers(wide.shape[1] - size + 1))
    left = int(rng.integers(wide.shape[2] - size + 1))
    return crop(wide, (top, left, size, size))


def flip(frames: np.ndarray) -> np.ndarray:
    """Mirrors left and right; in flow `[T, H, W, 2 L]`, the x components are negated."""
    mirrored = frames[:, :, ::-1]
    if frames.shape[-1] == COLOURS:
        return mirrored
    mirrored = mirrored.copy()
    mirrored[..., ::2] = _LARGEST - mirrored[..., ::2]
    return mirrored


def color_jitter(rng: np.random.Generator, frames: np.ndarray, strength: float) -> np.ndarray:
    """Jitters brightness, contrast and saturation by factors in 1 ± strength; uint8 in and out."""
    brightness, contrast, saturation = rng.uniform(1 - strength, 1 + strength, 3)
    clip = frames.astype(np.float32) * np.float32(brightness)
    mean = clip.mean(dtype=np.float64)
    clip = (clip - np.float32(mean)) * np.float32(contrast) + np.float32(mean)
    gray = clip @ np.array([0.299, 0.587, 0.114], np.float32)
    clip = gray[..., None] + (clip - gray[..., None]) * np.float32(saturation)
    return np.rint(clip).clip(0, 255).astype(np.uint8)


def normalize(clip: Any, mean: tuple[float, ...], std: tuple[float, ...]) -> Any:
    """Normalizes a uint8 clip to float32 with the mean and standard deviation of a network.

    >>> normalize(np.array([[0, 127.5, 255]]), (0.5,) * 3, (0.5,) * 3).tolist()
    [[-1.0, 0.0, 1.0]]

    Args:
      clip: values 0 to 255, `[..., 3]`, or `[..., 2 L]` of flow; a NumPy or JAX array.
      mean: mean of each colour, or of x and y, in [0, 1].
      std: standard deviation of each colour, or of x and y, in [0, 1].
    """
    scale = np.asarray([1 / (255 * s) for s in std], np.float32)
    shift = np.asarray([m / s for m, s in zip(mean, std, strict=True)], np.float32)
    if clip.shape[-1] != COLOURS:
        pairs = clip.shape[-1] // len(mean)
        scale, shift = np.tile(scale, pairs), np.tile(shift, pairs)
    return clip.astype(np.float32) * scale - shift


def encode_jpeg(frame: np.ndarray, quality: int = 90) -> bytes:
    """Encodes an RGB frame uint8 `[H, W, 3]`, or a grey frame `[H, W]`, as JPEG.

    Raises:
      ValueError: JPEG does not support the size; no side may be longer than 65,535 pixels.
    """
    height, width = frame.shape[:2]
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    picture = frame if frame.ndim == 2 else cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
    try:
        done, data = cv2.imencode(".jpg", picture, options)
    except cv2.error:
        done = False
    if not done:
        raise ValueError(f"a frame of {width}x{height} pixels cannot be stored as JPEG")
    return bytes(data)


def decode_jpeg(data: bytes) -> np.ndarray:
    """Decodes a JPEG or PNG to an RGB frame uint8 `[H, W, 3]`.

    Raises:
      ValueError: the data is neither, is damaged, or has more pixels than a frame may have.
    """
    return _decoded(data, cv2.IMREAD_COLOR_RGB)


def decode_grey(data: bytes) -> np.ndarray:
    """Does the same as `decode_jpeg` for a grey image uint8 `[H, W]`."""
    return _decoded(data, cv2.IMREAD_GRAYSCALE)


def _decoded(data: bytes, kind: int) -> np.ndarray:
    height, width = image_size(data)
    if height * width > MOST_PIXELS:
        raise ValueError(
            f"a stored frame of {width}x{height} exceeds the limit of {MOST_PIXELS} pixels"
        )
    try:
        frame = cv2.imdecode(np.frombuffer(data, np.uint8), kind | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        frame = None
    if frame is None:
        raise ValueError(f"{len(data)} bytes of a stored frame are not a readable JPEG or PNG")
    return np.asarray(frame)
