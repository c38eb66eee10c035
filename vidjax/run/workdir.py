"""The work directory of a run: which configuration it belongs to, and where the run started."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import msgspec

from vidjax import records
from vidjax.array_paths import check_array_path
from vidjax.layers.convolution.choice import given_table
from vidjax.run.config import Config, ConfigError, from_mapping, to_mapping
from vidjax.run.processes import after_first, is_first
from vidjax.storage.writing import PART, make_folder, remove_unfinished

# Packages whose versions determine what a run computes.
PACKAGES = (
    "vidjax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "grain",
    "onednn-cpu-gomp",
)  # fmt: skip
# Settings that change neither the result nor its meaning: a run may resume with other values.
_FREE = (
    "data.workers",
    "data.threads",
    "data.cache_dir",
    "data.cache_gb",
    "every.log",
    "every.keep",
    "augment.flip_sided",
    "writers",
    # The placement of arrays does not change them, except in `vidjax.training.changed_devices`.
    "mesh.data",
    "mesh.fsdp",
)
# Settings that may change with the duration: intervals of logging, and the evaluation protocol.
_DURATION = "train.duration"
_WITH_DURATION = ("every.", "eval.")
_EARLIER = re.compile(r"config-until-step(\d{1,15})(?:-\d+)?\.json")
_STARTS = re.compile(r"environment(?:-\d+)?\.json")
# Groups whose order counts.
_ORDERED = ("augment.also",)
# Files left by a start that was refused or killed before the directory belonged to a run.
_BEFORE = (".lock", ".lock-owner.json")
# Number of differences that an error names.
_SHOWN = 3
_WRITE_ANEW = (
    "put a copy back; the command that started the run writes an equal one into a new --workdir"
)


class _Start(msgspec.Struct):
    """The part of a start's record that is read here."""

    devices: list[str] = []


def claim(
    workdir: Path,
    config: Config,
    classes: Sequence[str],
    step: int = 0,
    mesh: Mapping[str, int] | None = None,
) -> None:
    """Makes `workdir` the directory of a run with `config`, or checks that it already is.

    `config.json` is the run's present configuration. If the duration of a run changes, the former
    configuration is kept beside it as `config-until-step<N>.json`.

    Args:
      workdir: the run's directory; created if absent.
      config: the run's configuration.
      classes: class names, kept so that the network can be used without its data.
      step: step after which a run with a changed duration continues.
      mesh: devices along each axis, if the configuration's mesh does not fit this machine; kept
        beside the configuration, as part of the record of this start.

    Raises:
      ConfigError: the directory belongs to another configuration, or holds other files.
    """
    here = environment() | ({} if mesh is None else {"mesh": dict(mesh)})
    after_first(lambda: _claim(workdir, config, classes, step, here), "claiming the work directory")


def check(workdir: Path, config: Config) -> None:
    """Refuses a directory that cannot belong to a run with `config`; writes nothing.

    Raises:
      ConfigError: the directory belongs to another configuration, or holds other files.
      ArrayPathError: checkpoints cannot be stored at that path.
    """
    check_array_path(workdir / "checkpoints")
    # An unreadable convolution table is also refused before anything is written.
    given_table()
    file = workdir / "config.json"
    if file.is_file():
        differing = _changes(workdir, config)
        if differing and _has_begun(workdir) and not _is_of_duration(differing):
            first = [*differing.values()][:_SHOWN]
            more = f" and {len(differing) - _SHOWN} more" if len(differing) > _SHOWN else ""
            raise ConfigError(
                f"{workdir} holds a run with another configuration: {'; '.join(first)}{more}. "
                "Name another --workdir, or give the settings it was started with"
            )
    elif workdir.is_dir() and any(map(_is_of_others, workdir.iterdir())):
        raise ConfigError(
            f"{workdir} is not empty and holds no config.json; name another --workdir"
        )


def changed_duration(workdir: Path, config: Config) -> Mapping[str, str]:
    """Returns the settings that change in a run that continues with another duration, else {}.

    Raises:
      RecordError: the run's configuration is damaged.
    """
    if not (workdir / "config.json").is_file() or not _has_begun(workdir):
        return {}
    differing = _changes(workdir, config)
    return differing if _is_of_duration(differing) else {}


def earlier_configs(workdir: Path) -> list[Config]:
    """Returns the configurations that a run had before its duration was changed.

    Raises:
      RecordError: one of them is damaged.
      ConfigError: one of them is invalid.
    """
    files = sorted(file for file in workdir.glob("*.json") if _EARLIER.fullmatch(file.name))
    return [_read(file, "move it away; the run can go on without it") for file in files]


