"""The evaluation protocol: probabilities averaged over the views of every video, once each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import jax
import numpy as np
from jax.experimental import multihost_utils

Predict = Callable[[Mapping[str, np.ndarray]], np.ndarray]
Progress = Callable[[int], None]


def score_videos(
    predict: Predict,
    batches: Iterable[Mapping[str, np.ndarray]],
    *,
    num_videos: int,
    num_classes: int,
    progress: Progress | None = None,
) -> np.ndarray:
    """Averages class probabilities over all views of each video.

    Args:
      predict: a batch of `vidjax.data.views.view_batches` to probabilities `[B, crops, K]`.
      batches: this process' batches; padding is left out by their `mask`.
      num_videos: videos N in all.
      num_classes: classes K.
      progress: called with the number of batches done.

    Returns:
      Probabilities float64 `[N, K]`, the same on every process.

    Raises:
      ValueError: a video received no view, or not as many as the others.
    """
    sums = np.zeros((num_videos, num_classes))
    views = np.zeros(num_videos, np.int64)
    for done, batch in enumerate(batches, start=1):
        scores = np.asarray(predict(batch), np.float64)
        real = batch["mask"]
        np.add.at(sums, batch["video"][real], scores[real].sum(axis=1))
        np.add.at(views, batch["video"][real], scores.shape[1])
        if progress:
            progress(done)
    if jax.process_count() > 1:
        sums = multihost_utils.process_allgather(sums).sum(axis=0)
        views = multihost_utils.process_allgather(views).sum(axis=0)
    if views.min() != views.max() or views.min() == 0:
        raise ValueError(
            f"videos were seen between {views.min()} and {views.max()} times; each must be seen "
            "equally often, by the batches of one protocol"
        )
    return sums / views[:, None]
