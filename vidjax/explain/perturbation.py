"""Scores a network on partly hidden clips, for perturbation maps.

Clips go through the network in batches of bounded memory, however many there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from vidjax.explain.blank_clips import blank_clip
from vidjax.explain.compiled_passes import logits_pass
from vidjax.explain.map_types import Progress
from vidjax.explain.traced_network import TracedNetwork
from vidjax.settings import one_of, shown

SCORE = one_of("probability", "logit")
OVER = one_of("spacetime", "time", "space")
# The most clips per batch, and the most numbers in them: 64 MB in float32.
_CLIPS, _NUMBERS = 8, 2**24


@dataclass(frozen=True)
class Perturbed:
    """A clip that is shown to a network in part.

    Attributes:
      network: from `trace_network`.
      variables: the model's variables.
      clip: `[1, T, H, W, 3]`.
      class_index: the class to score.
      score: `probability` or `logit`.
      blank: what replaces the hidden parts, as in `blank_clips.blank_clip`.
    """

    network: TracedNetwork
    variables: Any
    clip: Any
    class_index: int
    score: str = "probability"
    blank: str = "grey"

    def answers(
        self, masks: Iterable[np.ndarray], count: int, progress: Progress | None = None
    ) -> Iterator[tuple[np.ndarray, float]]:
        """Yields each mask with the class's score when only the masked part is shown.

        Args:
          masks: masks in [0, 1], of shapes that broadcast to `[T, H, W]`; 1 is shown, 0 is blank.
          count: number of masks.
          progress: called with the number of finished passes and the total.
        """
        plain = np.asarray(self.clip, np.float32)
        blank = blank_clip(plain, self.blank)
        size = max(1, min(_NUMBERS // plain.size, _CLIPS))
        done = 0
        for batch in _batched(masks, size):
            # Only one batch shape is compiled, so the last batch is padded.
            shown_in = np.zeros((size, *plain.shape[1:]), plain.dtype)
            for place, mask in enumerate(batch):
                shown_in[place] = (blank + mask[..., None] * (plain - blank))[0]
            scores = self._scores(shown_in)
            done += len(batch)
            if progress:
                progress(done, count)
            yield from zip(batch, map(float, scores), strict=False)

    def _scores(self, clips: np.ndarray) -> np.ndarray:
        given = clips.astype(self.clip.dtype)
        logits = np.asarray(logits_pass(self.network)(self.variables, given), np.float64)
        scores = logits if self.score == "logit" else special.softmax(logits, axis=-1)
        own: np.ndarray = scores[:, self.class_index]
        return own


def extents_of(
    over: str, time: tuple[str, int | None], space: tuple[str, int | None]
) -> tuple[bool, bool]:
    """Returns whether a map varies in time, and whether it varies in space.

    Args:
      over: `spacetime`, `time` or `space`.
      time: name and value of a setting that has an effect only in time.
      space: name and value of a setting that has an effect only in space.

    Raises:
      ValueError: a setting is given that has no effect.
    """
    for alone, (name, value) in (("space", time), ("time", space)):
        if over == alone and value is not None:
            raise ValueError(f"{name} = {shown(value)} has no effect with over = {over!r}")
    return over != "space", over != "time"


def _batched(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    batch = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
