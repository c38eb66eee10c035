"""The prediction of a network for a video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Prediction:
    """The prediction of a network for a video or a piece of it.

    Attributes:
      start: seconds from the video's first frame.
      end: seconds, exclusive; None is the end of the video.
      probabilities: probabilities of the classes, float32 `[K]`.
    """

    start: float
    end: float | None
    probabilities: np.ndarray

    def top(self, labels: Sequence[str], count: int = 5) -> list[tuple[str, float]]:
        """Returns the most likely classes with their probabilities, best first.

        Args:
          labels: names of the K classes.
          count: how many classes to return.
        """
        order = np.argsort(-self.probabilities, kind="stable")[:count]
        return [(labels[k], float(self.probabilities[k])) for k in order]
