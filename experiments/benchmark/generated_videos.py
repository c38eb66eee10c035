"""Generates videos to measure with, if the user names no folder."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from vidjax.data.encode import write_mp4

FPS = 25
_COUNT = 10


def generated(folder: Path, seconds: float) -> list[Path]:
    """Writes ten videos of 320x240 pixels at 25 frames per second, in H.264 with one keyframe."""
    files = [folder / "any" / f"{index}.mp4" for index in range(_COUNT)]
    for index, file in enumerate(files):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_mp4(file, _moving_texture(np.random.default_rng(index), round(seconds * FPS)), FPS)
    return files


def _moving_texture(rng: np.random.Generator, count: int) -> np.ndarray:
    """Returns a drifting random texture with a little noise, as hard to decode as real video."""
    coarse = rng.integers(0, 256, (60, 80, 3)).astype(np.uint8)
    texture = cv2.resize(coarse, (640, 480), interpolation=cv2.INTER_CUBIC)
    noise = rng.normal(0, 3, (240, 320, 3))
    times = np.arange(count)
    tops = (120 + 100 * np.sin(times / 25)).astype(int)
    lefts = (160 + 140 * np.cos(times / 40)).astype(int)
    views = [texture[tops[time] :][:240, lefts[time] :][:, :320] for time in times]
    return np.stack([np.clip(view + noise, 0, 255) for view in views]).astype(np.uint8)
