"""Batches of clips for your own training or evaluation loop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grain
import jax
import numpy as np
from ml_collections import ConfigDict

from vidjax import configs
from vidjax.data.pipeline import Batch, prefetch
from vidjax.data.transforms import normalize
from vidjax.data.views import view_batches
from vidjax.progress import ProgressLine
from vidjax.run.config import Config, from_mapping, to_mapping
from vidjax.run.defaults import defaults
from vidjax.run.experiment import Experiment, SplitError
from vidjax.run.network import Network
from vidjax.run.processes import is_first
from vidjax.training import multigrid
from vidjax.training.plan import Plan
from vidjax.training.step import augmented


@dataclass(frozen=True)
class Clips:
    """Batches by number. Batch k is the same each time; iterating reads ahead.

    A batch holds `clip` `[B, T, H, W, 3]`, `label` int32 `[B]` (an index into `classes`) and `mask`
    bool `[B]`. The mask is False for rows to ignore: unreadable videos and padding of the last
    batch. With `data={"multi_label": True}`, labels are float32 `[B, C]`, 1 for each class of the
    video and 0 for the others. For evaluation a batch also holds `video` int32 `[B]`, the number of
    the video that a row is a view of.

    Attributes:
      config: the whole configuration.
      classes: names of the classes.
      training: whether clips are drawn at random and augmented. If not, each video comes once, in
        the views of `config.eval`.
      normalized: whether clips are float32 with normalised colours; else they are uint8.
      length: number of batches.
    """

    config: Config = field(repr=False)
    classes: tuple[str, ...]
    training: bool
    normalized: bool
    length: int
    _network: Network = field(repr=False)
    _batches: grain.MapDataset = field(repr=False)

    def __len__(self) -> int:
        """Returns the number of batches over all epochs."""
        return self.length

    def __getitem__(self, number: int) -> Batch:
        """Returns batch `number`, counted from 0; with several processes, this one's part."""
        if not 0 <= number < self.length:
            raise IndexError(f"batch {number} of {self.length}")
        return self._finished(self._batches[number])

    def __iter__(self) -> Iterator[Batch]:
        """Yields all batches in order; threads decode ahead."""
        batches = prefetch(self._batches[: self.length], self.config.data.threads)
        yield from map(self._finished, batches)

    def _finished(self, batch: Batch) -> Batch:
        """Applies the steps that training and evaluation do on the device."""
        if self.training and self.config.augment.device:
            batch = jax.device_get(jax.jit(augmented)(batch))
        if not self.training:
            batch = _by_view(batch)
        if self.normalized:
            batch = batch | {
                "clip": normalize(batch["clip"], self._network.mean, self._network.std)
            }
        return batch


def clips(
    source: str | Path | Mapping[str, Any] | ConfigDict | Config,
    split: str = "",
    *,
    training: bool | None = None,
    batch_size: int | None = None,
    epochs: int = 1,
    normalized: bool = True,
    **settings: Mapping[str, Any],
) -> Clips:
    """Loads batches of clips from videos, for your own loop.

        for batch in vidjax.clips("videos.csv", batch_size=8, clip={"frames": 8, "size": 64}):
            logits = model.apply(variables, batch["clip"], train=False)

    Videos are decoded once and stored under `data.data_dir`, as `vidjax train` does. Separate
    processes decode them, so call this under `if __name__ == "__main__"` in a script.

    Args:
      source: a folder of videos or a CSV, or a configuration: the name of one of vidjax's, such as
        `demo`, a configuration file, or a result of `get_config`.
      split: name of the split. Empty is `data.train_split` for training and `eval.split` otherwise.
      training: whether clips are drawn at random and augmented. None is True for every split except
        `eval.split`.
      batch_size: videos per batch, over all processes. None takes it from the configuration.
      epochs: how often each video comes in training; in evaluation it comes once.
      normalized: return float32 clips with normalised colours; False returns uint8.
      **settings: groups of settings to change, such as `clip={"frames": 8}`.

    Returns:
      The batches, as a sequence.

    Raises:
      ValueError: the source, split or setting does not exist, or the videos do not fit.

    Examples:
      >>> import vidjax
      >>> data = vidjax.clips("synthetic", batch_size=4, clip={"frames": 4, "size": 32})
      >>> batch = data[0]  # also: for batch in data
      >>> len(data), batch["clip"].shape, str(batch["clip"].dtype), str(batch["label"].dtype)
      (16, (4, 4, 32, 32, 3), 'float32', 'int32')
    """
    config = _configured(source, settings)
    if training is None:
        training = split != config.eval.split
    config = _changed(config, split, training, batch_size, epochs)
    experiment = _opened(config, split, training)
    videos = experiment.split(config.data.train_split if training else config.eval.split)
    network = experiment.network
    if training:
        plan = Plan.of(config, len(videos), multigrid.batch_unit(network))
        batches, length = (
            multigrid.batches(config, videos, multigrid.make_schedule(network, plan)),
            plan.total,
        )
    else:
        batches = view_batches(
            videos,
            network.views,
            batch_size=config.eval.batch_size,
            process_index=jax.process_index(),
            process_count=jax.process_count(),
        )
        length = len(batches)
    return Clips(config, network.classes, training, normalized, length, network, batches)


def _opened(config: Config, split: str, training: bool) -> Experiment:
    """Opens the network and the videos; an error about the split names the argument."""
    with ProgressLine(silent=not is_first()) as progress:
        try:
            return Experiment.open(config, progress.count, training=training)
        except SplitError as error:
            if error.split != split:
                raise
            raise ValueError(
                f"split = {split!r}: the videos are in the splits {', '.join(error.known)}"
            ) from None


def _configured(source: Any, settings: Mapping[str, Mapping[str, Any]]) -> Config:
    mapping = to_mapping(_config_of(source))
    for group, changes in settings.items():
        if not isinstance(changes, Mapping):
            raise ValueError(
                f"{group} = {changes!r}: pass a group of settings by name, such as "
                "clip={'frames': 8}"
            )
        mapping[group] = {**mapping.get(group, {}), **changes}
    return from_mapping(mapping)


def _config_of(source: Any) -> Config:
    if isinstance(source, Config):
        return source
    if not isinstance(source, (str, Path)):
        return from_mapping(source)
    name, _, argument = str(source).partition(":")
    if name in configs.names() or name.endswith(".py"):
        return from_mapping(configs.load(name)(argument or None))
    own = defaults()
    own.data.update({"name": "video_folder", "manifest": str(source)})
    return from_mapping(own)


def _changed(
    config: Config, split: str, training: bool, batch_size: int | None, epochs: int
) -> Config:
    mapping = to_mapping(config)
    if split:
        group, name = ("data", "train_split") if training else ("eval", "split")
        mapping[group][name] = split
    if batch_size is not None:
        mapping["train" if training else "eval"]["batch_size"] = batch_size
    mapping["train"]["duration"] = f"{epochs} epochs"
    return from_mapping(mapping)


def _by_view(batch: Batch) -> Batch:
    """Turns evaluation batches `[B, S, ...]` into one row per view, `[B * S, ...]`."""
    rows, crops = batch["clip"].shape[:2]
    flat = {
        name: np.repeat(values, crops, axis=0) for name, values in batch.items() if name != "clip"
    }
    return flat | {"clip": batch["clip"].reshape(rows * crops, *batch["clip"].shape[2:])}
