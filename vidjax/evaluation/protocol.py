"""The evaluation protocol: averages probabilities over the views of every video."""

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
      predict: maps a batch of `vidjax.data.views.view_batches` to probabilities `[B, crops, K]`.
      batches: this process' batches. Their `mask` excludes padding.
      num_videos: number of videos N.
      num_classes: number of classes K.
      progress: called with the number of finished batches.

    Returns:
      Probabilities float64 `[N, K]`, the same on every process.

    Raises:
      ValueError: a video had no view, or another number of views than the others.
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
        sums, views = _of_all_processes(sums, views)
    if views.min() != views.max() or views.min() == 0:
        raise ValueError(
            f"videos have between {views.min()} and {views.max()} views; the batches of one "
            "protocol must have the same number of views of each video"
        )
    return sums / views[:, None]


def _of_all_processes(sums: np.ndarray, views: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Adds up `[N, K]` sums and `[N]` views of all processes; each sends the videos it has seen."""
    seen = np.flatnonzero(views)
    most = int(multihost_utils.process_allgather(np.array(len(seen))).max())
    # Padding repeats a video with nothing to add.
    own = np.zeros((most, sums.shape[1] + 2))
    own[: len(seen)] = np.column_stack([seen, views[seen], sums[seen]])
    # Sent as bytes, because a float64 would become a float32 on devices.
    every = multihost_utils.process_allgather(own.view(np.uint8)).view(np.float64)
    video, count, values = np.split(every.reshape(-1, own.shape[1]), [1, 2], axis=1)
    sums, views = np.zeros_like(sums), np.zeros_like(views)
    np.add.at(sums, video[:, 0].astype(int), values)
    np.add.at(views, video[:, 0].astype(int), count[:, 0].astype(int))
    return sums, views
