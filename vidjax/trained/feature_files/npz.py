"""Features as NumPy's `.npz`; see `vidjax.zipped_arrays`."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from vidjax import zipped_arrays
from vidjax.storage.writing import writing_bytes
from vidjax.trained.feature_files.table import COLUMNS, FeaturesError

MAGIC = zipped_arrays.MAGIC
_NAMES = ("features", *COLUMNS, "about")


def write(
    file: Path,
    columns: Mapping[str, np.ndarray],
    shape: tuple[int, int],
    dtype: str,
    blocks: Iterable[np.ndarray],
    about: str,
) -> None:
    """Writes a file atomically, block by block.

    Args:
      file: the file to write.
      columns: arrays `[N]` by name.
      shape: `(N, C)` of the features.
      dtype: dtype of the features.
      blocks: features `[n, C]`, N rows in total.
      about: a JSON text.

    Raises:
      OSError: the file cannot be written.
    """
    with writing_bytes(file) as stream, zipfile.ZipFile(stream, "w") as archive:
        with zipped_arrays.entry(archive, "features") as member:
            facts = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": shape}
            npy.write_array_header_1_0(member, facts)
            for block in blocks:
                member.write(np.ascontiguousarray(block, dtype).tobytes())
        for name, column in {**columns, "about": np.array(about)}.items():
            with zipped_arrays.entry(archive, name) as member:
                npy.write_array(member, column, allow_pickle=False)


def read(file: Path) -> dict[str, np.ndarray]:
    """Reads the arrays of a file by name, including `about`.

    Raises:
      FeaturesError: the file is damaged, or claims more than it holds; the message continues its
        name.
      OSError: the file cannot be read.
    """
    return zipped_arrays.read(file, _NAMES, FeaturesError)
