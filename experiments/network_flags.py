"""Flags that name a trained network: `--workdir` for a run, `--weights` for other weights."""

from __future__ import annotations

import dataclasses
import sys
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
from absl import flags
from ml_collections import ConfigDict, config_dict, config_flags

from vidjax.configs import common
from vidjax.data.class_list import read_class_list
from vidjax.data.transforms import COLOURS
from vidjax.models.interface import channels_of
from vidjax.run.config import Config, from_mapping, to_mapping
from vidjax.run.network import Network
from vidjax.run.processes import is_first
from vidjax.run.sharding import adapt_to_devices
from vidjax.run.workdir import read_config
from vidjax.storage.paths import as_path
from vidjax.terminal import complain
from vidjax.trained.open_weights import HELP, open_weights
from vidjax.trained.sources.run import open_run, preprocessing_of
from vidjax.trained.trained_network import Trained

from . import command_line, help_text
from .config_groups import with_groups
from .evaluation_files import folder_of

WORKDIR = flags.DEFINE_string("workdir", None, "RUN: Work directory of a training run.")
WEIGHTS = flags.DEFINE_string("weights", None, f"WEIGHTS: Weights to use instead of a run: {HELP}.")
CHECKPOINT = flags.DEFINE_string(
    "checkpoint", "last", "STEP: Checkpoint of the run: a step, `best` or `last`."
)
CLASS_NAMES = flags.DEFINE_string(
    "class_names",
    None,
    "FILE: Names of the classes of --weights: a text file with one name per line, or a CSV with a "
    "column `class`.",
)
help_text.group("Network", WORKDIR, CHECKPOINT, WEIGHTS, CLASS_NAMES)
_ONE = "name a run with --workdir, or weights with --weights, such as --weights=i3d:kinetics400"


def define_config(*, of_run: bool = True) -> flags.FlagHolder:
    """Defines `--config` with the settings of the run, or with settings that fit the weights.

    Args:
      of_run: whether the command line may change settings of a run.
    """
    known = _given(sys.argv) if of_run else common.base().to_dict()
    return config_flags.DEFINE_config_dict(
        "config",
        with_groups(ConfigDict(_typed(known)), command_line.named_settings()),
        "Settings of the run or the weights, for this command alone.",
        accept_new_attributes=True,
        lock_config=False,
    )


def define_config_or_file() -> flags.FlagHolder:
    """Defines `--config` as `define_config` does if a run or weights are named, else as a file."""
    names = {name for name, _ in command_line.named(sys.argv)}
    return define_config() if names & {"workdir", "weights"} else command_line.config_file()


def configured(settings: ConfigDict | None) -> Config:
    """Returns the configuration of a file, a run or weights.

    Raises:
      ValueError: none is named, or the weights cannot be opened.
    """
    if WORKDIR.value and WEIGHTS.value:
        raise ValueError(f"both --workdir and --weights: {_ONE}")
    if settings is None:
        raise ValueError("name a configuration with --config, a run with --workdir, or --weights")
    return of_weights(WEIGHTS.value, settings)[0] if WEIGHTS.value else from_mapping(settings)


def opened(settings: ConfigDict) -> tuple[Config, Trained]:
    """Opens the network that the command line names, and returns it with its configuration.

    Args:
      settings: value of `--config`.

    Raises:
      ValueError: nothing is named, or it cannot be opened.
    """
    if bool(WORKDIR.value) == bool(WEIGHTS.value):
        raise ValueError(f"both --workdir and --weights: {_ONE}" if WORKDIR.value else _ONE)
    if WEIGHTS.value:
        return of_weights(WEIGHTS.value, settings)
    if CLASS_NAMES.value:
        raise ValueError("--class_names is for --weights alone: a run has the names of its classes")
    config, notes = adapt_to_devices(from_mapping(settings), set(command_line.named_settings()))
    if is_first():
        complain(*notes)
    return config, open_run(as_path(WORKDIR.value), config, CHECKPOINT.value)


