"""Runs a sweep whose combinations Optuna chooses."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from ml_collections import ConfigDict

from vidjax.progress import ProgressLine

from .combination import Combination, combine
from .execution import carry_out
from .metric import Metric
from .optuna_space import Range, Space
from .optuna_study import Study, Trial
from .plan import Plan
from .results import Summary, read_result


def corners(base: ConfigDict, space: Space, split: str) -> list[Combination]:
    """Returns combinations that test a space: both ends of each range, and every value.

    Raises:
      ConfigError: a setting is unknown, or a value is not allowed.
    """
    most = max(len(one.ends) for one in space.values())
    return [
        combine(
            base,
            {path: one.ends[min(place, len(one.ends) - 1)] for path, one in space.items()},
            split,
        )
        for place in range(most)
    ]


def varied(space: Space) -> dict[str, object]:
    """Returns a space as JSON types, for the plan."""
    return {
        path: dataclasses.asdict(one) if isinstance(one, Range) else list(one.ends)
        for path, one in space.items()
    }


def tune(
    plan: Plan,
    base: ConfigDict,
    space: Space,
    *,
    trials: int,
    split: str,
    workers: int,
    metric: Metric,
    progress: ProgressLine,
) -> Plan:
    """Asks Optuna for settings, trains their runs and reports the mean scores to Optuna.

    Args:
      plan: plan of the sweep, without combinations.
      base: the configuration without the settings.
      space: search space.
      trials: number of trials in all, including those of earlier starts.
      split: split to evaluate.
      workers: number of runs at a time; enough trials are chosen at once to keep all of them busy.
      metric: metric to maximise or minimise.
      progress: shows how far it is.

    Returns:
      The plan with a combination for each trial.
    """
    seed = int(base.seed)
    study = Study(plan.folder, space, maximize=metric.sign > 0, seed=seed)
    together = math.ceil(workers / plan.seeds)
    while (left := trials - len(study.told)) > 0:
        asked = study.next(min(together, left))
        tried = _combinations(base, asked, split, progress)
        batch = dataclasses.replace(plan, combinations=list(tried.values()))
        before = f"trials {len(study.told)}/{trials}: "
        carry_out(batch.runs, plan.folder, workers, metric, progress, before)
        for trial in asked:
            known = tried.get(trial.number)
            study.tell(trial, _score(batch, known, metric) if known else None)
    found = _combinations(base, study.told, split, progress)
    return dataclasses.replace(plan, combinations=list(found.values()))


def _combinations(
    base: ConfigDict, trials: Sequence[Trial], split: str, progress: ProgressLine
) -> dict[int, Combination]:
    """Returns the combinations by trial number, without those that are not allowed."""
    found = {}
    for trial in trials:
        try:
            found[trial.number] = combine(base, trial.settings, split, f"trial {trial.number}")
        except ValueError as error:
            progress.note(f"trial {trial.number} is not allowed: {error}")
    return found


def _score(plan: Plan, combination: Combination, metric: Metric) -> float | None:
    """Returns the mean over all seeds; None if a seed is not finished or the mean is not finite."""
    results = [read_result(run, metric) for run in plan.of(combination)]
    mean = Summary(combination, results).over_seeds.mean
    whole: Sequence[bool] = [result.state == "finished" for result in results]
    return mean if all(whole) and math.isfinite(mean) else None
