"""Channel-wise 3D convolution on a TPU, in Pallas kernels that Mosaic compiles.

Each program holds a window of whole rows in VMEM. Columns are along the sublanes of a vector, and
channels along its lanes. So taps in time and height read other vectors, and only taps in width
shift one. Products with the same shift are added up first, so each row is shifted once per shift.
A copy before the kernel pads the clips, and separates the columns of each phase of the stride.

The input's gradient is a convolution of the output's gradient, with zeros between strided
positions, by the mirrored kernel. Multiplying those zeros makes it as slow as a layer without
stride. Only the few layers that downsample have a stride.
"""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu

from vidjax.layers.convolution.problem import Pads, Triple
from vidjax.layers.padding import pad

Ref = Any

# Most bytes of a window of x. There are two at a time, in the 16 MiB of VMEM that a kernel gets.
_WINDOW = 3 * 2**20
# Frames and rows of the result per program, largest first; the first whose window fits is used.
_TILES = ((4, 8), (2, 8), (2, 4), (1, 4), (1, 2), (1, 1))
_SUBLANES, _LANES = 8, 128


class Layout(NamedTuple):
    """How a convolution is divided into programs.

    Attributes:
      taps: taps of the kernel along T, H, W.
      strides: strides along T, H, W.
      result: frames, rows and columns of the result.
      tile: frames and rows of the result per program.
      columns: columns in each phase of a row of x; a phase has equal remainders modulo the stride.
    """

    taps: Triple
    strides: Triple
    result: Triple
    tile: tuple[int, int]
    columns: int

    @property
    def counts(self) -> tuple[int, int]:
        """Numbers of programs along T and H."""
        return pl.cdiv(self.result[0], self.tile[0]), pl.cdiv(self.result[1], self.tile[1])

    @property
    def window(self) -> tuple[int, int]:
        """Frames and rows of x that a program reads."""
        return (
            (self.tile[0] - 1) * self.strides[0] + self.taps[0],
            (self.tile[1] - 1) * self.strides[1] + self.taps[1],
        )


