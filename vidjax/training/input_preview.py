"""What a run feeds its network, for looking at: its batches as they are, and its test views."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from vidjax.data.targets import Label, label_text
from vidjax.data.views import Views
from vidjax.run.config import Config
from vidjax.run.experiment import Experiment, Progress
from vidjax.training import grid
from vidjax.training.plan import Plan
from vidjax.training.step import augmented


@dataclass(frozen=True)
class Fed:
    """Clips as the network gets them, before colours are normalised.

    Attributes:
      clips: uint8 `[N, T, H, W, 3]`; of flow `[N, T, H, W, 2 L]`.
      names: what each is, such as its class.
    """

    clips: np.ndarray
    names: tuple[str, ...]


def training_batch(config: Config, number: int, progress: Progress) -> Fed:
    """Batch `number` of a run, counted from 0, with what the device does to it done.

    Raises:
      ValueError: configuration or data do not fit, or the run has no such batch.
    """
    experiment = Experiment.open(config, progress, training=True)
    network, source = experiment.network, experiment.split(config.data.train_split)
    plan = Plan.of(config, len(source), grid.batch_unit(network))
    if not 0 <= number < plan.total:
        raise ValueError(f"batch {number}: the run has {plan.total}, counted from 0")
    batch: dict[str, Any] = grid.batches(config, source, grid.make_timetable(network, plan))[number]
    if config.augment.device:
        batch = jax.jit(augmented)(batch)
    names = (
        label_text(_label(row), network.classes) if readable else "unreadable"
        for row, readable in zip(batch["label"], batch["mask"], strict=True)
    )
    return Fed(np.asarray(batch["clip"]), tuple(names))


def _label(row: Any) -> Label:
    """The label of a row of a batch: an index, or a yes or no for each class."""
    row = np.asarray(row)
    return tuple(np.flatnonzero(row).tolist()) if row.ndim else int(row)


def test_views(config: Config, video: int, progress: Progress) -> Fed:
    """All views of a video of the evaluation split, by clips and then by crops.

    Raises:
      ValueError: configuration or data do not fit, or the split has no such video.
    """
    experiment = Experiment.open(config, progress)
    views: Views = experiment.network.views
    source = experiment.split(config.eval.split)
    if not 0 <= video < len(source):
        raise ValueError(f"video {video}: split {config.eval.split!r} has {len(source)}, from 0")
    record = source[video]
    cut = np.stack([views.cut(record, clip) for clip in range(views.clips)])
    label = label_text(record.label, experiment.network.classes)
    names = [
        f"{label}, clip {clip + 1}, crop {crop + 1}"
        for clip in range(views.clips)
        for crop in range(views.crops)
    ]
    return Fed(cut.reshape(-1, *cut.shape[2:]), tuple(names))
