"""Reading and writing features, by the kind of the file."""

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
from vidjax.untrusted_names import told

SUFFIXES: Mapping[str, ModuleType] = {".npz": npz, ".h5": hdf5, ".hdf5": hdf5}


def read_features(path: str | Path) -> Features:
    """Reads a file of `vidjax features`, or of equal columns.

    The kind is told by the first bytes. No more memory is taken than the file's size allows, and
    nothing is unpickled.

    Args:
      path: a `.npz` or `.h5` file.

    Raises:
      FeaturesError: it holds no features, or is damaged; names the file.
      OSError: it cannot be read.
    """
    path = as_path(path)
    name = told(str(path))
    if not path.is_file():
        raise FeaturesError(f"{name}: there is no such file of features")
    with path.open("rb") as stream:
        start = stream.read(8)
    kind = next((kind for kind in (npz, hdf5) if start.startswith(kind.MAGIC)), None)
    if kind is None:
        raise FeaturesError(f"{name} is neither .npz nor .h5")
    try:
        arrays: dict[str, np.ndarray] = kind.read(path)
        return checked(arrays, _about(arrays.pop("about", None)))
    except FeaturesError as error:
        raise FeaturesError(f"{name}: {error}; make it anew with experiments.features") from None


def write_features(file: Path, table: Features) -> None:
    """Writes a table whole, as what its suffix says.

    Raises:
      FeaturesError: the suffix is not known.
      OSError: it cannot be written.
    """
    shape, dtype = table.features.shape, table.features.dtype.name
    write_blocks(file, table, (shape[0], shape[1]), dtype, [table.features])


def write_blocks(
    file: Path, table: Features, shape: tuple[int, int], dtype: str, blocks: Iterable[np.ndarray]
) -> None:
    """As `write_features`, of features that come block by block, so that they take little memory.

    Args:
      file: to be written.
      table: the other columns; its features are not looked at.
      shape: `(N, C)` of the features.
      dtype: of the features.
      blocks: `[n, C]`, N rows in all.
    """
    columns = {name: getattr(table, name) for name in COLUMNS}
    kind_of(file).write(file, columns, shape, dtype, blocks, json.dumps(table.about))


def kind_of(file: Path) -> Any:
    """The module that writes a file of this suffix.

    Raises:
      FeaturesError: there is none.
    """
    if file.suffix not in SUFFIXES:
        raise FeaturesError(f"{told(file.name)}: features are kept in .npz or .h5 files")
    return SUFFIXES[file.suffix]


def _about(array: np.ndarray | None) -> dict[str, Any]:
    if array is None or array.dtype.kind != "U" or array.ndim:
        raise FeaturesError("it has no text about")
    try:
        found: dict[str, Any] = records.parsed(str(array), dict[str, Any])
    except (records.RecordError, UnicodeError) as error:
        raise FeaturesError(f"its about is damaged ({error})") from None
    return found
