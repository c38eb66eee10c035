"""Writes real videos with two independent attributes, and a CSV that lists them."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np

from tests.videos import write_video

CLASSES = ("bright", "moving")


def attributed_frames(
    rng: np.random.Generator, bright: bool, moving: bool, count: int = 8, side: int = 32
) -> np.ndarray:
    """Returns frames uint8 `[T, S, S, 3]`: a light or dark bar on noise that moves or is still."""
    ground = rng.uniform(130, 170) if bright else rng.uniform(40, 80)
    frames = rng.normal(ground, 8, (count, side, side, 3))
    start = rng.integers(side)
    for number, frame in enumerate(frames):
        place = (start + 3 * number * moving) % side
        frame[:, np.arange(place, place + 4) % side] = 230
    return frames.clip(0, 255).astype(np.uint8)


def write_attributed(root: Path, train: int, test: int, seed: int = 0) -> Path:
    """Writes a number of videos for each of the four combinations; returns the CSV."""
    rng = np.random.default_rng(seed)
    rows = ["path,labels,split"]
    for split, count in (("train", train), ("test", test)):
        for bright, moving in itertools.product((False, True), repeat=2):
            labels = [name for name, has in zip(CLASSES, (bright, moving), strict=True) if has]
            for number in range(count):
                name = f"{split}/{'_'.join(labels) or 'nothing'}_{number}.mp4"
                write_video(root / name, attributed_frames(rng, bright, moving))
                rows.append(f"{name},{'; '.join(labels) or '(none)'},{split}")
    table = root / "videos.csv"
    table.write_text("\n".join([*rows, ""]))
    return table
