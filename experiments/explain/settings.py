"""Settings that several ways of explaining have in common."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from absl import flags

from experiments import command_line
from vidjax.run.config import Config, from_mapping
from vidjax.run.experiment import Experiment, Progress
from vidjax.run.workdir import read_classes, read_config

CHECKPOINT = flags.DEFINE_string("checkpoint", "last", "a step, best or last")
_DATA = flags.DEFINE_string(
    "data_dir", None, "frequency, gates, truth: where prepared videos are kept, or to be prepared"
)


def config_of(run: Path) -> Config:
    """The configuration of a run, with the folder of prepared videos that the command line names.

    Raises:
      ValueError: there is no run, or its configuration is damaged.
    """
    config = from_mapping(read_config(run))
    data = dataclasses.replace(config.data, data_dir=_DATA.value or config.data.data_dir)
    return dataclasses.replace(config, data=data)


def open_experiment(run: Path, config: Config, progress: Progress) -> Experiment:
    """The network and the data set of a run, which is prepared only where `--data_dir` says.

    Raises:
      ValueError: the data set is not prepared, or does not fit.
    """
    return Experiment.open(
        config,
        progress,
        classes=read_classes(run),
        unprepared=command_line.unless_named("data_dir", config.data.data_dir),
    )
