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
from .variance_components import Components, components, over_videos

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
        for metrics that are not means over test videos. If each seed is tested on videos of its
        own, differences between seeds contain those between videos, and it is `over_seeds`.
      p: p-value of the paired t-test over seeds.
      corrected: the same after Holm's correction; `p` itself for the primary contrast.
      videos: for each seed whether each video is right, bool `[2, videos]` with the reference
        first; none for metrics that are not means over videos.
      same_videos: whether all seeds were tested on the same videos.
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
    videos: tuple[np.ndarray, ...]
    same_videos: bool

    @property
    def tests(self) -> tuple[McNemar, ...]:
        """McNemar's test of each seed alone, over the videos of the metric."""
        return tuple(mcnemar(*each) for each in self.videos)

    @property
    def test_videos(self) -> int:
        """Number of test videos of a seed, on average; 0 if the metric is no mean over them."""
        return round(float(np.mean([each.shape[1] for each in self.videos]))) if self.videos else 0

    @property
    def variances(self) -> Components | None:
        """The variances of the difference; None for fewer than two seeds or videos.

        If each seed has videos of its own, everything is variance between seeds.
        """
        if len(self.videos) < 2 or self.test_videos < 2:
            return None
        if not self.same_videos:
            return Components(float(np.var(self.by_seed, ddof=1)), 0.0, 0.0)
        return components(_differences(self.videos))


def videos_of_their_own(contrasts: Sequence[ContrastResult]) -> bool:
    """Returns whether the seeds of any contrast were tested on different videos."""
    return not all(each.same_videos for each in contrasts)


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
    same = _same_videos([frozenset(reference.correct) for reference, _ in pairs])
    p = paired_p(by_seed)
    return ContrastResult(
        contrast,
        contrast == plan.primary,
        len({run.seed for run in plan.runs if run.dataset == contrast.dataset}),
        tuple(seeds),
        tuple(by_seed),
        interval(by_seed),
        _over_videos(by_seed, videos, same),
        p,
        p,
        videos,
        same,
    )


def _same_videos(of_seeds: Sequence[frozenset[str]]) -> bool:
    """Returns whether all seeds have the same test videos; False if each has videos of its own.

    Raises:
      ValueError: the test videos of seeds overlap, but are not the same.
    """
    if len(set(of_seeds)) <= 1:
        return True
    if len(frozenset().union(*of_seeds)) < sum(map(len, of_seeds)):
        raise ValueError(
            "some test videos are those of several seeds, but not of all; test all seeds on the "
            "same videos, or each on videos of its own"
        )
    return False


def _over_videos(by_seed: Sequence[float], videos: Sequence[np.ndarray], same: bool) -> Interval:
    if not videos:
        return Interval(float("nan"), float("nan"))
    return over_videos(_differences(videos)) if same else interval(by_seed)


def _videos(contrast: Contrast, pairs: Sequence[Sequence[Result]]) -> tuple[np.ndarray, ...]:
    """Returns `[2, videos]` of each seed; only timed classes, if the metric is theirs."""
    if contrast.metric not in _OF_VIDEOS:
        return ()
    every = [(reference, aligned(reference, row)) for reference, row in pairs]
    if contrast.metric == "top1":
        return tuple(right for _, right in every)
    return tuple(
        right[:, [video in reference.timed for video in sorted(reference.correct)]]
        for reference, right in every
    )


def _differences(videos: Sequence[np.ndarray]) -> np.ndarray:
    """Returns the row minus its reference, `[seeds, videos]`."""
    return np.subtract(*np.array(videos, float).swapaxes(0, 1)[::-1])
