"""Measures how accuracy depends on the scale of low and high frequencies of the features."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
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
from vidjax.run.network import Network
from vidjax.storage.writing import make_folder
from vidjax.trained.scoring import Scorer

from .. import help_text
from .explained_network import Subject
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
help_text.group("Frequency", _SCALES, _LOW_PASS)


def explain_frequency(
    subjects: Sequence[Subject], output: Path, progress: ProgressLine
) -> list[Path]:
    """Measures accuracy while one part of the features is scaled, for each run."""
    scales = _scales(_SCALES.value)
    table, picture = files = new_files(output, "frequency.csv", "frequency.png")
    # All are opened before the first is scored, so that errors come at once.
    opened = [(subject.name, *_open(subject, progress)) for subject in subjects]
    make_folder(output)
    points = [point for each in opened for point in _curves(*each, scales, progress)]
    write_table(table, Point, points)
    write_figure(picture, draw_points(points))
    return files


def _scales(texts: Sequence[str]) -> list[float]:
    try:
        scales = sorted({float(text) for text in texts})
    except ValueError:
        scales = []
    if not scales or not all(map(math.isfinite, scales)):
        raise ValueError(f"--scales={','.join(texts)}: must be numbers, such as 0,0.5,1,1.5,2")
    return scales


def _open(subject: Subject, progress: ProgressLine) -> tuple[Scorer, Any]:
    """Returns a scorer, which takes variables and factors, and the network's variables."""
    if subject.trained.multi_label or subject.config.data.multi_label:
        raise ValueError(
            f"{subject.name} has several labels per video (data.multi_label = True), and top-1 "
            "does not apply to it; explain it with --method=tubes or pyramid"
        )
    experiment = subject.open(progress.count, _with_places(subject.config))
    scorer = Scorer(experiment, _scaled(experiment.network))
    return scorer, subject.trained.variables


def _with_places(config: Config) -> Config:
    """Adds the places of Random Mean Scaling, which have no parameters, to any network."""
    places = config.model.options.get("random_scaling")
    options = {**config.model.options, "random_scaling": {} if places is None else places}
    return dataclasses.replace(config, model=dataclasses.replace(config.model, options=options))


def _scaled(network: Network) -> Callable[[Any, jax.Array], jax.Array]:
    """Returns a function from (variables, factors) and a clip to probabilities."""
    low_pass = _LOW_PASS.value

    def probabilities(given: Any, clip: jax.Array) -> jax.Array:
        variables, (low, high) = given
        with scaled_parts(low, high, low_pass):
            return network.probabilities(variables, clip)

    return probabilities


def _curves(
    name: str, scorer: Scorer, variables: Any, scales: Sequence[float], progress: ProgressLine
) -> list[Point]:
    settings = settings_of(scales)
    scores, labels = scorer.score_each(
        [(variables, setting.factors) for setting in settings],
        lambda done, total: progress.show(f"{name}: {done}/{total}", final=done == total),
    )
    return points_of(name, settings, scores, labels)
