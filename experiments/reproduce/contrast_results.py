"""The results of a plan's contrasts: intervals, p-values, and McNemar's test for each seed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vidjax.evaluation.significance import McNemar, mcnemar

from ..runs.seed_statistics import holm, paired_p
from ..runs.statistics import Interval, interval
from .contrasts import Contrast
from .plan import Plan
from .results import Result
from .variance_components import over_videos

# Metrics that are means over test videos, so that other videos can be drawn.
_OF_VIDEOS = ("top1", "timed_top1")


@dataclass(frozen=True)
class ContrastResult:
    """A contrast, and its result over the finished seeds.

    Attributes:
      contrast: the contrast.
      primary: whether it is the table's primary contrast.
      planned: number of seeds in the plan.
      seeds: seeds that both rows have finished.
      by_seed: difference of each of these seeds.
      over_seeds: their mean with the 95 % Student-t interval.
      over_videos: their mean with the mixed model's 95 % interval for other seeds and videos; NaN
        for metrics that are not means over test videos.
      p: p-value of the paired t-test over seeds.
      corrected: the same after Holm's correction; `p` itself for the primary contrast.
      videos: whether each video is right, `[seeds, 2, videos]` with the reference first; no videos
        for metrics that are not means over them.
    """

    contrast: Contrast
    primary: bool
    planned: int
    seeds: tuple[int, ...]
    by_seed: tuple[float, ...]
    over_seeds: Interval
    over_videos: Interval
    p: float
    corrected: float
    videos: np.ndarray

    @property
    def tests(self) -> tuple[McNemar, ...]:
        """McNemar's test of each seed alone, over the videos of the metric."""
        return tuple(mcnemar(*each) for each in self.videos)

    @property
    def differences(self) -> np.ndarray:
        """The row minus its reference, `[seeds, videos]`."""
        return _differences(self.videos)


def evaluate(plan: Plan, results: Sequence[Result]) -> list[ContrastResult]:
    """Evaluates the contrasts of a plan, in order.

    Raises:
      ValueError: runs of a seed were tested on different videos.
    """
    finished = {
        (result.run.dataset, result.run.row, result.run.seed): result
        for result in results
        if result.state == "finished"
    }
    found = [_one(plan, each, finished) for each in plan.contrasts]
    others = [each for each in found if not each.primary]
    corrected = iter(holm([each.p for each in others]))
    return [
        each if each.primary else dataclasses.replace(each, corrected=next(corrected))
        for each in found
    ]


def aligned(reference: Result, row: Result) -> np.ndarray:
    """Returns whether each test video is right, bool `[2, videos]`, with the reference first.

    Raises:
      ValueError: the runs were tested on different videos.
    """
    if reference.correct.keys() != row.correct.keys():
        raise ValueError(
            f"{reference.run.workdir} and {row.run.workdir} were tested on different videos"
        )
    videos = sorted(reference.correct)
    return np.array([[result.correct[video] for video in videos] for result in (reference, row)])


def _one(
    plan: Plan, contrast: Contrast, finished: Mapping[tuple[str, str, int], Result]
) -> ContrastResult:
    seeds = [
        seed
        for dataset, row, seed in finished
        if (dataset, row) == (contrast.dataset, contrast.row)
        and (dataset, contrast.reference, seed) in finished
    ]
    pairs = [
        [finished[contrast.dataset, row, seed] for row in (contrast.reference, contrast.row)]
        for seed in seeds
    ]
    by_seed = [
        getattr(row, contrast.metric) - getattr(reference, contrast.metric)
        for reference, row in pairs
    ]
    videos = _videos(contrast, pairs)
    unknown = Interval(float("nan"), float("nan"))
    p = paired_p(by_seed)
    return ContrastResult(
        contrast,
        contrast == plan.primary,
        len({run.seed for run in plan.runs if run.dataset == contrast.dataset}),
        tuple(seeds),
        tuple(by_seed),
        interval(by_seed),
        over_videos(_differences(videos)) if videos.size else unknown,
        p,
        p,
        videos,
    )


def _videos(contrast: Contrast, pairs: Sequence[Sequence[Result]]) -> np.ndarray:
    """Returns `[seeds, 2, videos]`; only timed classes, if the metric is theirs."""
    if not pairs or contrast.metric not in _OF_VIDEOS:
        return np.zeros((0, 2, 0), bool)
    first = pairs[0][0]
    for reference, _ in pairs:
        aligned(first, reference)
    every = np.array([aligned(*pair) for pair in pairs])
    if contrast.metric != "timed_top1":
        return every
    return every[..., [video in first.timed for video in sorted(first.correct)]]


def _differences(videos: np.ndarray) -> np.ndarray:
    return np.subtract(*videos.astype(float).swapaxes(0, 1)[::-1])
