"""The work directory of a run: which configuration it belongs to and where it ran."""

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
from vidjax.array_paths import check_place
from vidjax.layers.convolution.choice import given_table
from vidjax.run.config import Config, ConfigError, from_mapping, to_mapping
from vidjax.run.processes import after_first, is_first
from vidjax.storage.writing import PART, make_folder, sweep

# Whose versions decide what a run computes.
PACKAGES = ("vidjax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "grain")
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
    # Where arrays lie decides nothing of what they are, but for `vidjax.training.changed_devices`.
    "mesh.data",
    "mesh.fsdp",
)
# What may change together with the duration: when a run is looked at, and on what.
_DURATION = "train.duration"
_WITH_DURATION = ("every.", "eval.")
_EARLIER = re.compile(r"config-until-step(\d{1,15})(?:-\d+)?\.json")
_STARTS = re.compile(r"environment(?:-\d+)?\.json")
# Groups whose order counts.
_ORDERED = ("augment.also",)
# What a start leaves that was refused, or killed, before the directory was a run's.
_BEFORE = (".lock", ".lock-owner.json")
_WRITE_ANEW = (
    "put a copy back; the command that started the run writes an equal one into a new --workdir"
)


class _Start(msgspec.Struct):
    """What is kept of a start, of which this is looked at."""

    devices: list[str] = []


def claim(
    workdir: Path,
    config: Config,
    classes: Sequence[str],
    step: int = 0,
    mesh: Mapping[str, int] | None = None,
) -> None:
    """Makes `workdir` the place of a run with `config`, or checks that it already is.

    `config.json` is what the run is now. Of a run whose duration changes, what it was stays beside
    it as `config-until-step<N>.json`.

    Args:
      workdir: the run's directory; made if absent.
      config: the run's configuration.
      classes: class names, kept so that the network can be used without its data.
      step: that a run with another duration goes on after.
      mesh: devices along each axis, where the configuration's mesh does not fit those that are
        here; kept beside the configuration, as part of what this start ran on.

    Raises:
      ConfigError: the directory belongs to another configuration, or holds other things.
    """
    here = environment() | ({} if mesh is None else {"mesh": dict(mesh)})
    after_first(lambda: _claim(workdir, config, classes, step, here), "claiming the work directory")


def check(workdir: Path, config: Config) -> None:
    """Refuses a directory that cannot be the place of a run with `config`; writes nothing.

    Raises:
      ConfigError: the directory belongs to another configuration, or holds other things.
      PlaceError: no checkpoint could be kept at such a path.
    """
    check_place(workdir / "checkpoints")
    # A table of convolutions that cannot be read is refused before anything is written, too.
    given_table()
    file = workdir / "config.json"
    if file.is_file():
        differing = _changes(workdir, config)
        if differing and _has_begun(workdir) and not _is_of_duration(differing):
            told = "; ".join(differing.values())
            raise ConfigError(
                f"{workdir} holds a run with another configuration: {told}. "
                "Name another --workdir, or give the settings it was started with"
            )
    elif workdir.is_dir() and any(map(_is_of_others, workdir.iterdir())):
        raise ConfigError(
            f"{workdir} is not empty and holds no config.json; name another --workdir"
        )


def changed_duration(workdir: Path, config: Config) -> Mapping[str, str]:
    """What is other in a run that goes on with another duration, by setting; else empty.

    Raises:
      RecordError: its configuration is damaged.
    """
    if not (workdir / "config.json").is_file() or not _has_begun(workdir):
        return {}
    differing = _changes(workdir, config)
    return differing if _is_of_duration(differing) else {}


def earlier(workdir: Path) -> list[Config]:
    """The configurations that the run in `workdir` had before its duration was changed.

    Raises:
      RecordError: one of them is damaged.
      ConfigError: one of them is none.
    """
    files = sorted(file for file in workdir.glob("*.json") if _EARLIER.fullmatch(file.name))
    return [_read(file, "move it away; the run can go on without it") for file in files]


def _claim(
    workdir: Path, config: Config, classes: Sequence[str], step: int, here: Mapping[str, Any]
) -> None:
    check(workdir, config)
    make_folder(workdir)
    if is_first():
        sweep(workdir, owned=True)
        if changed_duration(workdir, config):
            _write_once(workdir, f"config-until-step{step}", read_config(workdir))
        records.write(workdir / "config.json", json.loads(json.dumps(to_mapping(config))))
        # What has been predicted means the classes that the run began with.
        if begun_with(workdir) is None:
            records.write(workdir / "classes.json", list(classes))
        _write_once(workdir, "environment", here)


def _changes(workdir: Path, config: Config) -> dict[str, str]:
    """What differs from the run's configuration, with the defaults of settings younger than it."""
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
    """Whether a run has left anything there; one refused for its settings has not."""
    checkpoints = workdir / "checkpoints"
    saved = checkpoints.is_dir() and any(checkpoints.iterdir())
    return saved or (workdir / "metrics.jsonl").is_file()


def read_config(workdir: Path) -> dict[str, Any]:
    """The configuration of the run in `workdir`, as plain mappings.

    Raises:
      ConfigError: there is no run.
      RecordError: its configuration is damaged.
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


def begun_with(workdir: Path) -> tuple[str, ...] | None:
    """The class names that a run in `workdir` began with; None where none has begun.

    Raises:
      RecordError: its list of classes is damaged.
    """
    known = _has_begun(workdir) and (workdir / "classes.json").is_file()
    return read_classes(workdir) if known else None


def read_classes(workdir: Path) -> tuple[str, ...]:
    """The class names of the run in `workdir`.

    Raises:
      ConfigError: there is no run.
      RecordError: its list of classes is damaged.
    """
    file = workdir / "classes.json"
    if not file.is_file():
        raise ConfigError(f"no run in {workdir}: classes.json is absent. Train first")
    return tuple(records.read(file, list[str], _WRITE_ANEW))


def device_counts(workdir: Path) -> set[int]:
    """How many devices the starts of the run in `workdir` had.

    Raises:
      RecordError: what is kept of one of them is damaged.
    """
    way_out = "move it away; the run can go on without it"
    files = (file for file in workdir.glob("environment*.json") if _STARTS.fullmatch(file.name))
    return {len(records.read(file, _Start, way_out).devices) for file in files}


def environment() -> dict[str, Any]:
    """Versions, devices, machine, given tables and, in a git checkout, the commit."""
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
    """Packages with their versions, or `not installed`."""
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
    """Paths of settings that are not the same, each with a text that says how."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            here = f"{path}.{key}" if path else str(key)
            yield from _differences(old.get(key), new.get(key), here)
        if path in _ORDERED and list(old) != list(new) and old == new:
            yield path, f"{path} has the order {', '.join(old)} there, {', '.join(new)} here"
    elif old != new and path not in _FREE:
        yield path, f"{path} is {old!r} there, {new!r} here"


def _write_once(workdir: Path, name: str, value: Any) -> None:
    """Keeps what earlier starts of the run wrote: `name.json`, then `name-2.json`, ..."""
    number, file = 1, workdir / f"{name}.json"
    while file.exists():
        way_out = "move it away; this start writes one of its own"
        if records.read_mapping(file, way_out) == value:
            return
        number += 1
        file = workdir / f"{name}-{number}.json"
    records.write(file, value)
