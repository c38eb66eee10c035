"""Reads and writes feature files, in the format of their suffix."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from vidjax import records
from vidjax.storage.paths import as_path
from vidjax.trained.feature_files import hdf5, npz
from vidjax.trained.feature_files.table import COLUMNS, Features, FeaturesError, checked
from vidjax.untrusted_names import printable

SUFFIXES: Mapping[str, ModuleType] = {".npz": npz, ".h5": hdf5, ".hdf5": hdf5}


def read_features(path: str | Path) -> Features:
    """Reads a feature file of `vidjax features`, or any file with the same columns.

    The first bytes tell the format. Reading takes no more memory than the file's size allows, and
    unpickles nothing.

    Args:
      path: a `.npz` or `.h5` file.

    Raises:
      FeaturesError: the file holds no features or is damaged; names the file.
      OSError: the file cannot be read.

    Examples:
      >>> from pathlib import Path
      >>> import numpy as np, vidjax
      >>> from vidjax.trained.feature_files.files import write_features
      >>> from vidjax.trained.feature_files.table import Features
      >>> videos, none = np.array(["a.mp4", "b.mp4"]), np.array(["", ""])
      >>> start, end, clip = np.zeros(2), np.ones(2), np.zeros(2, np.int64)
      >>> features = np.zeros((2, 512), np.float16)
      >>> table = Features(features, videos, none, none, none, start, end, clip, about={})
      >>> write_features(Path("features.npz"), table)
      >>> vidjax.read_features("features.npz").features.shape
      (2, 512)
    """
    path = as_path(path)
    name = printable(str(path))
    if not path.is_file():
        raise FeaturesError(f"{name}: this feature file does not exist")
    with path.open("rb") as stream:
        start = stream.read(8)
    kind = next((kind for kind in (npz, hdf5) if start.startswith(kind.MAGIC)), None)
    if kind is None:
        raise FeaturesError(f"{name} is neither .npz nor .h5")
    try:
        arrays: dict[str, np.ndarray] = kind.read(path)
        return checked(arrays, _about(arrays.pop("about", None)))
    except FeaturesError as error:
        raise FeaturesError(f"{name}: {error}; make it again with vidjax features") from None


def write_features(file: Path, table: Features) -> None:
    """Writes a table atomically, in the format of the file's suffix.

    Raises:
      FeaturesError: the suffix is unknown.
      OSError: the file cannot be written.
    """
    shape, dtype = table.features.shape, table.features.dtype.name
    write_blocks(file, table, (shape[0], shape[1]), dtype, [table.features])


def write_blocks(
    file: Path, table: Features, shape: tuple[int, int], dtype: str, blocks: Iterable[np.ndarray]
) -> None:
    """Writes features that arrive in blocks, as `write_features` does, but with little memory.

    Args:
      file: the file to write.
      table: the other columns; its own features are ignored.
      shape: `(N, C)` of the features.
      dtype: dtype of the features.
      blocks: arrays `[n, C]`, N rows in total.
    """
    columns = {name: getattr(table, name) for name in COLUMNS}
    kind_of(file).write(file, columns, shape, dtype, blocks, json.dumps(table.about))


def kind_of(file: Path) -> Any:
    """Returns the module that writes files with this suffix.

    Raises:
      FeaturesError: the suffix is unknown.
    """
    if file.suffix not in SUFFIXES:
        raise FeaturesError(f"{printable(file.name)}: feature files end in .npz or .h5")
    return SUFFIXES[file.suffix]


def _about(array: np.ndarray | None) -> dict[str, Any]:
    if array is None or array.dtype.kind != "U" or array.ndim:
        raise FeaturesError("it has no text about")
    try:
        found: dict[str, Any] = records.parsed(str(array), dict[str, Any])
    except (records.RecordError, UnicodeError) as error:
        raise FeaturesError(f"its about is damaged ({error})") from None
    return found
