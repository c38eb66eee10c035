"""Synthetic videos with the interface of a prepared split, for training without video files."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import numpy as np

from vidjax.data.record import Record
from vidjax.data.transforms import encode_jpeg
from vidjax.settings import check, whole

OPTIONS = {
    "num_classes": whole(1, 1_000_000),
    "videos": whole(1, 1_000_000_000),
    "seed": whole(0, 2**63 - 1),
    "frames": whole(1, 65_536),
    "size": whole(1, 4096),
}


class SyntheticSplit:
    """Noise videos whose mean brightness is their class. The same seed gives the same videos.

    >>> split = SyntheticSplit(num_classes=2, videos=4, frames=8, size=16)
    >>> split[3].label, split[3].decode(np.array([0, 1])).shape
    (1, (2, 16, 16, 3))

    Args:
      num_classes: number of classes.
      videos: number of videos.
      seed: seed of the noise.
      frames: frames per video.
      size: height and width in pixels.

    Raises:
      ValueError: a number is out of its range.
    """

    multi_label = False

    def __init__(
        self,
        num_classes: int = 10,
        videos: int = 64,
        seed: int = 0,
        frames: int = 32,
        size: int = 128,
    ) -> None:
        given = {"num_classes": num_classes, "videos": videos, "frames": frames, "size": size}
        check(given | {"seed": seed}, OPTIONS, "data.options.")
        self.classes = tuple(f"brightness {index}" for index in range(num_classes))
        self.manifest_digest = f"synthetic-{num_classes}-{videos}-{seed}-{frames}-{size}"
        self.broken: Sequence[Mapping[str, str]] = ()
        self._videos = videos
        self._seed = seed
        self._shape = (frames, size, size, 3)
        self._record = functools.lru_cache(maxsize=256)(self._make)

    def __len__(self) -> int:
        return self._videos

    def __getitem__(self, index: int) -> Record:
        return self._record(int(index))

    def labels(self) -> np.ndarray:
        """Returns the class index of each video, int `[N]`."""
        return np.arange(len(self)) % len(self.classes)

    def __repr__(self) -> str:
        return f"SyntheticSplit({self.manifest_digest})"

    def _make(self, index: int) -> Record:
        rng = np.random.default_rng((self._seed, index))
        label = index % len(self.classes)
        level = 40 + 175 * (label + 0.5) / len(self.classes)
        noise = rng.normal(level, 25, self._shape).clip(0, 255).astype(np.uint8)
        jpegs = [encode_jpeg(frame) for frame in noise]
        return Record(jpegs=jpegs, label=label, name=f"synthetic-{index}", fps=25.0)
