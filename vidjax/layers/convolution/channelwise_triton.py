"""Channel-wise 3D convolution on a GPU, in Pallas kernels that Triton compiles.

Each program computes a few rows of a few frames: enough that each loaded number serves several
sums, and few enough that the sums stay in registers. Masked loads give zeros outside of a clip, so
no padded copy is needed. The input's gradient gathers as well: the remainder of a position modulo
the stride determines the taps that reach it. So a stride needs neither multiplications by zero nor
a copy of the output's gradient with gaps.

The sizes of tiles were derived for 3x3x3 kernels and 255 registers per thread; they have not been
tuned by measurements. The kernels need an NVIDIA GPU of compute capability 8.0 or newer, and a JAX
whose Pallas has Triton. JAX 0.11 deprecated it; its successor, Mosaic GPU, needs Hopper or newer.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton as pltriton

from vidjax.layers.convolution.problem import Pads, Triple

Ref = Any

# Elements of a block of columns and channels; elements of it per thread; most channels in it.
_BLOCK, _THREAD, _CHANNELS = 256, 2, 64
# Frames and rows of a tile, largest first. The first one within the limits below is used: most
# unrolled multiply-adds, and most sums.
_TILES = ((4, 4), (2, 4), (4, 2), (1, 4), (4, 1), (2, 2), (1, 2), (2, 1))
_UNROLLED, _SUMS = 512, 16
# The kernel's gradient also has a sum for each tap, so its tiles are smaller.
_GRADIENT_UNROLLED = 256
# Most parts of the clips that are summed separately; fewest tiles in each part.
_PARTS, _PART_TILES = 512, 4


class Axis(NamedTuple):
    """Maps positions of the source to positions of the result, along one axis.

    For each unit u of the result and each link (read, write, tap), `kernel[tap]` times the source
    at `read_start + u read_step + read` is added to the result at
    `write_start + u write_step + write`.
    """

    result: int
    units: int
    read_start: int
    read_step: int
    write_start: int
    write_step: int
    links: tuple[Triple, ...]

    def read(self, unit: Any) -> Any:
        """Returns the position of the source that a unit reads from, before a link's offset."""
        return self.read_start + unit * self.read_step

    def write(self, unit: Any) -> Any:
        """Returns the position of the result that a unit writes to, before a link's offset."""
        return self.write_start + unit * self.write_step

    def reads(self, units: int) -> dict[int, list[tuple[int, int]]]:
        """Returns the offsets that some units read, and the (write, tap) pairs that each serves."""
        served: dict[int, list[tuple[int, int]]] = {}
        for unit, (read, write, tap) in itertools.product(range(units), self.links):
            pair = unit * self.write_step + write, tap
            served.setdefault(unit * self.read_step + read, []).append(pair)
        return served


Axes = tuple[Axis, Axis, Axis]


class Tile(NamedTuple):
    """The units along T, H and W, and the channels, that a program processes at a time."""

    frames: int
    rows: int
    columns: int
    channels: int


def forward(
    x: jax.Array, kernel: jax.Array, strides: Triple, pads: Pads, *, interpret: bool = False
) -> jax.Array:
    """Computes `[B, T', H', W', C]`, as described in `pallas.forward`."""
    axes = _axes(_forward_axis, x.shape, kernel.shape, strides, pads)
    return _gather(x, kernel, axes, "channelwise_forward", interpret)


def input_gradient(
    x_shape: tuple[int, ...],
    kernel: jax.Array,
    strides: Triple,
    pads: Pads,
    g: jax.Array,
    *,
    interpret: bool = False,
) -> jax.Array:
    """Computes `[B, T, H, W, C]`, as described in `pallas.input_gradient`."""
    axes = _axes(_gradient_axis, x_shape, kernel.shape, strides, pads)
    return _gather(g, kernel, axes, "channelwise_input_gradient", interpret)


def kernel_gradient(
    x: jax.Array,
    kernel_shape: tuple[int, ...],
    strides: Triple,
    pads: Pads,
    g: jax.Array,
    *,
    interpret: bool = False,
) -> jax.Array:
    """Computes `[kt kh kw, C]` in float32, as described in `pallas.kernel_gradient`.

    Parts of the clips are summed separately, then added up in a fixed order, so the result is
    deterministic.
    """
    axes = _axes(_forward_axis, x.shape, kernel_shape, strides, pads)
    channels = x.shape[-1]
    tile = _tile(axes, channels, _GRADIENT_UNROLLED)
    counts = _counts(axes, tile)
    tiles = x.shape[0] * math.prod(counts)
    parts = min(_PARTS, pl.cdiv(tiles, _PART_TILES))
    sums = pl.pallas_call(
        functools.partial(
            _kernel_gradient_body, axes=axes, tile=tile, counts=counts, tiles=pl.cdiv(tiles, parts)
        ),
        out_shape=jax.ShapeDtypeStruct((parts, math.prod(kernel_shape[:3]), channels), jnp.float32),
        grid=(pl.cdiv(channels, tile.channels), parts),
        compiler_params=_compiler_params(tile),
        interpret=interpret,
        name="channelwise_kernel_gradient",
    )(x, g)
    return sums.sum(axis=0)


