"""Measures how accuracy depends on the scale of low and high frequencies of the features."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
from absl import flags

from vidjax.explain.frequency import Point, points_of, scaled_parts, settings_of
from vidjax.explain.frequency_plot import draw_points
from vidjax.explain.tables import write_table
from vidjax.methods.random_mean_scaling import FILTERS
from vidjax.progress import ProgressLine
from vidjax.run.config import Config
from vidjax.run.experiment import Experiment
from vidjax.storage.writing import make_folder, write_text
from vidjax.trained.recalibration import recalibrate, statistics_of
from vidjax.trained.scoring import Scorer

from .. import help_text
from . import seeds
from .explained_network import Subject
from .frequency_over_seeds import Curves, RelianceRow, draw, reliance_rows, render
from .output_files import new_files, write_figure

_SCALES = flags.DEFINE_list(
    "scales", "0,0.25,0.5,0.75,1,1.25,1.5,1.75,2", "FACTOR,...: Factors that one part is scaled by."
)
_LOW_PASS = flags.DEFINE_enum(
    "low_pass",
    None,
    FILTERS,
    "Filter that splits the features of all runs into low and high frequencies. By default each "
    "run has its own filter, and `mean` if it was trained without one.",
)
_RECALIBRATE = flags.DEFINE_integer(
    "recalibrate",
    0,
    "Number of training clips from which batch statistics are estimated anew at each scale. By "
    "default they stay as they were trained.",
    0,
)
help_text.group("Frequency", _SCALES, _LOW_PASS, _RECALIBRATE)


def explain_frequency(
    subjects: Sequence[Subject], output: Path, progress: ProgressLine
) -> list[Path]:
    """Measures accuracy while one part of the features is scaled, for each run."""
    scales = _scales(_SCALES.value)
    names = ["frequency.csv", "frequency.png"]
    if comparable := 1 in scales and len(scales) > 1:
        names += ["reliance.csv", "reliance.md", "reliance.png"]
    else:
        progress.note("reliance is left out: --scales needs 1 and other scales for it")
    files = new_files(output, *names)
    # All are opened before the first is scored, so that errors come at once.
    opened = {subject.name: _Opened.open(subject, progress) for subject in subjects}
    make_folder(output)
    points = {name: own.points(name, scales, progress) for name, own in opened.items()}
    every = [point for own in points.values() for point in own]
    write_table(files[0], Point, every)
    write_figure(files[1], draw_points(every))
    if comparable:
        configs = {subject.name: subject.config for subject in subjects}
        _write_reliance(_networks(configs, points), files[2:])
    return files


def _networks(configs: Mapping[str, Config], points: Mapping[str, Sequence[Point]]) -> list[Curves]:
    """Groups the points of runs that differ only in their seed."""
    groups = seeds.networks({name: seeds.Member(config) for name, config in configs.items()})
    return [
        Curves(network, {configs[run].seed: points[run] for run in runs})
        for network, runs in groups.items()
    ]


def _write_reliance(networks: Sequence[Curves], files: Sequence[Path]) -> None:
    table, text, picture = files
    estimated = f"estimated anew at each scale from {_RECALIBRATE.value} training clips"
    statistics = estimated if _RECALIBRATE.value else "as trained"
    write_table(table, RelianceRow, reliance_rows(networks))
    write_text(text, render(networks, statistics))
    write_figure(picture, draw(networks))


def _scales(texts: Sequence[str]) -> list[float]:
    try:
        scales = sorted({float(text) for text in texts})
    except ValueError:
        scales = []
    if not scales or not all(map(math.isfinite, scales)):
        raise ValueError(f"--scales={','.join(texts)}: must be numbers, such as 0,0.5,1,1.5,2")
    return scales


ShowDone = Callable[[int, int], None]


@dataclass(frozen=True)
class _Opened:
    """A network with scalable parts, its data, and its variables."""

    experiment: Experiment
    scorer: Scorer
    variables: Any

    @classmethod
    def open(cls, subject: Subject, progress: ProgressLine) -> _Opened:
        subject.require_single_label("top-1 does not apply to it")
        experiment = subject.open(progress.count, _with_places(subject.config))
        scorer = Scorer(experiment, _scaled(experiment.network.probabilities))
        return cls(experiment, scorer, subject.trained.variables)

    def points(self, name: str, scales: Sequence[float], progress: ProgressLine) -> list[Point]:
        """Evaluates the network at each scale of each part."""

        def show(what: str) -> ShowDone:
            return lambda done, total: progress.show(
                f"{name}: {what}{done}/{total}", final=done == total
            )

        settings = settings_of(scales)
        # Both curves pass through the unchanged network, which is evaluated once.
        factors = list(dict.fromkeys(setting.factors for setting in settings))
        scores, labels = self.scorer.score_each(self._variants(factors, show), show(""))
        of_setting = [factors.index(setting.factors) for setting in settings]
        return points_of(name, settings, scores[of_setting], labels)

    def _variants(
        self, factors: Sequence[tuple[float, float]], show: Callable[[str], ShowDone]
    ) -> list[tuple[Any, tuple[float, float]]]:
        """Pairs each factor with the network's variables, which may get statistics of their own."""
        variants = [(self.variables, pair) for pair in factors]
        if not _RECALIBRATE.value:
            return variants
        statistics = _scaled(functools.partial(statistics_of, self.experiment.network))
        found = recalibrate(
            self.experiment, variants, statistics, _RECALIBRATE.value, show("statistics ")
        )
        return [
            ({**self.variables, "batch_stats": own}, pair)
            for own, pair in zip(found, factors, strict=True)
        ]


def _with_places(config: Config) -> Config:
    """Adds the places of Random Mean Scaling, which have no parameters, to any network."""
    places = config.model.options.get("random_scaling")
    options = {**config.model.options, "random_scaling": {} if places is None else places}
    return dataclasses.replace(config, model=dataclasses.replace(config.model, options=options))


def _scaled(of_clip: Callable[[Any, jax.Array], Any]) -> Callable[[Any, jax.Array], Any]:
    """Turns a function of variables and a clip into one of (variables, factors) and a clip."""
    low_pass = _LOW_PASS.value

    def scaled(given: Any, clip: jax.Array) -> Any:
        variables, (low, high) = given
        with scaled_parts(low, high, low_pass):
            return of_clip(variables, clip)

    return scaled
