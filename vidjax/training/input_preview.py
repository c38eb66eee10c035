"""Shows the input of a network: the batches of a run, or the test views of a video."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from vidjax.data.targets import Label, label_text
from vidjax.data.views import Views
from vidjax.run.config import Config
from vidjax.run.experiment import Experiment, Progress
from vidjax.training import multigrid
from vidjax.training.plan import Plan
from vidjax.training.step import augmented


@dataclass(frozen=True)
class InputPreview:
    """Clips as the network gets them, before colours are normalised.

    Attributes:
      clips: uint8 `[N, T, H, W, 3]`; for flow `[N, T, H, W, 2 L]`.
      names: a name for each clip, such as its class.
    """

    clips: np.ndarray
    names: tuple[str, ...]


def training_batch(config: Config, number: int, progress: Progress) -> InputPreview:
    """Returns batch `number` of a run, counted from 0, after augmentation on the device.

    Raises:
      ValueError: the configuration or the data do not fit, or the run has no such batch.
    """
    experiment = Experiment.open(config, progress, training=True)
    network, source = experiment.network, experiment.split(config.data.train_split)
    plan = Plan.of(config, len(source), multigrid.batch_unit(network))
    if not 0 <= number < plan.total:
        raise ValueError(f"batch {number}: the run has {plan.total} batches, counted from 0")
    batch: dict[str, Any] = multigrid.batches(
        config, source, multigrid.make_schedule(network, plan)
    )[number]
    if config.augment.device:
        batch = jax.jit(augmented)(batch)
    names = (
        label_text(_label(row), network.classes) if readable else "unreadable"
        for row, readable in zip(batch["label"], batch["mask"], strict=True)
    )
    return InputPreview(np.asarray(batch["clip"]), tuple(names))


def _label(row: Any) -> Label:
    """Returns the label of a row of a batch: an index, or all indices of a multi-label row."""
    row = np.asarray(row)
    return tuple(np.flatnonzero(row).tolist()) if row.ndim else int(row)


def test_views(config: Config, video: int, progress: Progress) -> InputPreview:
    """Returns all views of a video of the evaluation split, clip by clip and crop by crop.

    Raises:
      ValueError: the configuration or the data do not fit, or the split has no such video.
    """
    experiment = Experiment.open(config, progress)
    views: Views = experiment.network.views
    source = experiment.split(config.eval.split)
    if not 0 <= video < len(source):
        raise ValueError(
            f"video {video}: split {config.eval.split!r} has {len(source)} videos, counted from 0"
        )
    record = source[video]
    cut = np.stack([views.cut(record, clip) for clip in range(views.clips)])
    label = label_text(record.label, experiment.network.classes)
    names = [
        f"{label}, clip {clip + 1}, crop {crop + 1}"
        for clip in range(views.clips)
        for crop in range(views.crops)
    ]
    return InputPreview(cut.reshape(-1, *cut.shape[2:]), tuple(names))
