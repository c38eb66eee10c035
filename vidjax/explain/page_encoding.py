"""Encodes clips and heatmaps as small text: JPEG frames and one byte per cell, in base64."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from scipy import ndimage

from vidjax.data.transforms import encode_jpeg
from vidjax.explain.back_step import normalize
from vidjax.explain.upsampling import Size, upsample
from vidjax.settings import shown

# Longer side in pixels and JPEG quality. The first pair that keeps a clip under CLIP_BYTES is used.
CLIP_BYTES = 1_200_000
QUALITIES = ((448, 85), (448, 70), (336, 70), (224, 70), (160, 60))
LINEAR = 1


def clip_text(frames: np.ndarray) -> list[str]:
    """Encodes a clip, uint8 `[T, H, W, 3]`, as one JPEG per frame.

    Long or large clips are reduced, so that the page stays small enough to send.

    Raises:
      ValueError: the frames are not such an array.
    """
    given = np.asarray(frames)
    if given.dtype != np.uint8 or given.ndim != 4 or given.shape[-1] != 3 or 0 in given.shape:
        raise ValueError(
            f"frames have shape {given.shape} and type {given.dtype}: pass a clip [T, H, W, 3] "
            "of uint8"
        )
    for longest, quality in QUALITIES:
        encoded = list(_jpegs(given, longest, quality))
        if sum(map(len, encoded)) <= CLIP_BYTES:
            break
    return list(map(text, encoded))


def heat_text(volume: Any, most: Size, name: str, *, stretch: bool = False) -> dict[str, Any]:
    """Encodes a heatmap as its size and one byte per cell.

    Args:
      volume: `[T, H, W]` in [0, 1], or in [-1, 1] for a difference. With `stretch`, any range.
      most: the most cells to keep along each axis.
      name: name of the heatmap for errors.
      stretch: whether the page rescales the heatmap after upsampling it.

    Raises:
      ValueError: the volume is not such an array.
    """
    given = np.asarray(volume)
    if given.ndim != 3 or 0 in given.shape or given.dtype.kind not in "fiub":
        raise ValueError(f"heatmap {name!r} = {shown(volume)}: must be numbers [T, H, W]")
    given = given.astype(np.float32)
    if not np.isfinite(given).all():
        raise ValueError(f"heatmap {name!r} contains numbers that are not finite")
    more: dict[str, Any] = {}
    if stretch:
        given, more = normalize(given), {"stretch": True, "cells": given.shape}
    elif given.min() < -1 or given.max() > 1:
        raise ValueError(
            f"heatmap {name!r} ranges from {given.min():.3g} to {given.max():.3g}: must be in "
            "[0, 1], or in [-1, 1] for a difference"
        )
    elif given.min() < 0:
        given, more = (given + 1) / 2, {"signed": True}
    levels = (255 * np.clip(coarser(given, most), 0, 1)).round().astype(np.uint8)
    return {"size": levels.shape, "data": text(levels.tobytes()), **more}


def coarser(volume: np.ndarray, most: Size) -> np.ndarray:
    """Downsamples a volume to at most `most` cells along each axis, aligned as in `upsample`.

    Details finer than the remaining cells are smoothed first.
    """
    size = tuple(min(own, limit) for own, limit in zip(volume.shape, most, strict=True))
    if size == volume.shape:
        return volume
    steps = [(own - 1) / max(left - 1, 1) for own, left in zip(volume.shape, size, strict=True)]
    smooth = ndimage.gaussian_filter(volume, [(step - 1) / 2 for step in steps], mode="nearest")
    return upsample(smooth, size, LINEAR)


def text(data: bytes) -> str:
    """Encodes bytes in base64."""
    return base64.b64encode(data).decode("ascii")


def _jpegs(frames: np.ndarray, longest: int, quality: int) -> Iterator[bytes]:
    height, width = frames.shape[1:3]
    scale = min(1.0, longest / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    for frame in frames:
        small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA) if scale < 1 else frame
        yield encode_jpeg(small, quality)
