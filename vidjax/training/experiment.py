"""What a configuration means: its network and its data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vidjax.data import catalog
from vidjax.data.prepared import PreparedSplit, VideoSource
from vidjax.data.sides import refuse_mirrors
from vidjax.data.synthetic import SyntheticSplit
from vidjax.training import sharding
from vidjax.training.config import Config, ConfigError
from vidjax.training.network import Network
from vidjax.training.processes import after_first

Progress = Callable[[str, int, int], None]
_SYNTHETIC_SEEDS = {"train": 0, "val": 1, "test": 2}


@dataclass(frozen=True)
class Experiment:
    """A configuration with its network and its data set.

    Attributes:
      config: the configuration.
      network: its network.
      directory: of the prepared data set; None for synthetic arrays.
    """

    config: Config
    network: Network
    directory: Path | None

    @classmethod
    def open(cls, config: Config, progress: Progress) -> Experiment:
        """Checks the configuration against the devices, then prepares its data set.

        Raises:
          ValueError: the data, the network's name or options, or a batch size does not fit.
        """
        mesh = Network.of(config, ("any",)).mesh
        part = config.train.batch_size // config.train.accumulate
        name = "train.batch_size" if config.train.accumulate == 1 else "a part of train.batch_size"
        sharding.check_batch(name, part, mesh)
        sharding.check_batch("eval.batch_size", config.eval.batch_size, mesh)
        directory = _prepare(config, progress)
        classes = _split(config, directory, config.data.train_split).classes
        return cls(config, Network.of(config, classes), directory)

    def check_mirroring(self) -> None:
        """Refuses to train on mirrored clips where labels tell left from right.

        Raises:
          ValueError: names two of the labels and what to set.
        """
        augment = self.config.augment
        if augment.flip and not augment.flip_sided:
            setting = f"augment.flip = {augment.flip:g}"
            refuse_mirrors(self.network.classes, setting, "augment.flip=0")

    def split(self, name: str) -> VideoSource:
        """A split of the data set.

        Raises:
          ValueError: the data set has no such split.
        """
        return _split(self.config, self.directory, name)


def _split(config: Config, directory: Path | None, name: str) -> VideoSource:
    if directory is not None:
        return PreparedSplit(directory, name)
    try:
        return SyntheticSplit(**config.data.options, seed=_SYNTHETIC_SEEDS.get(name, 3))
    except TypeError as error:
        raise ConfigError(f"data.options for synthetic: {error}") from None


def _prepare(config: Config, progress: Progress) -> Path | None:
    data = config.data
    if data.name == "synthetic":
        return None
    request = catalog.Request(
        data_dir=Path(data.data_dir),
        storage=catalog.Storage(data.short_side, data.fps, data.quality, data.bad_video_budget),
        manifest=data.manifest,
        root=data.root,
        manual_dir=data.manual_dir,
        verdicts=data.verdicts,
        allow_group_leak=data.allow_group_leak,
        workers=data.workers,
        options=data.options,
        progress=progress,
    )
    return after_first(lambda: catalog.prepare(data.name, request), f"preparing {data.name}")
