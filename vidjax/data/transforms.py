"""Changes of clips: resizing, cropping, flipping, colours, normalisation, JPEG.

Frames are uint8 `[T, H, W, 3]`, RGB. What is random takes a generator and draws once a clip.
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np

from vidjax.data.image_size import MOST_PIXELS, picture_size

# Callers run several threads of their own; OpenCV's would compete with them.
cv2.setNumThreads(0)

Box = tuple[int, int, int, int]
# How many times as long as wide a frame may be.
ASPECT = 64
# Channels of a frame; flow has an even number.
COLOURS = 3
_LARGEST = np.uint8(255)
# Channels that OpenCV resizes.
_AT_ONCE = 4


def resize(frames: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resizes to `size` = (height, width): by area where smaller, else bilinear."""
    height, width = size
    if frames.shape[1:3] == (height, width):
        return frames
    shrinks = height * width < frames.shape[1] * frames.shape[2]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.stack([_resized(frame, (width, height), method) for frame in frames])


def _resized(frame: np.ndarray, size: tuple[int, int], method: int) -> np.ndarray:
    """A frame `[H, W, C]` of any even or small number of channels."""
    if frame.shape[-1] <= _AT_ONCE:
        return np.asarray(cv2.resize(frame, size, interpolation=method))
    starts = range(0, frame.shape[-1], _AT_ONCE)
    parts = (np.ascontiguousarray(frame[..., start : start + _AT_ONCE]) for start in starts)
    return np.concatenate([cv2.resize(part, size, interpolation=method) for part in parts], axis=-1)


def short_side_size(height: int, width: int, size: int, *, upscale: bool) -> tuple[int, int]:
    """Height and width with the shorter side at `size` and the aspect kept."""
    short = min(height, width)
    if short == size or (short < size and not upscale):
        return height, width
    scale = size / short
    return max(size, round(height * scale)), max(size, round(width * scale))


def resize_short_side(frames: np.ndarray, size: int, *, upscale: bool = False) -> np.ndarray:
    """Resizes so that the shorter side is `size` pixels; smaller frames stay unless `upscale`.

    Of strips that are more than `ASPECT` times as long as wide the ends are cut off first: they
    would take gigabytes.
    """
    frames = crop(frames, strip(*frames.shape[1:3]))
    height, width = frames.shape[1:3]
    return resize(frames, short_side_size(height, width, size, upscale=upscale))


