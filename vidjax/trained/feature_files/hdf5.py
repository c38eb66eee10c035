"""Feature files in HDF5: one dataset per column, in chunks with checksums.

Only plain numbers and fixed-length texts in the file itself are read. Links to other files,
filters, virtual datasets, and anything that claims to be larger than the file are refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from vidjax.storage.writing import replacing
from vidjax.trained.feature_files.table import COLUMNS, FeaturesError

MAGIC = b"\x89HDF\r\n\x1a\n"
_NAMES = ("features", *COLUMNS, "about")
# Bytes per chunk of features, and values per chunk of another column.
_CHUNK, _ROWS = 2**18, 4096
_KEPT = {"fletcher32": True, "track_times": False}


def write(
    file: Path,
    columns: Mapping[str, np.ndarray],
    shape: tuple[int, int],
    dtype: str,
    blocks: Iterable[np.ndarray],
    about: str,
) -> None:
    """Writes a file atomically, block by block; the arguments are those of `npz.write`.

    Raises:
      OSError: the file cannot be written.
    """
    with replacing(file) as unfinished, h5py.File(unfinished, "w") as group:
        rows = max(1, min(shape[0], _CHUNK // (shape[1] * np.dtype(dtype).itemsize)))
        # Resizable datasets may have chunks longer than themselves, which empty ones need.
        made = group.create_dataset(
            "features", shape, dtype, maxshape=(None, shape[1]), chunks=(rows, shape[1]), **_KEPT
        )
        first = 0
        for block in blocks:
            made[first : first + len(block)] = block
            first += len(block)
        for name, column in {**columns, "about": np.array([about])}.items():
            values = _encoded(column) if column.dtype.kind == "U" else column
            chunks = (max(1, min(len(values), _ROWS)),)
            group.create_dataset(name, data=values, maxshape=(None,), chunks=chunks, **_KEPT)


def read(file: Path) -> dict[str, np.ndarray]:
    """Reads the arrays of a file by name, including `about`.

    Raises:
      FeaturesError: the file is damaged or holds something forbidden; the message continues its
        name.
      OSError: the file cannot be read.
    """
    size = file.stat().st_size
    # The bytes are read here, because h5py's own errors do not tell damage from a failing disk.
    with file.open("rb") as stream:
        try:
            with h5py.File(stream, "r") as group:
                return {name: _array(group, name, size) for name in _NAMES if name in group}
        except FeaturesError:
            raise
        except (OSError, RuntimeError, ValueError, TypeError, KeyError, OverflowError) as error:
            text = " ".join(str(error).split())[:200]
            raise FeaturesError(f"it is damaged ({text})") from None


def _array(group: Any, name: str, size: int) -> np.ndarray:
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise FeaturesError(f"its {name} is a link to elsewhere")
    found = group[name]
    if not isinstance(found, h5py.Dataset):
        raise FeaturesError(f"its {name} is not an array")
    facts = found.id.get_create_plist()
    filters = {facts.get_filter(index)[0] for index in range(facts.get_nfilters())}
    if found.is_virtual or found.external or filters - {h5py.h5z.FILTER_FLETCHER32}:
        raise FeaturesError(f"its {name} is compressed, or in another file")
    if found.dtype.kind not in "fiuS" or found.ndim > 2:
        raise FeaturesError(f"its {name} is {found.dtype} {list(found.shape)[:9]}")
    chunk = np.prod(found.chunks or (0,), dtype=float) * found.dtype.itemsize
    if max(float(found.nbytes), chunk) > size or found.id.get_storage_size() < found.nbytes:
        raise FeaturesError(f"its {name} claims more bytes than the file holds")
    values = found[()]
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8")
    return values.reshape(()) if name == "about" and values.shape == (1,) else values


def _encoded(texts: np.ndarray) -> np.ndarray:
    """Encodes texts as UTF-8 of one length, padded with zeros."""
    encoded = [text.encode() for text in texts.tolist()]
    longest = max([1, *map(len, encoded)])
    return np.array(encoded, h5py.string_dtype("utf-8", longest))
