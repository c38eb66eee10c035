"""Refuses settings that conflict, or that have no effect because of another setting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vidjax.run.defaults import defaults
from vidjax.run.typed_values import ConfigError
from vidjax.settings import shown
from vidjax.storage.paths import is_url

if TYPE_CHECKING:
    from vidjax.run.config import Config


def check_conflicts(config: Config) -> None:
    """Checks pairs of settings, each of which is allowed by itself.

    Raises:
      ConfigError: names both settings, and the fix.
    """
    _check_batch(config)
    _check_shards(config)
    _check_labels(config)
    _check_schedule(config)
    _check_decay(config)
    _check_frozen(config)
    _check_sides(config)
    _check_flow(config)


def _check_batch(config: Config) -> None:
    if config.train.batch_size % config.train.accumulate:
        raise ConfigError(
            f"train.batch_size = {config.train.batch_size} is not divisible by "
            f"train.accumulate = {config.train.accumulate}"
        )


def _check_shards(config: Config) -> None:
    """Refuses settings of shards and their copies that conflict or have no effect."""
    data, train = config.data, config.train
    if data.cache_gb is not None and not data.cache_dir and not is_url(data.data_dir):
        raise ConfigError(
            f"data.cache_gb = {data.cache_gb:g} has no effect, because data.data_dir = "
            f"{data.data_dir!r} is not a URL and is read in place: leave it out, or set "
            "data.cache_dir to copy shards there"
        )
    if data.shuffle_shards and train.sampling != "uniform":
        raise ConfigError(
            f"data.shuffle_shards = {data.shuffle_shards} with train.sampling = "
            f"{train.sampling!r}: the videos of a class are spread over all shards; set one of "
            "them to its default"
        )
    if data.shuffle_shards and train.batch_size % data.shuffle_shards:
        raise ConfigError(
            f"data.shuffle_shards = {data.shuffle_shards} does not divide train.batch_size = "
            f"{train.batch_size}: each shard gives the same number of rows of a batch"
        )
    if data.shuffle_shards and data.train_per_class:
        raise ConfigError(
            f"data.shuffle_shards = {data.shuffle_shards} with data.train_per_class = "
            f"{data.train_per_class}: the chosen videos are spread over all shards; set one of "
            "them to 0"
        )


def _check_labels(config: Config) -> None:
    """Refuses to weight, balance or thin out classes if a video may have several."""
    one_label = {"class_weights": "none", "sampling": "uniform"}
    for name, value in one_label.items():
        given = getattr(config.train, name)
        if config.data.multi_label and given != value:
            raise ConfigError(
                f"train.{name} = {given!r} with data.multi_label = True: a video may have "
                f"several classes; set train.{name} = {value!r}"
            )
    if config.data.multi_label and config.data.train_per_class:
        raise ConfigError(
            f"data.train_per_class = {config.data.train_per_class} with data.multi_label = True: a "
            "video may have several classes; set data.train_per_class = 0"
        )


def _check_schedule(config: Config) -> None:
    if config.schedule.boundaries and config.schedule.name != "step":
        raise ConfigError(
            f"schedule.boundaries = {config.schedule.boundaries!r} has no effect, because "
            f"schedule.name = {config.schedule.name!r}: leave it out, or set schedule.name to "
            "'step'"
        )
    if config.schedule.cosine_over != "rest" and config.schedule.name != "cosine":
        raise ConfigError(
            f"schedule.cosine_over = {config.schedule.cosine_over!r} has no effect, because "
            f"schedule.name = {config.schedule.name!r}: set it to 'rest', or schedule.name to "
            "'cosine'"
        )


def _check_decay(config: Config) -> None:
    if config.optimizer.decay_recurrent and config.optimizer.decay_norm_and_bias:
        raise ConfigError(
            "optimizer.decay_recurrent = True has no effect, because "
            "optimizer.decay_norm_and_bias = True decays all parameters: leave one of them out"
        )


def _check_frozen(config: Config) -> None:
    train = config.train
    for name in ("frozen", "frozen_batch_norm", "partial_batch_norm"):
        if train.train_only and getattr(train, name):
            raise ConfigError(
                f"train.{name} = {getattr(train, name)!r} has no effect, because "
                f"train.train_only = {train.train_only!r}: leave one of them out"
            )
    if train.frozen_batch_norm and train.partial_batch_norm:
        raise ConfigError(
            "train.partial_batch_norm = True has no effect, because train.frozen_batch_norm = "
            "True: leave one of them out"
        )
    if train.frozen_batch_norm and train.batch_norm != "global":
        raise ConfigError(
            f"train.batch_norm = {train.batch_norm!r} has no effect, because "
            "train.frozen_batch_norm = True: set it to 'global'"
        )


def _check_sides(config: Config) -> None:
    if config.augment.short_side and config.augment.short_side < config.clip.size:
        raise ConfigError(
            f"augment.short_side = {config.augment.short_side} is less than clip.size = "
            f"{config.clip.size}, the size of the crop; make it larger, or 0"
        )


def _check_flow(config: Config) -> None:
    """Refuses settings of flow for RGB input, and settings of colours for flow."""
    data = config.data
    if data.input == "frames":
        usual = defaults().data
        for name in ("flow_method", "flow_bound", "flow_pairs"):
            if (given := getattr(data, name)) != usual[name]:
                raise ConfigError(
                    f"data.{name} = {given!r} has no effect, because data.input = 'frames': leave "
                    "it out, or set data.input to 'flow'"
                )
    elif data.name == "synthetic":
        raise ConfigError(
            "data.input = 'flow' with data.name = 'synthetic': random arrays have no flow; set "
            "data.input to 'frames', or choose a data set of videos"
        )
    else:
        _refuse_colours(config)
    needed, what = (2, "x and y of flow") if data.input == "flow" else (3, "three colours")
    for name in ("mean", "std"):
        given = getattr(config.model, name)
        if given is not None and len(given) != needed:
            raise ConfigError(
                f"model.{name} = {given!r} with data.input = {data.input!r}: expected {needed} "
                f"values, {what}"
            )


def _refuse_colours(config: Config) -> None:
    augment = config.augment
    for name, off in (("color", 0.0), ("chain", 0.0), ("device", False), ("also", {})):
        given = getattr(augment, name)
        if given != off:
            raise ConfigError(
                f"augment.{name} = {shown(given)} with data.input = 'flow': it is for colours, but "
                f"flow is only cropped and mirrored; set augment.{name} to {off!r}"
            )