def forward(
    x: jax.Array, kernel: jax.Array, strides: Triple, pads: Pads, *, interpret: bool = False
) -> jax.Array:
    """Computes `[B, T', H', W', C]`, as described in `pallas.forward`."""
    layout = _layout(x, kernel.shape, strides, pads)
    channels = x.shape[-1]
    weights = kernel.reshape(-1, channels).astype(jnp.float32)
    return pl.pallas_call(
        functools.partial(_forward_body, layout=layout),
        out_shape=jax.ShapeDtypeStruct((x.shape[0], *layout.result, channels), x.dtype),
        grid=(x.shape[0], *layout.counts),
        in_specs=[_window_spec(layout, channels), _whole_spec(weights.shape)],
        out_specs=_result_spec(layout, channels),
        compiler_params=_order(pltpu.PARALLEL),
        interpret=interpret,
        name="channelwise_forward",
    )(_windows(x, layout, pads), weights)


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
    gaps = [(0, 0, 0), *((0, 0, stride - 1) for stride in strides), (0, 0, 0)]
    g = lax.pad(g, jnp.zeros((), g.dtype), gaps)
    around = []
    for axis, (before, _) in enumerate(pads):
        first = kernel.shape[axis] - 1 - before
        around.append((first, x_shape[axis + 1] + before - g.shape[axis + 1]))
    return forward(g, kernel[::-1, ::-1, ::-1], (1, 1, 1), tuple(around), interpret=interpret)


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

    The programs run one after another, and add to the same sums.
    """
    layout = _layout(x, kernel_shape, strides, pads)
    channels = x.shape[-1]
    whole = zip(layout.counts, layout.tile, g.shape[1:3], strict=True)
    fill = tuple((0, count * tile - size) for count, tile, size in whole)
    sums_shape = math.prod(layout.taps), _SUBLANES, channels
    sums = pl.pallas_call(
        functools.partial(_kernel_gradient_body, layout=layout),
        out_shape=jax.ShapeDtypeStruct(sums_shape, jnp.float32),
        grid=(x.shape[0], *layout.counts),
        in_specs=[_window_spec(layout, channels), _result_spec(layout, channels)],
        out_specs=_whole_spec(sums_shape),
        compiler_params=_order(pltpu.ARBITRARY),
        interpret=interpret,
        name="channelwise_kernel_gradient",
    )(_windows(x, layout, pads), pad(g, (*fill, (0, 0))))
    return sums.sum(axis=1)


def _layout(x: jax.Array, kernel_shape: tuple[int, ...], strides: Triple, pads: Pads) -> Layout:
    time, height, width = kernel_shape[:3]
    sizes = zip(x.shape[1:4], kernel_shape[:3], strides, pads, strict=True)
    frames, rows, columns = (
        (size + sum(side) - taps) // stride + 1 for size, taps, stride, side in sizes
    )
    result, columns = (frames, rows, columns), columns + (width - 1) // strides[2]
    columns = pl.cdiv(columns, _SUBLANES) * _SUBLANES
    row = strides[2] * columns * pl.cdiv(x.shape[-1], _LANES) * _LANES * x.dtype.itemsize
    for tile in _TILES:
        layout = Layout((time, height, width), strides, result, tile, columns)
        if math.prod(layout.window) * row <= _WINDOW:
            return layout
    raise ValueError(
        f"a kernel of {time} x {height} rows of {columns * strides[2]} columns and {x.shape[-1]} "
        f"channels does not fit into a TPU's VMEM: use XLA's convolution"
    )


def _windows(x: jax.Array, layout: Layout, pads: Pads) -> jax.Array:
    """Pads to whole windows, and separates columns by phase: `[B, T, H, phases, W/phases, C]`."""
    sizes = [
        (count * tile - 1) * stride + taps
        for count, tile, stride, taps in zip(
            layout.counts, layout.tile, layout.strides, layout.taps, strict=False
        )
    ]
    phases = layout.strides[2]
    sizes.append(layout.columns * phases)
    fill = zip(pads, sizes, x.shape[1:4], strict=True)
    x = pad(x, tuple((before, size - before - now) for (before, _), size, now in fill))
    x = x.reshape(*x.shape[:3], layout.columns, phases, x.shape[-1])
    return x.swapaxes(3, 4)


def _window_spec(layout: Layout, channels: int) -> pl.BlockSpec:
    shape = 1, *layout.window, layout.strides[2], layout.columns, channels
    frames, rows = (n * stride for n, stride in zip(layout.tile, layout.strides, strict=False))
    return pl.BlockSpec(
        tuple(map(pl.Element, shape)), lambda b, t, h: (b, t * frames, h * rows, 0, 0, 0)
    )


def _result_spec(layout: Layout, channels: int) -> pl.BlockSpec:
    shape = 1, *layout.tile, layout.result[2], channels
    return pl.BlockSpec(shape, lambda b, t, h: (b, t, h, 0, 0))


def _whole_spec(shape: tuple[int, ...]) -> pl.BlockSpec:
    return pl.BlockSpec(shape, lambda *_: (0,) * len(shape))


def _order(semantics: pltpu.GridDimensionSemantics) -> pltpu.CompilerParams:
    return pltpu.CompilerParams(dimension_semantics=(semantics,) * 3)


def _forward_body(x: Ref, weights: Ref, y: Ref, *, layout: Layout) -> None:
    def row(number: jax.Array, nothing: None) -> None:
        frame, line = _frame_and_row(number, layout)
        sums: dict[int, jax.Array] = {}
        for tap, numbers in _tapped(x, frame, line, layout):
            place = _number(tap, layout)
            share = numbers * weights[place : place + 1]
            shift = tap[2] // layout.strides[2]
            sums[shift] = sums[shift] + share if shift in sums else share
        width = layout.result[2]
        shifted = [numbers[shift : shift + width] for shift, numbers in sums.items()]
        y[0, frame, line] = functools.reduce(jnp.add, shifted).astype(y.dtype)

    lax.fori_loop(0, math.prod(layout.tile), row, None)


def _kernel_gradient_body(x: Ref, g: Ref, sums: Ref, *, layout: Layout) -> None:
    def add(number: jax.Array, totals: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        frame, line = _frame_and_row(number, layout)
        gradient = g[0, frame, line].astype(jnp.float32)
        shifts = range((layout.taps[2] - 1) // layout.strides[2] + 1)
        shifted = [_shifted(gradient, shift, layout.columns) for shift in shifts]
        result = list(totals)
        for tap, numbers in _tapped(x, frame, line, layout):
            product = numbers * shifted[tap[2] // layout.strides[2]]
            share = product.reshape(-1, _SUBLANES, product.shape[-1]).sum(axis=0)
            result[_number(tap, layout)] += share
        return tuple(result)

    @pl.when(functools.reduce(jnp.logical_and, [pl.program_id(a) == 0 for a in range(3)]))
    def _() -> None:
        sums[...] = jnp.zeros(sums.shape, sums.dtype)

    start = (jnp.zeros(sums.shape[1:], jnp.float32),) * math.prod(layout.taps)
    totals = lax.fori_loop(0, math.prod(layout.tile), add, start)
    for place, total in enumerate(totals):
        sums[place] += total


def _frame_and_row(number: jax.Array, layout: Layout) -> tuple[jax.Array, jax.Array]:
    rows = layout.tile[1]
    return lax.div(number, jnp.int32(rows)), lax.rem(number, jnp.int32(rows))


def _tapped(x: Ref, frame: jax.Array, row: jax.Array, layout: Layout) -> Any:
    """Yields each tap with the columns that it meets in a row, float32 `[W/phases, C]`."""
    for time, height, phase in itertools.product(
        range(layout.taps[0]), range(layout.taps[1]), range(layout.strides[2])
    ):
        t, h = frame * layout.strides[0] + time, row * layout.strides[1] + height
        numbers = x[0, t, h, phase].astype(jnp.float32)
        for width in range(phase, layout.taps[2], layout.strides[2]):
            yield (time, height, width), numbers


def _number(tap: Triple, layout: Layout) -> int:
    return (tap[0] * layout.taps[1] + tap[1]) * layout.taps[2] + tap[2]


def _shifted(numbers: jax.Array, shift: int, columns: int) -> jax.Array:
    """Shifts `[W, C]` by some columns, and pads it with zeros to `columns` columns."""
    return jnp.pad(numbers, ((shift, columns - shift - numbers.shape[0]), (0, 0)))
