"""What a configuration means: its data, network and devices, for training and after it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jax.experimental import multihost_utils
from jax.sharding import Mesh

import vidjax
from vidjax.data import catalog
from vidjax.data.prepared import PreparedSplit, Record
from vidjax.data.synthetic import SyntheticSplit
from vidjax.data.views import Views
from vidjax.models.cards import ModelCard
from vidjax.training import sharding
from vidjax.training.config import Config, ConfigError
from vidjax.training.optimizer import make_optimizer
from vidjax.training.state import TrainState, init_state

Progress = Callable[[str, int, int], None]


class VideoSource(Protocol):
    """A split: random access to videos, with its class names and what was unreadable."""

    classes: tuple[str, ...]
    manifest_digest: str
    broken: Any

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> Record: ...


def _quiet(what: str, done: int, total: int) -> None:
    del what, done, total


@dataclass(frozen=True)
class Experiment:
    """A configuration and what follows from it.

    Attributes:
      config: the configuration.
      mesh: all devices.
      directory: of the prepared data set; None for synthetic arrays.
    """

    config: Config
    mesh: Mesh
    directory: Path | None

    @classmethod
    def open(cls, config: Config, progress: Progress = _quiet) -> Experiment:
        """Checks the configuration against the devices and prepares its data set.

        Raises:
          ValueError: the data, the network's name or options, or a batch size does not fit.
        """
        mesh = sharding.make_mesh(config.mesh)
        micro = config.train.batch_size // config.train.accumulate
        name = "train.batch_size" if config.train.accumulate == 1 else "a part of train.batch_size"
        sharding.check_batch(name, micro, mesh)
        sharding.check_batch("eval.batch_size", config.eval.batch_size, mesh)
        vidjax.create_model(config.model.name, num_classes=2, **config.model.options)
        return cls(config, mesh, _prepare(config, progress))

    def split(self, name: str) -> VideoSource:
        """A split of the data set.

        Raises:
          ValueError: the data set has no such split, or it is empty.
        """
        if self.directory is not None:
            return PreparedSplit(self.directory, name)
        try:
            return SyntheticSplit(**self.config.data.options, seed=hash_of(name))
        except TypeError as error:
            raise ConfigError(f"data.options for synthetic: {error}") from None

    @functools.cached_property
    def classes(self) -> tuple[str, ...]:
        """Class names, index by index."""
        return self.split(self.config.data.train_split).classes

    @property
    def card(self) -> ModelCard:
        """Facts of the network, among them its colour normalisation."""
        return vidjax.model_card(self.config.model.name)

    @functools.cached_property
    def model(self) -> nn.Module:
        """The network."""
        return vidjax.create_model(
            self.config.model.name,
            num_classes=len(self.classes),
            dtype=jnp.dtype(self.config.dtype),
            **self._norm_option(),
            **self.config.model.options,
        )

    def _norm_option(self) -> dict[str, int]:
        choice = self.config.train.batch_norm
        micro = self.config.train.batch_size // self.config.train.accumulate
        if choice == "global":
            return {}
        if choice == "per_device":
            return {"norm_group_size": micro // self.mesh.size}
        if isinstance(choice, int) and 0 < choice <= micro and micro % choice == 0:
            return {"norm_group_size": choice}
        raise ConfigError(
            f"train.batch_norm = {choice!r}: 'global', 'per_device' or a number of clips that "
            f"divides the {micro} of a batch"
        )

    @property
    def clip_shape(self) -> tuple[int, int, int, int]:
        """`(T, H, W, 3)` of a training clip."""
        clip = self.config.clip
        return (clip.frames, clip.size, clip.size, 3)

    @property
    def views(self) -> Views:
        """The evaluation protocol."""
        evaluation = self.config.eval
        return Views(evaluation.clips, evaluation.crops, evaluation.size, self.config.clip)

    def optimizer(self, rate: optax.Schedule) -> optax.GradientTransformationExtraArgs:
        """The optimiser with a learning-rate schedule."""
        return make_optimizer(self.config.optimizer, rate)

    def init(self, optimizer: optax.GradientTransformation) -> tuple[TrainState, Any]:
        """The first state and its shardings."""
        return init_state(
            self.model,
            optimizer,
            (1, *self.clip_shape),
            seed=self.config.seed,
            ema=self.config.train.ema > 0,
            mesh=self.mesh,
        )


def hash_of(name: str) -> int:
    """A number that stands for a name, the same in every process."""
    return sum(ord(letter) * 31**place for place, letter in enumerate(name)) % 2**31


def _prepare(config: Config, progress: Progress) -> Path | None:
    data = config.data
    if data.name == "synthetic":
        return None
    request = catalog.Request(
        data_dir=Path(data.data_dir),
        storage=catalog.Storage(data.short_side, data.fps, data.quality, data.bad_video_budget),
        manifest=data.manifest,
        root=data.root,
        allow_group_leak=data.allow_group_leak,
        workers=data.workers,
        options=data.options,
        progress=progress,
    )
    # One process writes; the others then find the data set complete.
    if jax.process_index() == 0:
        catalog.prepare(data.name, request)
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices("prepared")
    return catalog.prepare(data.name, request)