def of_weights(text: str, settings: ConfigDict) -> tuple[Config, Trained]:
    """Opens weights, and returns a configuration that fits them and the network.

    Args:
      text: the weights, as `--weights` takes them.
      settings: value of `--config`; other settings are those that the weights were trained with.

    Raises:
      ValueError: there are no such weights, or a setting does not fit them.
    """
    options = from_mapping(settings).model.options
    trained = _named(open_weights(text, options))
    named = set(command_line.named_settings())
    mapping = to_mapping(from_mapping(settings))
    for path, value in _suiting(trained, mapping["eval"]["size"] if "eval.size" in named else 0):
        group, _, name = path.partition(".")
        if path not in named:
            mapping[group][name] = value
    mapping["model"]["options"] = dict(trained.options)
    config = from_mapping(mapping)
    network = Network.of(config, trained.labels)
    return config, dataclasses.replace(
        trained,
        model=network.module,
        preprocessing=preprocessing_of(network),
        clips=config.eval.clips,
        crops=config.eval.crops,
    )


def folder() -> Path:
    """Returns the run's directory, or the folder for results of the weights."""
    return as_path(WORKDIR.value) if WORKDIR.value else folder_of(WEIGHTS.value)


def _named(trained: Trained) -> Trained:
    """Returns the network with the class names of the command line."""
    if not CLASS_NAMES.value:
        return trained
    names = read_class_list(as_path(CLASS_NAMES.value))
    if len(names) != trained.num_classes:
        raise ValueError(
            f"{CLASS_NAMES.value} names {len(names)} classes; {trained.source} has "
            f"{trained.num_classes}"
        )
    return dataclasses.replace(trained, classes=names)


def _suiting(trained: Trained, size: int) -> Iterator[tuple[str, Any]]:
    """Yields settings that fit the weights, for crops of `size` pixels; 0 is the weights' size."""
    seen = trained.preprocessing
    scale = (size or seen.size) / seen.size
    short_side = round(seen.short_side * scale)
    yield "model.name", trained.name
    channels = channels_of(trained.model)
    if channels != COLOURS:
        yield "data.input", "flow"
        yield "data.flow_pairs", channels // 2
        for name in ("method", "bound") if seen.flow else ():
            yield f"data.flow_{name}", getattr(seen.flow, name)
    # The mean and std of three colours mean nothing to a network of optical flow.
    if (len(seen.mean) == COLOURS) == (channels == COLOURS):
        yield "model.mean", seen.mean
        yield "model.std", seen.std
    yield "data.name", "video_folder"
    yield "data.fps", seen.fps
    yield "data.short_side", round((seen.stored_side or seen.short_side) * scale)
    yield "data.quality", seen.quality
    yield "data.multi_label", trained.multi_label
    for name in ("frames", "stride", "sampling", "short", "fit"):
        yield f"clip.{name}", getattr(seen, name)
    yield "clip.size", size or seen.size
    yield "eval.size", size or seen.size
    yield "eval.short_side", short_side
    yield "eval.stretched", seen.stretched and tuple(round(side * scale) for side in seen.stretched)
    yield "eval.clips", trained.clips
    yield "eval.crops", trained.crops
    # One clip for each device, because clips of published networks are large.
    yield "eval.batch_size", jax.device_count()
    yield "train.batch_size", jax.device_count()


def _given(arguments: list[str]) -> dict[str, Any]:
    """Reads the settings of `--workdir`, which must be known before flags are parsed."""
    for name, value in command_line.named(arguments):
        if name == "workdir":
            try:
                return to_mapping(from_mapping(read_config(as_path(value))))
            except (OSError, ValueError) as error:
                sys.exit(command_line.refused(error))
        if name == "weights":
            return common.base().to_dict()
    return {}


def _typed(settings: Mapping[str, Any], kind: type = Config) -> dict[str, Any]:
    """Lets settings that are None take a value of the type that the configuration declares."""
    kinds, typed = typing.get_type_hints(kind), dict(settings)
    for name, value in settings.items():
        if dataclasses.is_dataclass(kinds[name]):
            typed[name] = _typed(value, typing.cast(type, kinds[name]))
        elif value is None:
            (given,) = (one for one in typing.get_args(kinds[name]) if one is not type(None))
            typed[name] = config_dict.placeholder(typing.get_origin(given) or given)
    return typed
