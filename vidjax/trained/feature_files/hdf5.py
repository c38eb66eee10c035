"""Features as HDF5: one data set a column, in chunks, each with a checksum.

What a file may hold is narrow: plain numbers and texts of fixed length, in the file itself. Links
to other files, filters and virtual data sets are refused, and so is what claims to be larger than
the file.
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
# Bytes of a chunk of features, and values of one of another column.
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
    """Writes a file whole, block by block; arguments are those of `npz.write`.

    Raises:
      OSError: it cannot be written.
    """
    with replacing(file) as unfinished, h5py.File(unfinished, "w") as group:
        rows = max(1, min(shape[0], _CHUNK // (shape[1] * np.dtype(dtype).itemsize)))
        # Data sets that may grow take chunks longer than they are, as those without rows need.
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
    """The arrays of a file by name, `about` among them.

    Raises:
      FeaturesError: it is damaged, or holds what it may not; the text goes after its name.
      OSError: it cannot be read.
    """
    size = file.stat().st_size
    # The bytes are read here: the library's own errors cannot be told from those of a disk.
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
        raise FeaturesError(f"its {name} is no array")
    facts = found.id.get_create_plist()
    filters = {facts.get_filter(index)[0] for index in range(facts.get_nfilters())}
    if found.is_virtual or found.external or filters - {h5py.h5z.FILTER_FLETCHER32}:
        raise FeaturesError(f"its {name} is compressed, or in another file")
    if found.dtype.kind not in "fiuS" or found.ndim > 2:
        raise FeaturesError(f"its {name} is {found.dtype} {list(found.shape)[:9]}")
    chunk = np.prod(found.chunks or (0,), dtype=float) * found.dtype.itemsize
    if max(float(found.nbytes), chunk) > size or found.id.get_storage_size() < found.nbytes:
        raise FeaturesError(f"its {name} claims more bytes than it has")
    values = found[()]
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8")
    return values.reshape(()) if name == "about" and values.shape == (1,) else values


def _encoded(texts: np.ndarray) -> np.ndarray:
    """Texts as UTF-8 of one length, filled up with zeros."""
    encoded = [text.encode() for text in texts.tolist()]
    longest = max([1, *map(len, encoded)])
    return np.array(encoded, h5py.string_dtype("utf-8", longest))