def _axes(
    axis: Callable[[int, int, int, tuple[int, int]], Axis],
    x_shape: tuple[int, ...],
    kernel_shape: tuple[int, ...],
    strides: Triple,
    pads: Pads,
) -> Axes:
    time, height, width = map(axis, x_shape[1:4], kernel_shape[:3], strides, pads)
    return time, height, width


def _forward_axis(size: int, taps: int, stride: int, pads: tuple[int, int]) -> Axis:
    result = (size + sum(pads) - taps) // stride + 1
    links = tuple((tap, 0, tap) for tap in range(taps))
    return Axis(result, result, -pads[0], stride, 0, 1, links)


def _gradient_axis(size: int, taps: int, stride: int, pads: tuple[int, int]) -> Axis:
    """Makes the axis of a gradient; a unit has the padded positions of equal quotient by stride."""
    first, last = pads[0] // stride, (size - 1 + pads[0]) // stride
    links = tuple((-(tap // stride), tap % stride, tap) for tap in range(taps))
    return Axis(size, last - first + 1, first, 1, first * stride - pads[0], stride, links)


def _tile(axes: Axes, channels: int, unrolled: int) -> Tile:
    time, height, width = axes
    taps = math.prod(len(axis.links) for axis in axes)
    phases = math.prod(axis.write_step for axis in axes)

    def fits(frames: int, rows: int) -> bool:
        return (
            frames <= _shared(time)
            and rows <= _shared(height)
            and frames * rows * taps <= unrolled
            and frames * rows * phases <= _SUMS
        )

    frames, rows = next((tile for tile in _TILES if fits(*tile)), (1, 1))
    lanes = min(_CHANNELS, pl.next_power_of_2(channels))
    return Tile(frames, rows, min(_BLOCK // lanes, pl.next_power_of_2(width.units)), lanes)


def _shared(axis: Axis) -> int:
    """Returns how many units a tile may have: 1 with a single tap, as units then share no reads."""
    return pl.next_power_of_2(axis.units) if len(axis.links) > 1 else 1


def _counts(axes: Axes, tile: Tile) -> Triple:
    """Returns the numbers of tiles along T, H, W."""
    frames, rows, columns = (
        pl.cdiv(axis.units, size) for axis, size in zip(axes, tile[:3], strict=True)
    )
    return frames, rows, columns


def _compiler_params(tile: Tile) -> pltriton.CompilerParams:
    warps = tile.columns * tile.channels // (32 * _THREAD)
    return pltriton.CompilerParams(num_warps=max(1, warps), num_stages=1)


def _gather(
    source: jax.Array, kernel: jax.Array, axes: Axes, name: str, interpret: bool
) -> jax.Array:
    batch, channels = source.shape[0], source.shape[-1]
    tile = _tile(axes, channels, _UNROLLED)
    frames, rows, columns = _counts(axes, tile)
    shape = batch, *(axis.result for axis in axes), channels
    return pl.pallas_call(
        functools.partial(_gather_body, axes=axes, tile=tile),
        out_shape=jax.ShapeDtypeStruct(shape, source.dtype),
        grid=(pl.cdiv(channels, tile.channels), columns, rows, frames, batch),
        compiler_params=_compiler_params(tile),
        interpret=interpret,
        name=name,
    )(source, kernel)


def _gather_body(source: Ref, kernel: Ref, result: Ref, *, axes: Axes, tile: Tile) -> None:
    columns, lanes = _block(tile, pl.program_id(1), pl.program_id(0))
    units = pl.program_id(3) * tile.frames, pl.program_id(2) * tile.rows, columns
    clip = pl.program_id(4)
    read = _Blocks(source, clip, map(Axis.read, axes, units), lanes)
    sums = dict.fromkeys(_written(axes, tile), jnp.zeros(columns.shape, jnp.float32))
    # The taps of all columns would not fit into the registers, so each column is done separately.
    for column in axes[2].reads(1).items():
        weights: dict[Triple, jax.Array] = {}
        for place, served in _served(axes, tile, column):
            numbers = read.load(place)
            for target, tap in served:
                if tap not in weights:
                    weights[tap] = _weights(kernel, tap, lanes)
                sums[target] += numbers * weights[tap]
    write = _Blocks(result, clip, map(Axis.write, axes, units), lanes)
    for place, total in sums.items():
        write.store(place, total)


def _kernel_gradient_body(
    x: Ref, g: Ref, sums: Ref, *, axes: Axes, tile: Tile, counts: Triple, tiles: int
) -> None:
    channels, part = pl.program_id(0), pl.program_id(1)
    taps = itertools.product(*(range(len(axis.links)) for axis in axes))
    start = dict.fromkeys(taps, jnp.zeros((tile.columns, tile.channels), jnp.float32))

    def add(step: jax.Array, totals: dict[Triple, jax.Array]) -> dict[Triple, jax.Array]:
        clip, frame, row, column = _split(part * tiles + step, counts)
        columns, lanes = _block(tile, column, channels)
        units = frame * tile.frames, row * tile.rows, columns
        read = _Blocks(x, clip, map(Axis.read, axes, units), lanes)
        write = _Blocks(g, clip, map(Axis.write, axes, units), lanes)
        gradients = {place: write.load(place) for place in _written(axes, tile)}
        totals = dict(totals)
        for column_reads in axes[2].reads(1).items():
            for place, served in _served(axes, tile, column_reads):
                numbers = read.load(place)
                for source, tap in served:
                    totals[tap] += numbers * gradients[source]
        return totals

    totals = lax.fori_loop(0, tiles, add, start)
    lanes = channels * tile.channels + jnp.arange(tile.channels)
    for number, tap in enumerate(start):
        total = totals[tap].sum(axis=0)
        pltriton.store(sums.at[part, number, lanes], total, mask=lanes < sums.shape[-1])


def _block(tile: Tile, column: jax.Array, lane: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns the column and the channel of each element of a block."""
    shape = tile.columns, tile.channels
    columns = column * tile.columns + lax.broadcasted_iota(jnp.int32, shape, 0)
    return columns, lane * tile.channels + lax.broadcasted_iota(jnp.int32, shape, 1)


def _split(number: jax.Array, counts: Triple) -> tuple[jax.Array, ...]:
    """Splits a tile's number into clip, frame, row and column; the clip may be past the last."""
    digits: list[jax.Array] = []
    for count in reversed(counts):
        digits.insert(0, lax.rem(number, jnp.int32(count)))
        number = lax.div(number, jnp.int32(count))
    return number, *digits


def _written(axes: Axes, tile: Tile) -> Iterator[Triple]:
    sizes = (units * axis.write_step for units, axis in zip((*tile[:2], 1), axes, strict=True))
    return cast(Iterator[Triple], itertools.product(*map(range, sizes)))


def _served(
    axes: Axes, tile: Tile, column: tuple[int, list[tuple[int, int]]]
) -> Iterator[tuple[Triple, list[tuple[Triple, Triple]]]]:
    """Yields offsets along T, H, W that are read, and the (offset, tap) pairs that each serves."""
    frames, rows = axes[0].reads(tile.frames), axes[1].reads(tile.rows)
    for frame, row in itertools.product(frames, rows):
        pairs = itertools.product(frames[frame], rows[row], column[1])
        yield (frame, row, column[0]), [cast(Any, tuple(zip(*pair, strict=True))) for pair in pairs]


def _weights(kernel: Ref, tap: Triple, lanes: jax.Array) -> jax.Array:
    # A whole block with equal rows, because Triton would distribute a single row over the threads
    # differently from the blocks that it is multiplied by.
    weights = pltriton.load(kernel.at[(*tap, 0, lanes)], mask=lanes < kernel.shape[-1], other=0.0)
    return weights.astype(jnp.float32)


class _Blocks:
    """Loads and stores blocks of columns and channels of an array `[B, T, H, W, C]`."""

    def __init__(self, array: Ref, clip: jax.Array, starts: Iterable[Any], lanes: jax.Array):
        self._array, self._clip, self._starts, self._lanes = array, clip, list(starts), lanes
        self._real = (clip < array.shape[0]) & (lanes < array.shape[-1])
        self._known: dict[tuple[int, int], tuple[jax.Array, jax.Array]] = {}

    def load(self, place: Triple) -> jax.Array:
        """Loads a block as float32, with zeros outside of the array."""
        index, inside = self._at(place)
        numbers = pltriton.load(self._array.at[index], mask=inside, other=0.0)
        return numbers.astype(jnp.float32)

    def store(self, place: Triple, numbers: jax.Array) -> None:
        index, inside = self._at(place)
        pltriton.store(self._array.at[index], numbers.astype(self._array.dtype), mask=inside)

    def _at(self, place: Triple) -> tuple[tuple[jax.Array, ...], jax.Array]:
        indices, insides = zip(*map(self._along, range(3), place), strict=True)
        inside = functools.reduce(jnp.logical_and, insides, self._real)
        return (self._clip, *indices, self._lanes), inside

    def _along(self, axis: int, shift: int) -> tuple[jax.Array, jax.Array]:
        if (axis, shift) not in self._known:
            index = self._starts[axis] + shift
            inside = (index >= 0) & (index < self._array.shape[axis + 1])
            self._known[axis, shift] = index, inside
        return self._known[axis, shift]
