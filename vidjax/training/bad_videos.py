"""Counts unreadable videos in training per class, and stops a run that has too many."""

from __future__ import annotations

import collections
from collections.abc import Mapping, Sequence

import jax
import numpy as np
from jax.experimental import multihost_utils

# Stands for the class of damaged records whose class is not known.
UNKNOWN = "(unknown)"
# The number of clips; with multi-label targets, counts per class count some clips several times.
_CLIPS = "(unreadable clips)"


class BadVideosError(ValueError):
    """More clips were unreadable than the budget allows."""


class BadVideos:
    """Counts masked clips.

    Each process notes its own clips. `agree` adds up the counts of all processes.

    Args:
      classes: class names.
      budget: largest fraction of clips that may be unreadable.
      state: counts of an earlier start to continue from.
    """

    # The fraction is meaningless for a handful of clips.
    _FEWEST_CLIPS = 100

    def __init__(
        self, classes: Sequence[str], budget: float, state: Mapping[str, int] | None = None
    ) -> None:
        self._classes = classes
        self._budget = budget
        self.counts: collections.Counter[str] = collections.Counter(state or {"clips": 0})
        self._own: collections.Counter[str] = collections.Counter()

    def note(self, batch: Mapping[str, np.ndarray]) -> None:
        """Counts a batch. With a single process it also calls `agree`.

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
        """Counts clips with multi-label targets."""
        self._own[_CLIPS] += len(unreadable)
        self._own[UNKNOWN] += int(np.sum(~unreadable.any(axis=1)))
        for name, count in zip(self._classes, unreadable.sum(axis=0), strict=True):
            self._own[name] += int(count)

    def agree(self) -> None:
        """Adds up the counts of all processes. All of them must call it after the same batch.

        Raises:
          BadVideosError: the budget is exceeded; the message has the counts per class.
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
                f"{bad} of {clips} training clips could not be read, which is more than "
                f"data.bad_video_budget = {self._budget:g} allows; per class: {per_class}. Remove "
                "the prepared data set and start the same command again"
            )

    @property
    def unreadable(self) -> int:
        """Number of unreadable clips so far."""
        if _CLIPS in self.counts:
            return self.counts[_CLIPS]
        return self.counts.total() - self.counts["clips"]
