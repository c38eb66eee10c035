"""Arrays in NumPy's `.npz` format: an uncompressed ZIP with a checksum for each array.

The files equal those of `numpy.savez`. Object arrays, which NumPy would unpickle, are refused, and
so is anything that claims to be larger than its file.
"""

from __future__ import annotations

import errno
import math
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from vidjax.storage.writing import writing_bytes

MAGIC = b"PK\x03\x04"
# Size of an array's header, which has its dtype and shape.
_LONGEST_HEADER = 4096


def write(file: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes a file atomically, and replaces an existing one.

    Raises:
      OSError: the file cannot be written.
    """
    with writing_bytes(file) as stream, zipfile.ZipFile(stream, "w") as archive:
        for name, array in arrays.items():
            with entry(archive, name) as member:
                npy.write_array(member, array, allow_pickle=False)


def entry(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    """Opens a stream into the archive; its date is fixed, so that equal arrays give equal files."""
    return archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True)


def read(file: Path, names: Iterable[str], fault: type[ValueError]) -> dict[str, np.ndarray]:
    """Reads the arrays of a file by name.

    Args:
      file: the file to read. No more memory is used than its size.
      names: names of the arrays to read, if they exist.
      fault: type of the error to raise.

    Raises:
      fault: the file is damaged, or claims more than it holds; the message continues its name.
      OSError: the file cannot be read.
    """
    try:
        with file.open("rb") as stream, zipfile.ZipFile(stream) as archive:
            entries = {info.filename: info for info in archive.infolist()}
            if any(info.compress_type != zipfile.ZIP_STORED for info in entries.values()):
                raise fault("it is compressed; write it with numpy.savez")
            if sum(info.file_size for info in entries.values()) > file.stat().st_size:
                raise fault("it claims more bytes than it holds")
            return {
                name: _array(archive, entries[f"{name}.npy"], fault)
                for name in names
                if f"{name}.npy" in entries
            }
    except fault:
        raise
    except (zipfile.BadZipFile, EOFError, ValueError, zlib.error, RuntimeError) as error:
        raise fault(f"it is damaged ({_line(error)})") from None
    except OSError as error:
        # A position before the beginning of the file; other errors are the disk's.
        if error.errno != errno.EINVAL:
            raise
        raise fault("it is damaged (its parts lie outside of it)") from None
    # The ZIP needs a newer version of its format.
    except NotImplementedError as error:
        raise fault(f"it is not a .npz file ({_line(error)})") from None


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo, fault: type[ValueError]) -> np.ndarray:
    with archive.open(info) as member:
        shape, fortran, dtype = _header(member, fault)
        size = math.prod(shape) * dtype.itemsize
        if dtype.hasobject or dtype.kind not in "fiuU" or fortran or size > info.file_size:
            raise fault(f"{info.filename} claims {dtype} {list(shape)[:9]}")
        data = member.read()
    if len(data) != size:
        raise fault(f"{info.filename} has {len(data)} bytes for {dtype} {list(shape)[:9]}")
    array = np.frombuffer(data, dtype).reshape(shape)
    if dtype.kind == "U":
        # Raises if a number in it is not a character.
        "".join(array.ravel().tolist()).encode()
    return array


def _header(member: IO[bytes], fault: type[ValueError]) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = npy.read_magic(member)
    read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    if version not in read_header:
        raise fault(f"an array has the unknown version {version}")
    found: Any = read_header[version](member, max_header_size=_LONGEST_HEADER)
    return found


def _line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else f"{text[:200]}..."
