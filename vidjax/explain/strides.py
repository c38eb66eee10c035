"""Measures how a network's accuracy depends on the stride between the frames of a test clip.

The thesis introduces temporal gates for motions of varying duration (chapter 4). At a larger stride
actions look faster, at a smaller one slower. The measurement is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vidjax.evaluation.metrics import top_k


@dataclass(frozen=True)
class StridePoint:
    """A run's accuracy at one stride; the columns of `strides.csv`.

    Attributes:
      run: name of the run.
      stride: stride between the frames of a test clip.
      training_stride: stride of the clips that the run was trained on.
      top1: fraction of correct videos.
      correct: number of correct videos.
      videos: number of videos.
    """

    run: str
    stride: int
    training_stride: int
    top1: float
    correct: int
    videos: int


def stride_point(
    run: str, stride: int, training_stride: int, scores: np.ndarray, labels: np.ndarray
) -> StridePoint:
    """Computes a run's accuracy at one stride.

    Args:
      run: name of the run.
      stride: stride of the test clips.
      training_stride: stride of the clips that the run was trained on.
      scores: scores `[N, K]` of N videos.
      labels: their classes, int `[N]`.
    """
    top1, videos = top_k(scores, labels, 1), len(labels)
    return StridePoint(run, stride, training_stride, top1, round(top1 * videos), videos)


def stride_drop(points: Sequence[StridePoint]) -> float:
    """Computes how much accuracy a run loses at strides that it was not trained with.

    It is the accuracy at the stride of the training minus the mean accuracy at the other strides.

    Args:
      points: the points of one run, with that of its own stride and others.

    Raises:
      ValueError: the run's own stride is missing, or there is no other.

    Examples:
      >>> points = [
      ...     StridePoint("a", stride, 2, top1, int(10 * top1), 10)
      ...     for stride, top1 in ((1, 0.6), (2, 0.9), (4, 0.4))
      ... ]
      >>> round(stride_drop(points), 3)
      0.4
    """
    own = [point.top1 for point in points if point.stride == point.training_stride]
    others = [point.top1 for point in points if point.stride != point.training_stride]
    if len(own) != 1 or not others:
        raise ValueError("a drop needs the stride of the training and at least one other")
    return own[0] - float(np.mean(others))
