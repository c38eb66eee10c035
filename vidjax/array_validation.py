"""Validates a folder of arrays before Orbax and TensorStore read it.

They trust what files claim: a chunk of 10^12 numbers would end the process. So everything that such
a folder claims is compared here with what is expected, before any array is read. Orbax stores
arrays in the OCDBT format: a tree of nodes, some of them compressed, that says where the metadata
and the chunks of each array lie in other files of the folder.
https://google.github.io/tensorstore/kvstore/ocdbt/index.html
"""

from __future__ import annotations

import json
import math
import mmap
import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tensorstore

from vidjax import records
from vidjax.untrusted_names import printable
from vidjax.zstd_frames import decompressed_bound

Shape = tuple[int, ...]

_TREE = "_METADATA"
_LARGEST_RECORD = 2**25
_AT_ONCE = 256
# Weights hardly compress, but some whole arrays may be zeros.
_ARRAYS_OVER_FILES, _SMALL_ARRAYS = 100, 2**26
_INDEX_OVER_NODES, _SMALL_INDEX = 32, 2**26
# First bytes of manifests, of nodes of the tree of keys, and of nodes of the tree of versions.
_NODE = re.compile(rb"\x0c\xdb(?:\x3a\x2a|\x20\xde|\x12\x34)")
_PLAIN = re.compile("[<|][biuf][1248]")
_ARRAY_TYPES = ("jax.Array", "np.ndarray", "scalar")
_METADATA: Mapping[str, tuple[Any, ...]] = {
    "zarr_format": (2,),
    "order": ("C",),
    "filters": (None,),
    "fill_value": (None, 0),
    "dimension_separator": (".",),
}


class ArrayFilesError(ValueError):
    """A folder of arrays differs from what Orbax would have written."""


def check_files(folder: Path) -> int:
    """Refuses links, pipes and devices in a folder, and records of implausible size.

    Returns:
      Total size of all files in bytes.

    Raises:
      ArrayFilesError: names the file.
    """
    total = 0
    for file in _all_below(folder):
        facts = file.lstat()
        if stat.S_ISLNK(facts.st_mode):
            raise ArrayFilesError(f"{_named(file)} is a link: copy the folder with cp -rL")
        if stat.S_ISDIR(facts.st_mode):
            continue
        if not stat.S_ISREG(facts.st_mode):
            raise ArrayFilesError(f"{_named(file)} is not a regular file")
        # Everything outside of folders named `d` is a record that is parsed whole.
        if file.parent.name != "d" and facts.st_size > _LARGEST_RECORD:
            raise ArrayFilesError(f"{_named(file)} has {facts.st_size} bytes, too many")
        total += facts.st_size
    return total


def check_arrays(folder: Path, expected: Mapping[str, Shape]) -> None:
    """Refuses a folder that claims other arrays than the expected ones.

    Args:
      folder: folder in Orbax's format, including `_METADATA`.
      expected: shapes by name, with the parts of a name joined by dots.

    Raises:
      ArrayFilesError: names the file or the array.
    """
    total = check_files(folder)
    names = _names(folder / _TREE)
    for name in names ^ expected.keys():
        which = "has an array" if name in names else "lacks the array"
        raise ArrayFilesError(f"it {which} {_short(name)!r}, unlike the network")
    _check_index(folder)
    for name, text in _metadata(folder, sorted(names)):
        wrong = _flaw(text, expected[name])
        if wrong:
            raise ArrayFilesError(f"array {_short(name)!r} {wrong}")
    claimed = sum(8 * math.prod(expected[name]) for name in names)
    if claimed > _ARRAYS_OVER_FILES * total + _SMALL_ARRAYS:
        raise ArrayFilesError(f"{total} bytes of files claim arrays of {claimed} bytes")
    _try_chunks(folder, sorted(names))


def _all_below(folder: Path) -> Iterator[Path]:
    yield folder
    for place, folders, files in os.walk(folder):
        yield from (Path(place, name) for name in (*folders, *files))


def _names(file: Path) -> set[str]:
    """Returns the names of the arrays that a folder claims."""
    try:
        found = records.read_mapping(file, "its arrays are unknown")
        if found["use_ocdbt"] is not True or found.get("use_zarr3", False) is not False:
            raise ArrayFilesError(f"{_named(file)}: not the array format of vidjax")
        names = set()
        for leaf in found["tree_metadata"].values():
            if leaf["value_metadata"]["value_type"] in _ARRAY_TYPES:
                names.add(".".join(str(part["key"]) for part in leaf["key_metadata"]))
    except ArrayFilesError:
        raise
    except (OSError, records.RecordError) as error:
        raise ArrayFilesError(_short(error)) from None
    except (LookupError, AttributeError, TypeError) as error:
        raise ArrayFilesError(f"{_named(file)} is damaged ({_short(repr(error))})") from None
    return names