def _claim(
    workdir: Path, config: Config, classes: Sequence[str], step: int, here: Mapping[str, Any]
) -> None:
    check(workdir, config)
    make_folder(workdir)
    if is_first():
        remove_unfinished(workdir, owned=True)
        if changed_duration(workdir, config):
            _write_once(workdir, f"config-until-step{step}", read_config(workdir))
        records.write(workdir / "config.json", json.loads(json.dumps(to_mapping(config))))
        # Saved predictions refer to the classes that the run began with.
        if classes_at_start(workdir) is None:
            records.write(workdir / "classes.json", list(classes))
        _write_once(workdir, "environment", here)


def _changes(workdir: Path, config: Config) -> dict[str, str]:
    """Returns the differences from the run's configuration; settings it lacks have defaults."""
    old, new = (
        json.loads(json.dumps(to_mapping(each)))
        for each in (from_mapping(read_config(workdir)), config)
    )
    return dict(_differences(old, new))


def _is_of_duration(differing: Mapping[str, str]) -> bool:
    others = (path for path in differing if path != _DURATION)
    return _DURATION in differing and all(path.startswith(_WITH_DURATION) for path in others)


def _is_of_others(file: Path) -> bool:
    return file.name not in _BEFORE and not file.name.endswith(PART)


def _has_begun(workdir: Path) -> bool:
    """Returns whether a run has left anything there; a run refused for its settings has not."""
    checkpoints = workdir / "checkpoints"
    saved = checkpoints.is_dir() and any(checkpoints.iterdir())
    return saved or (workdir / "metrics.jsonl").is_file()


def read_config(workdir: Path) -> dict[str, Any]:
    """Returns the configuration of the run in `workdir`, as plain mappings.

    Raises:
      ConfigError: there is no run.
      RecordError: the configuration is damaged.
    """
    file = workdir / "config.json"
    if not file.is_file():
        raise ConfigError(f"no run in {workdir}: config.json is absent. Train first")
    _read(file, _WRITE_ANEW)
    return records.read_mapping(file, _WRITE_ANEW)


def _read(file: Path, way_out: str) -> Config:
    try:
        return from_mapping(records.read_mapping(file, way_out))
    except records.RecordError:
        raise
    except ValueError as error:
        raise ConfigError(f"{file}: {error}") from None


def classes_at_start(workdir: Path) -> tuple[str, ...] | None:
    """Returns the class names that a run in `workdir` began with; None if no run has begun.

    Raises:
      RecordError: the list of classes is damaged.
    """
    known = _has_begun(workdir) and (workdir / "classes.json").is_file()
    return read_classes(workdir) if known else None


def read_classes(workdir: Path) -> tuple[str, ...]:
    """Returns the class names of the run in `workdir`.

    Raises:
      ConfigError: there is no run.
      RecordError: the list of classes is damaged.
    """
    file = workdir / "classes.json"
    if not file.is_file():
        raise ConfigError(f"no run in {workdir}: classes.json is absent. Train first")
    return tuple(records.read(file, list[str], _WRITE_ANEW))


def device_counts(workdir: Path) -> set[int]:
    """Returns the numbers of devices that the starts of a run had.

    Raises:
      RecordError: the record of a start is damaged.
    """
    way_out = "move it away; the run can go on without it"
    files = (file for file in workdir.glob("environment*.json") if _STARTS.fullmatch(file.name))
    return {len(records.read(file, _Start, way_out).devices) for file in files}


def environment() -> dict[str, Any]:
    """Returns versions, devices, machine, convolution tables and, in a git checkout, the commit."""
    devices = jax.devices()
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": dict(versions(PACKAGES)),
        "backend": jax.default_backend(),
        "devices": [str(device.device_kind) for device in devices],
        "processes": jax.process_count(),
        "convolutions": given_table(),
        "git_commit": _git_commit(),
    }


def versions(packages: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yields packages with their versions, or `not installed`."""
    for package in packages:
        try:
            yield package, importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            yield package, "not installed"


def _git_commit() -> str | None:
    try:
        command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def _differences(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yields the paths of differing settings, each with a description of the difference."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            here = f"{path}.{key}" if path else str(key)
            yield from _differences(old.get(key), new.get(key), here)
        if path in _ORDERED and list(old) != list(new) and old == new:
            yield path, f"{path} has the order {', '.join(old)} there, {', '.join(new)} here"
    elif old != new and path not in _FREE:
        yield path, f"{path} is {old!r} there, {new!r} here"


def _write_once(workdir: Path, name: str, value: Any) -> None:
    """Writes a record beside those of earlier starts: `name.json`, then `name-2.json`, ..."""
    number, file = 1, workdir / f"{name}.json"
    while file.exists():
        way_out = "move it away; this start writes one of its own"
        if records.read_mapping(file, way_out) == value:
            return
        number += 1
        file = workdir / f"{name}-{number}.json"
    records.write(file, value)
