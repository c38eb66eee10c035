"""Data sets and settings that the tables `evidence.*` share.

marionette has 48 training, 32 validation and 128 test videos of each of 16 classes. Each split has
its own performers. On the 2,048 test videos, differences of two points can be detected.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ml_collections import ConfigDict

from vidjax.data.marionette import TIMED

from .small_scale import Configure, smoke
from .table import Row, Setup, Tuning

VIDEOS = {"train_per_class": 48, "val_per_class": 32, "test_per_class": 128, "seed": 0}
_OF_SMOKE = {"train_per_class": 2, "val_per_class": 1, "test_per_class": 1, "seed": 0}


def marionette(
    configure: Configure,
    seeds: int,
    note: str,
    *,
    train_per_class: int = 0,
    tuning: Tuning | None = None,
    rows: tuple[Row, ...] = (),
    minutes: float = 0,
) -> Setup:
    """Sets up the generated data set.

    Args:
      configure: takes a row's name and returns its configuration.
      seeds: number of seeds; they are 0, 1, 2 and so on.
      note: as in `Setup`.
      train_per_class: the most training videos of a class; 0 takes all 48.
      tuning: as in `Setup`.
      rows: as in `Setup`.
      minutes: as in `Setup`.
    """

    def configured(row: str) -> ConfigDict:
        config = configure(row)
        config.data.update({"options": dict(VIDEOS), "train_per_class": train_per_class})
        return config

    return Setup(configured, tuple(range(seeds)), note, TIMED, rows, minutes, tuning)


def on_gpu(configure: Configure, options: Mapping[str, Any]) -> Configure:
    """Enlarges configurations for one GPU: clips of 112x112 pixels, batches of 64, bfloat16.

    Args:
      configure: takes a row's name and returns its configuration.
      options: options of the network that replace those of two cores.
    """

    def configured(row: str) -> ConfigDict:
        config = configure(row)
        config.dtype = "bfloat16"
        config.model.options.update(options)
        config.data.update({"short_side": 128, "threads": 8})
        config.clip.size = config.eval.size = 112
        config.eval.batch_size = config.train.batch_size = 64
        return config

    return configured


def smoke_of(
    setups: Mapping[str, Setup],
    options: Mapping[str, Any] | None = None,
    of_row: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Setup]:
    """Returns setups that train two steps on a few videos, to test the code of the given setups.

    Args:
      setups: the setups, by data set.
      options: options of the network that replace the smallest ones.
      of_row: options of single rows, for rows that would be alike with the smallest ones.
    """
    return {name: _smoke(setup, options or {}, of_row or {}) for name, setup in setups.items()}


def _smoke(
    setup: Setup, options: Mapping[str, Any], of_row: Mapping[str, Mapping[str, Any]]
) -> Setup:
    def configured(row: str) -> ConfigDict:
        config = shrunk(row)
        config.data.update({"options": dict(_OF_SMOKE), "train_per_class": 0})
        config.model.options.update({**options, **of_row.get(row, {})})
        return config

    shrunk: Callable[[str], ConfigDict] = smoke(setup.config).config
    rates = setup.tuning and Tuning(setup.tuning.rates[:2], ("2 steps",))
    return Setup(
        configured, (0,), "Two steps, to test the code.", setup.timed, setup.rows, 0, rates
    )
