"""The configuration as frozen, typed values; misspelt keys and wrong types are refused here.

`vidjax/run/setting_groups.py` documents the settings; `vidjax/run/defaults.py` has the defaults.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from typing import Any

from vidjax.data.multigrid import Multigrid
from vidjax.data.pipeline import Augmentation, ClipShape
from vidjax.docstrings import meanings
from vidjax.models.renamed_options import has_old_names
from vidjax.run.conflicting_settings import check_conflicts
from vidjax.run.defaults import defaults
from vidjax.run.setting_groups import (
    DataConfig,
    EvalConfig,
    EveryConfig,
    MeshConfig,
    ModelConfig,
    OptimizerConfig,
    ScheduleConfig,
    TrainConfig,
)
from vidjax.run.setting_ranges import ALLOWED
from vidjax.run.typed_values import ConfigError, typed
from vidjax.settings import check, shown
from vidjax.untrusted_names import nearest


@dataclasses.dataclass(frozen=True)
class Config:
    """The configuration of a run.

    Attributes:
      seed: seed of all random numbers.
      dtype: dtype that the network computes in.
      model: the network.
      data: videos, and how they are stored.
      clip: length, stride and size of a clip.
      augment: augmentation of training clips.
      train: how the network is trained.
      optimizer: the optimiser and its settings.
      schedule: the learning-rate schedule.
      every: intervals of logging, checkpoints and evaluation.
      mesh: devices.
      eval: evaluation protocol: which views of which videos are scored.
      multigrid: multigrid training: batches of varying shape.
      writers: where metrics are written, besides `metrics.jsonl`: `tensorboard`, `csv`, `wandb`, or
        writers of other packages.
    """

    seed: int
    dtype: str
    model: ModelConfig
    data: DataConfig
    clip: ClipShape
    augment: Augmentation
    train: TrainConfig
    optimizer: OptimizerConfig
    schedule: ScheduleConfig
    every: EveryConfig
    mesh: MeshConfig
    eval: EvalConfig
    multigrid: Multigrid
    writers: tuple[str, ...]

    def __post_init__(self) -> None:
        for group, table in ALLOWED.items():
            values, where = (getattr(self, group), f"{group}.") if group else (self, "")
            try:
                check(vars(values), table, where)
            except ValueError as error:
                raise ConfigError(str(error)) from None
        check_conflicts(self)


def from_mapping(mapping: Mapping[str, Any]) -> Config:
    """Builds a `Config` from nested mappings, such as an `ml_collections.ConfigDict`.

    A missing setting gets its default, so runs from before the setting existed can be opened.

    Raises:
      ConfigError: a key is unknown (the error names the nearest known one), or a value is not
        allowed (`vidjax.run.setting_ranges`).

    Examples:
      >>> from vidjax.run.config import from_mapping
      >>> config = from_mapping({"train": {"batch_size": 8}, "clip": {"frames": 16}})
      >>> config.train.batch_size, config.clip.frames, config.seed
      (8, 16, 0)
    """
    config: Config = _build(Config, mapping, "config", defaults().to_dict())
    return _with_new_options(config) if has_old_names(config.model.options) else config


def _with_new_options(config: Config) -> Config:
    """Replaces old names of the network's options; an unknown network is refused elsewhere."""
    # Rarely needed, and it imports all networks.
    from vidjax.models.model_list import variants
    from vidjax.models.registry import current_options

    model = config.model
    if model.name not in variants():
        return config
    options = current_options(model.name, model.options)
    return dataclasses.replace(config, model=dataclasses.replace(model, options=options))


def check_path(path: str) -> None:
    """Refuses the path of a setting, such as `optimizer.lr`, if it does not exist.

    Raises:
      ConfigError: names the unknown part and the nearest known one.
    """
    kind: Any = Config
    here = "config"
    for part in path.split("."):
        if not dataclasses.is_dataclass(kind):
            return
        kinds = typing.get_type_hints(kind)
        if part not in kinds:
            hint = _elsewhere(part) or nearest(part, kinds)
            raise ConfigError(f"{here}.{part} is not a setting; {hint}")
        kind, here = kinds[part], f"{here}.{part}"


def is_free(path: str) -> bool:
    """Returns whether the path of a setting leads to, or into, a group of free options."""
    kind: Any = Config
    for part in filter(None, path.split(".")):
        if not dataclasses.is_dataclass(kind):
            break
        kind = typing.get_type_hints(kind).get(part)
    return typing.get_origin(kind) in (dict, Mapping)


def _elsewhere(name: str) -> str:
    """Suggests settings of other groups with this name or meaning; empty if there are none.

    `train.learning_rate` is `optimizer.lr`, whose meaning begins with "learning rate".
    """
    words, found = name.replace("_", " "), []
    for group, kind in typing.get_type_hints(Config).items():
        if dataclasses.is_dataclass(kind):
            told = meanings(kind)
            found += [
                f"{group}.{setting}"
                for setting in typing.get_type_hints(kind)
                if setting == name or told.get(setting, "").startswith(words)
            ]
    return f"did you mean {' or '.join(map(repr, found))}?" if found else ""


def to_mapping(config: Config) -> dict[str, Any]:
    """Converts a configuration to the nested mapping of `from_mapping`, of plain JSON types."""
    return dataclasses.asdict(config)


def _build(cls: type, mapping: Any, path: str, default: Mapping[str, Any]) -> Any:
    if not isinstance(mapping, Mapping) and not hasattr(mapping, "items"):
        raise ConfigError(f"{path} = {shown(mapping)}: a group of settings is expected")
    kinds = typing.get_type_hints(cls)
    values = dict(mapping.items())
    for key in values:
        if key not in kinds:
            name = key if str(key).isidentifier() else shown(key)
            raise ConfigError(f"{path}.{name} is not a setting; {nearest(str(key), kinds)}")
    built = {}
    for key, kind in kinds.items():
        value, where = values.get(key, default[key]), f"{path}.{key}"
        is_group = dataclasses.is_dataclass(kind)
        built[key] = (
            _build(typing.cast(type, kind), value, where, default[key])
            if is_group
            else typed(kind, value, where)
        )
    return cls(**built)