def _check_index(folder: Path) -> None:
    """Refuses index nodes that would take too much memory when decompressed."""
    nodes = [node for file in _all_below(folder) if file.is_file() for node in _nodes_in(file)]
    becomes = sum(size for _, size in nodes)
    if becomes > _INDEX_OVER_NODES * sum(length for length, _ in nodes) + _SMALL_INDEX:
        raise ArrayFilesError(f"the index of its arrays decompresses to {becomes} bytes")


def _nodes_in(file: Path) -> Iterator[tuple[int, int]]:
    """Yields the decompressed size of each compressed node of a file, and its limit."""
    if file.stat().st_size < 16:
        return
    with (
        file.open("rb") as stream,
        mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        for place in map(re.Match.start, _NODE.finditer(content)):
            length = int.from_bytes(content[place + 4 : place + 12], "little")
            # The length is followed by a version, and by 1 for zstd.
            if content[place + 13 : place + 14] == b"\1" and length <= len(content) - place:
                yield length, decompressed_bound(content, place + 14, place + length - 4)


def _metadata(folder: Path, names: list[str]) -> Iterator[tuple[str, bytes]]:
    """Yields each array's own metadata."""
    base = {"driver": "file", "path": f"{folder.absolute().as_posix()}/"}
    try:
        store = tensorstore.KvStore.open({"driver": "ocdbt", "base": base}).result()
        for first in range(0, len(names), _AT_ONCE):
            some = names[first : first + _AT_ONCE]
            reading = [store.read(f"{name}/.zarray") for name in some]
            for name, read in zip(some, reading, strict=True):
                found = read.result()
                if found.state != "value" or len(found.value) > _LARGEST_RECORD:
                    raise ArrayFilesError(f"array {_short(name)!r} is absent")
                yield name, found.value
    except ArrayFilesError:
        raise
    except Exception as error:  # TensorStore raises several kinds of errors for damage
        raise ArrayFilesError(_short(error)) from None


def _try_chunks(folder: Path, names: list[str]) -> None:
    """Refuses arrays that have a chunk that cannot be decoded.

    Orbax reads all arrays at once and stops at the first error. TensorStore's answers for the other
    arrays then have no receiver, which sometimes ends the process by a segmentation fault. So each
    array is decoded separately first.
    """
    base = {"driver": "file", "path": f"{folder.absolute().as_posix()}/"}
    for name in names:
        place = {"driver": "ocdbt", "base": base, "path": f"{name}/"}
        try:
            array = tensorstore.open({"driver": "zarr", "kvstore": place}, read=True).result()
            array.read().result()
        except Exception as error:  # TensorStore raises several kinds of errors for damage
            reason = f"cannot be read ({_short(error)})"
            raise ArrayFilesError(f"array {_short(name)!r} {reason}") from None


def _flaw(text: bytes, shape: Shape) -> str:
    """Describes what is wrong with an array's metadata, given its expected shape; empty if fine."""
    try:
        found = json.loads(text)
        if found["shape"] != list(shape):
            return f"claims the shape {_short(found['shape'])}, but the network's is {list(shape)}"
        chunks = found["chunks"]
        if not all(
            type(n) is int and 0 < n <= max(1, m) for n, m in zip(chunks, shape, strict=True)
        ):
            return f"claims chunks of {_short(chunks)}"
        numbers = found["dtype"]
        if numbers != "bfloat16" and not _PLAIN.fullmatch(numbers):
            return f"claims the dtype {_short(numbers)}"
        packed = found["compressor"]
        if packed is not None and (packed["id"], type(packed["level"])) != ("zstd", int):
            return f"claims the compression {_short(packed)}"
        for name, known in _METADATA.items():
            if found[name] not in known:
                return f"claims {name} = {_short(found[name])}"
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        return f"has damaged metadata ({_short(repr(error))})"
    return ""


def _named(file: Path) -> str:
    return printable(str(file))


def _short(value: object) -> str:
    text = str(value)
    return printable(text if len(text) <= 200 else f"{text[:200]}...")
