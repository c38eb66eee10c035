"""Videos that cannot be read while training: counted per class, within a budget."""

from __future__ import annotations

import collections
from collections.abc import Mapping, Sequence

import jax
import numpy as np
from jax.experimental import multihost_utils

# The class of damaged records that nothing tells the class of.
UNKNOWN = "(unknown)"
# Counts clips where those of all classes would count some clips several times.
_CLIPS = "(unreadable clips)"


class BadVideosError(ValueError):
    """More clips than the budget allows could not be read."""


class BadVideos:
    """Counts masked clips.

    Each process notes its own; what all of them have noted is added up in `agree`.

    Args:
      classes: class names.
      budget: largest fraction of clips that may be unreadable.
      state: counts of an earlier run to go on from.
    """

    # Fractions of a handful of clips say nothing.
    _FEWEST_CLIPS = 100

    def __init__(
        self, classes: Sequence[str], budget: float, state: Mapping[str, int] | None = None
    ) -> None:
        self._classes = classes
        self._budget = budget
        self.counts: collections.Counter[str] = collections.Counter(state or {"clips": 0})
        self._own: collections.Counter[str] = collections.Counter()

    def note(self, batch: Mapping[str, np.ndarray]) -> None:
        """Counts a batch; a process that is alone agrees with itself at once.

        Raises:
          BadVideosError: as `agree`.
        """
        self._own["clips"] += len(batch["mask"])
        unreadable = batch["label"][~batch["mask"]]
        if unreadable.ndim > 1:
            self._note_several(unreadable)
        else:
            self._own.update(self._classes[each] if each >= 0 else UNKNOWN for each in unreadable)
        if jax.process_count() == 1:
            self.agree()

    def _note_several(self, unreadable: np.ndarray) -> None:
        """Counts clips whose labels are rows of yes and no."""
        self._own[_CLIPS] += len(unreadable)
        self._own[UNKNOWN] += int(np.sum(~unreadable.any(axis=1)))
        for name, count in zip(self._classes, unreadable.sum(axis=0), strict=True):
            self._own[name] += int(count)

    def agree(self) -> None:
        """Adds up what the processes have noted; all of them call it after the same batch.

        Raises:
          BadVideosError: the budget is exceeded; counts per class are in the message.
        """
        names = ("clips", *self._classes, UNKNOWN, _CLIPS)
        noted = np.array([self._own[name] for name in names])
        if jax.process_count() > 1:
            noted = multihost_utils.process_allgather(noted).sum(axis=0)
        self.counts.update({name: int(n) for name, n in zip(names, noted, strict=True) if n})
        self._own.clear()
        bad, clips = self.unreadable, self.counts["clips"]
        if clips >= self._FEWEST_CLIPS and bad > self._budget * clips:
            per_class = {name: self.counts[name] for name in names[1:-1] if self.counts[name]}
            raise BadVideosError(
                f"{bad} of {clips} training clips could not be read, above data.bad_video_budget "
                f"= {self._budget:g}; per class: {per_class}. Remove the prepared data set, "
                "and start the same command again"
            )

    @property
    def unreadable(self) -> int:
        """Unreadable clips so far."""
        if _CLIPS in self.counts:
            return self.counts[_CLIPS]
        return self.counts.total() - self.counts["clips"]