def strip(height: int, width: int) -> Box:
    """What stays of a frame whose ends are cut off because it is too long."""
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
    """A random (top, left, height, width) within the frame.

    Its share of the area is uniform in `scale` and the logarithm of its width over height
    uniform in that of `ratio` (Szegedy et al. 2015, section 6); after ten draws that do not fit
    it is the largest central box of an allowed ratio.
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
    """Cuts (top, left, height, width) out of every frame; a view, not a copy.

    Raises:
      ValueError: the box does not lie within the frame.
    """
    top, left, height, width = box
    inside = top >= 0 and left >= 0 and height > 0 and width > 0
    if not inside or top + height > frames.shape[1] or left + width > frames.shape[2]:
        raise ValueError(f"box {box} does not lie within frames of {frames.shape[1:3]}")
    return frames[:, top : top + height, left : left + width]


def center_crop(frames: np.ndarray, size: int) -> np.ndarray:
    """Cuts the central `size` by `size` square out of every frame."""
    return crop(frames, spatial_views(frames, size, 1)[0])


def spatial_views(frames: np.ndarray, size: int, crops: int) -> list[Box]:
    """Boxes of `size` by `size`.

    Args:
      frames: uint8 `[T, H, W, 3]`.
      size: height and width of a box in pixels.
      crops: 1, the centre; 3, end to end along the longer side; or 5, corners and centre.

    Raises:
      ValueError: the number is another, or the frames are smaller than the crop.
    """
    height, width = frames.shape[1:3]
    if crops not in (1, 3, 5):
        raise ValueError(f"crops = {crops}: 1, 3 or 5")
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
    """Short side uniform in [low, high], then a random square crop of `size` pixels.

    The training crop of Simonyan and Zisserman 2015, section 3.1, as SlowFast uses it.
    """
    frames = resize_short_side(frames, int(rng.integers(low, high + 1)), upscale=True)
    top = int(rng.integers(frames.shape[1] - size + 1))
    left = int(rng.integers(frames.shape[2] - size + 1))
    return crop(frames, (top, left, size, size))


def random_padded_crop(rng: np.random.Generator, frames: np.ndarray, size: int) -> np.ndarray:
    """A random square crop of `size` pixels from frames of that short side, with a black border.

    The border is an eighth as wide: 4 around 32 pixels, as CIFAR is trained on (He et al. 2016,
    section 4.2).
    """
    frames = resize_short_side(frames, size, upscale=True)
    border = size // 8
    wide = np.pad(frames, ((0, 0), (border, border), (border, border), (0, 0)))
    top = int(rng.integers(wide.shape[1] - size + 1))
    left = int(rng.integers(wide.shape[2] - size + 1))
    return crop(wide, (top, left, size, size))


def flip(frames: np.ndarray) -> np.ndarray:
    """Mirrors left and right; in flow, `[T, H, W, 2 L]`, what moves right then moves left."""
    mirrored = frames[:, :, ::-1]
    if frames.shape[-1] == COLOURS:
        return mirrored
    mirrored = mirrored.copy()
    mirrored[..., ::2] = _LARGEST - mirrored[..., ::2]
    return mirrored


def color_jitter(rng: np.random.Generator, frames: np.ndarray, strength: float) -> np.ndarray:
    """Changes brightness, contrast and saturation by factors in 1 ± strength, uint8 in and out."""
    brightness, contrast, saturation = rng.uniform(1 - strength, 1 + strength, 3)
    clip = frames.astype(np.float32) * np.float32(brightness)
    mean = clip.mean(dtype=np.float64)
    clip = (clip - np.float32(mean)) * np.float32(contrast) + np.float32(mean)
    gray = clip @ np.array([0.299, 0.587, 0.114], np.float32)
    clip = gray[..., None] + (clip - gray[..., None]) * np.float32(saturation)
    return np.rint(clip).clip(0, 255).astype(np.uint8)


def normalize(clip: Any, mean: tuple[float, ...], std: tuple[float, ...]) -> Any:
    """Colours from uint8 0..255 to float32 with the mean and deviation of a network's training.

    Args:
      clip: `[..., 3]`, or of flow `[..., 2 L]`; a NumPy or JAX array.
      mean: of each colour, or of x and y, in [0, 1].
      std: likewise.
    """
    scale = np.asarray([1 / (255 * s) for s in std], np.float32)
    shift = np.asarray([m / s for m, s in zip(mean, std, strict=True)], np.float32)
    if clip.shape[-1] != COLOURS:
        pairs = clip.shape[-1] // len(mean)
        scale, shift = np.tile(scale, pairs), np.tile(shift, pairs)
    return clip.astype(np.float32) * scale - shift


def encode_jpeg(frame: np.ndarray, quality: int = 90) -> bytes:
    """Encodes an RGB frame uint8 `[H, W, 3]`, or a grey one `[H, W]`.

    Raises:
      ValueError: JPEG cannot hold it; no side may be longer than 65,535 pixels.
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
      ValueError: the bytes are neither, damaged, or of more pixels than a frame may have.
    """
    return _decoded(data, cv2.IMREAD_COLOR_RGB)


def decode_grey(data: bytes) -> np.ndarray:
    """As `decode_jpeg`, to a grey picture uint8 `[H, W]`."""
    return _decoded(data, cv2.IMREAD_GRAYSCALE)


def _decoded(data: bytes, kind: int) -> np.ndarray:
    height, width = picture_size(data)
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
