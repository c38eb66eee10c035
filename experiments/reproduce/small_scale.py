"""The scales `small` and `smoke`: data sets, optimiser and protocol that all tables share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ml_collections import ConfigDict

from vidjax.configs import common
from vidjax.data.marionette import TIMED

from .table import Setup

Configure = Callable[[str], ConfigDict]
SEEDS = (0, 1, 2)
_SIZE = 36


def small(model: str, options: Mapping[str, Any], frames: int, stride: int) -> ConfigDict:
    """Returns a configuration for one core without its duration: SGD on clips of 36x36 pixels.

    Args:
      model: name of the network.
      options: options of the network and of the row.
      frames: number of frames per clip.
      stride: distance between frames.
    """
    config = common.base()
    config.model.update({"name": model, "options": dict(options)})
    config.data.update({"short_side": 40, "threads": 1})
    config.clip.update({"frames": frames, "stride": stride, "size": _SIZE})
    config.train.batch_size = 8
    config.optimizer.update({"lr": 0.05, "weight_decay": 5e-4})
    config.every.update({"log": "1 epochs", "checkpoint": "50%", "evaluate": "100%", "keep": 1})
    # Three clips over time, as in figure 3 of the RMS paper.
    config.eval.update({"clips": 3, "crops": 1, "size": _SIZE, "batch_size": 32})
    return config


def temporal(model: str, options: Mapping[str, Any], rate: float) -> ConfigDict:
    """Does the same as `small` for methods over time: clips of 12 frames, and AdamW.

    Features are multiplied by recurrent states that are close to zero at first, and so are all
    gradients below them. SGD with learning rates from 0.05 to 0.5 learned nothing in these few
    steps.

    Args:
      model: name of the network.
      options: options of the network and of the row.
      rate: learning rate.
    """
    config = small(model, options, frames=12, stride=3)
    config.optimizer.update({"name": "adamw", "lr": rate, "weight_decay": 0.01})
    return config


def marionette(small: Configure, duration: str, note: str, minutes: float = 0) -> Setup:
    """Sets up the generated data set of the demo: 768 training videos and 192 test videos."""

    def configure(row: str) -> ConfigDict:
        config = small(row)
        config.data.options = {"train_per_class": 48, "test_per_class": 12, "seed": 0}
        config.train.duration = duration
        return config

    return Setup(configure, SEEDS, note, TIMED, minutes=minutes)


def jhmdb(small: Configure, duration: str, note: str, minutes: float = 0) -> Setup:
    """Sets up real videos: 561 for training and 185 for testing, from other sources."""

    def configure(row: str) -> ConfigDict:
        config = small(row)
        config.train.duration = duration
        return config

    text = f"Folds 0 to 2 train, fold 3 tests. {note}"
    return Setup(configure, SEEDS, text, minutes=minutes)


def smoke(small: Configure) -> Setup:
    """Sets up two steps on a few generated videos, to test the code."""

    def configure(row: str) -> ConfigDict:
        config = small(row)
        config.data.options = {"train_per_class": 2, "test_per_class": 1, "seed": 0}
        config.model.options.update({"width": 4, "depths": (0, 0, 1, 1)})
        config.train.update({"batch_size": 8, "duration": "2 steps"})
        return config

    note = "Two steps: a test of the code, whose numbers mean nothing."
    return Setup(configure, (0,), note, TIMED)
