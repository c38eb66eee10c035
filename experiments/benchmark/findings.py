"""Finds operations in the text of a compiled program that are slow on an accelerator.

* Convolutions and matrix products with float32 operands, although bfloat16 was requested.
* Transposes and copies of whole arrays, which move memory and compute nothing.
* Separate pads, which write the padded array to memory.
* Padding of tiles: a TPU stores the last two axes of an array in tiles, such as 8 x 128, so an
  array with few channels takes many times its size.

Operations inside a fusion move no memory of their own, so the last three points do not apply there.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

_SHAPE = r"([a-z]+\d+|pred)\[([\d,]*)\](?:\{([\d,]*)(?::([^}]*))?\})?"
_LINE = re.compile(rf"^\s*(?:ROOT )?%?([\w.\-]+) = {_SHAPE} ([a-z][a-z0-9\-]*)\(([^)]*)\)")
_TILE = re.compile(r"T\((\d+(?:,\d+)*)\)")
_OP_NAME = re.compile(r'op_name="([^"]*)"')
_COMPUTATION = re.compile(r"^(ENTRY )?%?([\w.\-]+) \(.*\{$")
_FUSED = re.compile(r"kind=k\w+, (?:.*?, )?calls=%?([\w.\-]+)")
_BITS = {"pred": 8}
_PRODUCTS = ("convolution", "dot")
_MOVES = {"transpose": "transposes", "copy": "copies", "pad": "pads"}
FLOAT32, TILES = "float32 products", "padding of tiles"
KINDS = (FLOAT32, "transposes", "copies", "pads", TILES)


@dataclass(frozen=True)
class Array:
    """The result of an instruction.

    Attributes:
      dtype: dtype, such as `f32`.
      shape: shape of the array.
      order: axes, from the contiguous one to the one with the largest stride.
      tile: sizes of the tile that holds the last axes in memory; empty without tiles.
    """

    dtype: str
    shape: tuple[int, ...]
    order: tuple[int, ...]
    tile: tuple[int, ...]

    @property
    def size(self) -> int:
        """Bytes of its numbers."""
        return math.prod(self.shape) * _bits(self.dtype) // 8

    @property
    def stored(self) -> int:
        """Bytes that it takes in memory, including the padding of its tiles."""
        shape = list(self.shape)
        for axis, side in zip(self.order, reversed(self.tile), strict=False):
            shape[axis] = -(-shape[axis] // side) * side
        return math.prod(shape) * _bits(self.dtype) // 8


@dataclass(frozen=True)
class Finding:
    """A slow operation.

    Attributes:
      kind: one of `KINDS`.
      size: bytes that are moved, or lost to padding; for products, bytes of the result.
      what: dtype and shape of the result.
      where: JAX's name for the operation that it was compiled from.
    """

    kind: str
    size: int
    what: str
    where: str


def findings(program: str, least: int = 2**10) -> list[Finding]:
    """Finds slow operations in the text of a compiled program; returns the largest first.

    Args:
      program: result of `compiled.as_text()`.
      least: smaller findings, in bytes, are left out.
    """
    fused = {match[1] for match in _FUSED.finditer(program)}
    found, arrays = list[Finding](), dict[str, Array]()
    for computation, line in _instructions(program):
        match = _LINE.match(line)
        if match is None:
            continue
        array = _array(match)
        arrays[match[1]] = array
        op_name = _OP_NAME.search(line)
        told = (f"{array.dtype}{list(array.shape)}", op_name[1] if op_name else "")
        if match[6] in _PRODUCTS and _of_float32(match[7], arrays):
            found.append(Finding(FLOAT32, array.size, *told))
        if computation in fused:
            continue
        if match[6] in _MOVES:
            found.append(Finding(_MOVES[match[6]], array.size, *told))
        if match[6] not in ("parameter", "bitcast", "get-tuple-element"):
            found.append(Finding(TILES, array.stored - array.size, *told))
    return sorted((each for each in found if each.size >= least), key=lambda each: -each.size)


def _instructions(program: str) -> Iterator[tuple[str, str]]:
    """Yields each line with the name of its computation."""
    computation = ""
    for line in program.splitlines():
        start = _COMPUTATION.match(line)
        if start:
            computation = start[2]
        yield computation, line


def _array(match: re.Match[str]) -> Array:
    shape = tuple(map(int, filter(None, match[3].split(","))))
    order = tuple(map(int, filter(None, (match[4] or "").split(","))))
    tile = _TILE.search(match[5] or "")
    sides = tuple(map(int, tile[1].split(","))) if tile else ()
    return Array(match[2], shape, order, sides)


def _of_float32(operands: str, arrays: dict[str, Array]) -> bool:
    """Returns whether all operands are float32; the text has either their names or their types."""
    types = re.findall(r"\b([a-z]+\d+)\[", operands)
    if not types:
        names = [name.strip().lstrip("%") for name in operands.split(",")]
        types = [arrays[name].dtype for name in names if name in arrays]
    return bool(types) and set(types) == {"f32"}


def _bits(dtype: str) -> int:
    return _BITS.get(dtype) or int(re.sub(r"\D", "", dtype)[:2] or 8)
