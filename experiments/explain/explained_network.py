"""The networks to explain, and flags that several methods share."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from absl import flags

from vidjax.run.config import Config, from_mapping
from vidjax.run.experiment import Experiment, Progress
from vidjax.run.network import Network
from vidjax.run.sharding import adapt_to_devices
from vidjax.run.workdir import read_config
from vidjax.storage.paths import as_path
from vidjax.terminal import complain
from vidjax.trained.sources.run import open_run
from vidjax.trained.trained_network import Trained

from .. import command_line, help_text, network_flags

_DATA = flags.DEFINE_string(
    "data_dir",
    None,
    "FOLDER: For frequency, gates and faithfulness: folder of the prepared data set. If the data "
    "set is not there, it is prepared there.",
)
MAPS = flags.DEFINE_list(
    "maps",
    [],
    "MAP,...: For maps and faithfulness: the maps, such as cam,rise:masks=300,"
    "saliency_tube:tau=0.5, or `all`. By default maps draws saliency_tube and grad_cam, and "
    "faithfulness measures all.",
)
LAYER = flags.DEFINE_string(
    "layer",
    None,
    "LAYER: For maps: layer to draw over, such as layer3 or layer3/block1/conv2. For pyramid and "
    "kernels: layer at which the pyramid ends.",
)
_CONFIG = network_flags.define_config(of_run=False)
help_text.group("Data set", _DATA)
help_text.group("Maps", MAPS, LAYER)


@dataclass(frozen=True)
class Subject:
    """A network to explain.

    Attributes:
      name: its name on the command line.
      config: configuration of its run, or one that fits its weights.
      trained: the network.
      workdir: directory of its run; None for weights.
    """

    name: str
    config: Config
    trained: Trained
    workdir: Path | None = None

    def __post_init__(self) -> None:
        self.trained.preprocessing.require_frames("an explanation")

    def require_single_label(self, why: str) -> None:
        """Refuses a network or data with several labels per video.

        Raises:
          ValueError: the network or the data is multi-label; `why` says what that rules out.
        """
        if self.trained.multi_label or self.config.data.multi_label:
            raise ValueError(
                f"{self.name} has several labels per video (data.multi_label = True), and {why}; "
                "explain it with --method=tubes or pyramid"
            )

    def network(self, config: Config | None = None) -> Network:
        """Builds its network, or that of another configuration with the same parameters."""
        return Network.of(config or self.config, self.trained.labels)

    def open(
        self,
        progress: Progress,
        config: Config | None = None,
        mapping: Mapping[str, str] | None = None,
    ) -> Experiment:
        """Opens the network and its data set.

        A run may belong to someone else, so its data set is prepared only in the folder that
        `--data_dir` names.

        Args:
          progress: called with the progress of preparing the data set.
          config: configuration to open; None is the run's.
          mapping: the network's class for each label of the data set, where they differ.

        Raises:
          ValueError: the data set is not prepared, or does not fit.
        """
        config, unprepared = config or self.config, ""
        if self.workdir:
            unprepared = command_line.unless_named("data_dir", config.data.data_dir)
        classes = self.trained.labels
        return Experiment.open(
            config, progress, classes=classes, mapping=mapping, unprepared=unprepared
        )


def subjects() -> list[Subject]:
    """Opens the networks that `--workdir` and `--weights` name, runs first.

    Raises:
      ValueError: none is named, or one cannot be opened.
    """
    if found := [*_runs(), *_weights()]:
        return found
    raise ValueError(
        "name what to explain: runs with --workdir, or weights with --weights, separated by commas"
    )


def _runs() -> Iterator[Subject]:
    for name in _names(network_flags.WORKDIR.value):
        if any(command_line.named_settings()):
            raise ValueError(
                "--config settings are for --weights alone; a run is explained as it is"
            )
        yield subject_of_run(name)


def subject_of_run(name: str) -> Subject:
    """Opens the network of a run's directory.

    Raises:
      ValueError: it cannot be opened.
    """
    config, notes = adapt_to_devices(from_mapping(read_config(as_path(name))))
    complain(*notes)
    config = _in_folder(config)
    trained = open_run(as_path(name), config, network_flags.CHECKPOINT.value)
    return Subject(name, config, trained, as_path(name))


def _weights() -> Iterator[Subject]:
    for name in _names(network_flags.WEIGHTS.value):
        config, trained = network_flags.of_weights(name, _CONFIG.value)
        yield Subject(name, _in_folder(config), trained)


def _names(text: str | None) -> list[str]:
    return list(dict.fromkeys(filter(None, (text or "").split(","))))


def _in_folder(config: Config) -> Config:
    """Sets the folder of prepared videos to that of the command line."""
    data = dataclasses.replace(config.data, data_dir=_DATA.value or config.data.data_dir)
    return dataclasses.replace(config, data=data)
