"""Clips and heat as text that is small: JPEG, and cells of one byte, both in base64."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from scipy import ndimage

from vidjax.data.transforms import encode_jpeg
from vidjax.explain.back_step import normalize
from vidjax.explain.upsampling import Size, enlarge
from vidjax.settings import shown

# Pixels of the longer side and quality of JPEG, the first that keeps a clip under so many bytes.
CLIP_BYTES = 1_200_000
QUALITIES = ((448, 85), (448, 70), (336, 70), (224, 70), (160, 60))
LINEAR = 1


def clip_text(frames: np.ndarray) -> list[str]:
    """A clip, uint8 `[T, H, W, 3]`, as a JPEG for each frame.

    A clip that is long or large is reduced, so that a page can be sent.

    Raises:
      ValueError: it is no such array.
    """
    given = np.asarray(frames)
    if given.dtype != np.uint8 or given.ndim != 4 or given.shape[-1] != 3 or 0 in given.shape:
        raise ValueError(
            f"frames of shape {given.shape} and type {given.dtype}: a page shows a clip "
            "[T, H, W, 3] of uint8"
        )
    for longest, quality in QUALITIES:
        encoded = list(_jpegs(given, longest, quality))
        if sum(map(len, encoded)) <= CLIP_BYTES:
            break
    return list(map(text, encoded))


def heat_text(volume: Any, most: Size, name: str, *, stretch: bool = False) -> dict[str, Any]:
    """Heat as a size and cells of one byte.

    Args:
      volume: `[T, H, W]` in [0, 1], or in [-1, 1] if it is a difference; of any range with
        `stretch`.
      most: cells that are left of larger volumes, along each axis.
      name: for an error.
      stretch: whether the page scales it by itself, after it is enlarged.

    Raises:
      ValueError: it is no such volume.
    """
    given = np.asarray(volume)
    if given.ndim != 3 or 0 in given.shape or given.dtype.kind not in "fiub":
        raise ValueError(f"heat {name!r} = {shown(volume)}: must be numbers [T, H, W]")
    given = given.astype(np.float32)
    if not np.isfinite(given).all():
        raise ValueError(f"heat {name!r} holds numbers that are not finite")
    more: dict[str, Any] = {}
    if stretch:
        given, more = normalize(given), {"stretch": True, "cells": given.shape}
    elif given.min() < -1 or given.max() > 1:
        raise ValueError(
            f"heat {name!r} goes from {given.min():.3g} to {given.max():.3g}: must be in [0, 1], "
            "or in [-1, 1] for a difference"
        )
    elif given.min() < 0:
        given, more = (given + 1) / 2, {"signed": True}
    levels = (255 * np.clip(coarser(given, most), 0, 1)).round().astype(np.uint8)
    return {"size": levels.shape, "data": text(levels.tobytes()), **more}


def coarser(volume: np.ndarray, most: Size) -> np.ndarray:
    """A volume with no more cells than so many along each axis, laid as those of `enlarge`.

    What is finer than the cells that are left is smoothed before.
    """
    size = tuple(min(own, limit) for own, limit in zip(volume.shape, most, strict=True))
    if size == volume.shape:
        return volume
    steps = [(own - 1) / max(left - 1, 1) for own, left in zip(volume.shape, size, strict=True)]
    smooth = ndimage.gaussian_filter(volume, [(step - 1) / 2 for step in steps], mode="nearest")
    return enlarge(smooth, size, LINEAR)


def text(data: bytes) -> str:
    """Bytes in base64."""
    return base64.b64encode(data).decode("ascii")


def _jpegs(frames: np.ndarray, longest: int, quality: int) -> Iterator[bytes]:
    height, width = frames.shape[1:3]
    scale = min(1.0, longest / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    for frame in frames:
        small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA) if scale < 1 else frame
        yield encode_jpeg(small, quality)
