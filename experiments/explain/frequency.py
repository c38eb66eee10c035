"""How accuracy depends on the scale of low and of high frequencies."""

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
from vidjax.explain.tables import write_rows
from vidjax.methods.random_mean_scaling import FILTERS
from vidjax.progress import ProgressLine
from vidjax.run.config import Config
from vidjax.run.network import Network
from vidjax.storage.writing import make_folder
from vidjax.trained.scoring import Scorer

from .explained_network import Subject
from .output_files import new_files, write_figure

_SCALES = flags.DEFINE_list(
    "scales", "0,0.25,0.5,0.75,1,1.25,1.5,1.75,2", "frequency: factors of one part"
)
_LOW_PASS = flags.DEFINE_enum(
    "low_pass",
    None,
    FILTERS,
    "frequency: filter that takes the features of all runs apart; if not given, each run's own, "
    "and the mean for a run without",
)


def explain_frequency(
    subjects: Sequence[Subject], output: Path, progress: ProgressLine
) -> list[Path]:
    """Scales the parts of the features in the networks of the runs."""
    scales = _scales(_SCALES.value)
    table, picture = files = new_files(output, "frequency.csv", "frequency.png")
    # All are opened before the first is scored: what does not fit is said at once.
    opened = [(subject.name, *_open(subject, progress)) for subject in subjects]
    make_folder(output)
    points = [point for each in opened for point in _curves(*each, scales, progress)]
    write_rows(table, Point, points)
    write_figure(picture, draw_points(points))
    return files


def _scales(texts: Sequence[str]) -> list[float]:
    try:
        scales = sorted({float(text) for text in texts})
    except ValueError:
        scales = []
    if not scales or not all(map(math.isfinite, scales)):
        raise ValueError(f"--scales={','.join(texts)}: numbers are due, such as 0,0.5,1,1.5,2")
    return scales


def _open(subject: Subject, progress: ProgressLine) -> tuple[Scorer, Any]:
    """What scores the videos, given variables and factors, and the network's variables."""
    if subject.trained.multi_label or subject.config.data.multi_label:
        raise ValueError(
            f"{subject.name} has several labels a video (data.multi_label = True): the curves are "
            "of top-1, which does not score that; explain it with --method=tubes or pyramid"
        )
    experiment = subject.open(progress.count, _with_places(subject.config))
    scorer = Scorer(experiment, _scaled(experiment.network))
    return scorer, subject.trained.variables


def _with_places(config: Config) -> Config:
    """A network trained without Random Mean Scaling gets its places; they hold no parameters."""
    places = config.model.options.get("random_scaling")
    options = {**config.model.options, "random_scaling": {} if places is None else places}
    return dataclasses.replace(config, model=dataclasses.replace(config.model, options=options))


def _scaled(network: Network) -> Callable[[Any, jax.Array], jax.Array]:
    """The network's probabilities, given its variables and both factors, as traced numbers."""
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
