"""A network's answers to clips of which parts are taken away: what perturbation maps are made of.

Clips go through the network in batches whose memory is bounded, whatever their number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from vidjax.explain.blank_clips import blank_of
from vidjax.explain.compiled_passes import logits_pass
from vidjax.explain.map_types import Progress
from vidjax.explain.traced_network import TracedNetwork
from vidjax.settings import one_of, shown

SCORE = one_of("probability", "logit")
OVER = one_of("spacetime", "time", "space")
# Clips of a batch, and numbers in them at most: 64 MB in float32.
_CLIPS, _NUMBERS = 8, 2**24


@dataclass(frozen=True)
class Perturbed:
    """A clip that is shown to a network in part.

    Attributes:
      network: of `trace_network`.
      variables: as the model takes them.
      clip: `[1, T, H, W, 3]`.
      class_index: whose score is asked for.
      score: `probability` or `logit`.
      blank: what stands where nothing is shown, as in `blanks.blank_of`.
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
        """Masks, each with the score of the class where it alone is shown.

        Args:
          masks: in [0, 1], of shapes that broadcast to `[T, H, W]`; 1 is shown, 0 is blank.
          count: of the masks.
          progress: told the passes that are done.
        """
        plain = np.asarray(self.clip, np.float32)
        blank = blank_of(plain, self.blank)
        size = max(1, min(_NUMBERS // plain.size, _CLIPS))
        done = 0
        for batch in _batched(masks, size):
            # One shape of batches is compiled: the last one is filled up.
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
    """Whether a map tells places apart in time, and in space.

    Args:
      over: `spacetime`, `time` or `space`.
      time: a setting's name and value, that has an effect in time alone.
      space: likewise in space.

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
