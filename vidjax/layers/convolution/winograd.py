"""Winograd's minimal filtering: two results of three taps by four products instead of six.

Lavin and Gray: Fast Algorithms for Convolutional Neural Networks, CVPR 2016, section 4: F(2, 3).
An axis with three taps and stride 1 is cut into tiles of four entries that overlap by two. Sums and
differences of a tile's entries are multiplied by sums and differences of the taps. A 1x3x3 kernel
takes 16 matrix products over a quarter of the positions each. That is 2.25 times fewer
multiplications than im2col needs, and the copied tiles are four ninths of its patches. Temporal
taps are concatenated in the inner dimension of the products. For kernels with only temporal taps,
time is the axis that is cut into tiles.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax import lax

from vidjax.layers.convolution.algorithm import Algorithm
from vidjax.layers.convolution.in_parts import mapped, parts, summed
from vidjax.layers.convolution.problem import Problem
from vidjax.layers.padding import pad

# Numbers of results and of entries of a tile.
_RESULTS, _ENTRIES = 2, 4
# Most elements of tiles and products in memory at once: 256 MiB of float32.
_ELEMENTS = 2**26
Arrays = list[jax.Array]


def fits(problem: Problem, name: str) -> bool:
    """Accepts dense kernels without stride: kt x 3 x 3 with any kt, or 3 x 1 x 1."""
    del name
    if problem.kind != "dense" or problem.strided:
        return False
    return problem.kernel[1:3] == (3, 3) or problem.kernel[:3] == (3, 1, 1)


def forward(problem: Problem, x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Multiplies transformed tiles by transformed taps, and transforms the products back."""
    axes, matrices = _axes(problem), _matrices(problem, kernel)

    def convolve(x: jax.Array) -> jax.Array:
        tiles = _input_tiles(problem, x)
        products = [_times(tile, matrix) for tile, matrix in zip(tiles, matrices, strict=True)]
        y = _results(lax.optimization_barrier(products), axes)
        time, height, width = problem.size
        return y[:, :time, :height, :width].astype(x.dtype)

    return mapped(convolve, x, _parts(problem))


def input_gradient(problem: Problem, kernel: jax.Array, g: jax.Array) -> jax.Array:
    """Applies the transpose of each step of the forward pass, in reverse order.

    A convolution with the mirrored kernel would need as few products. But this way the tiles of the
    gradient, which are much of the work, also serve the kernel's gradient.
    """
    matrices = _matrices(problem, kernel)

    def spread(g: jax.Array) -> jax.Array:
        tiles = _gradient_tiles(problem, g)
        products = [_times(tile, matrix.T) for tile, matrix in zip(tiles, matrices, strict=True)]
        return _entries(problem, lax.optimization_barrier(products)).astype(g.dtype)

    return mapped(spread, g, _parts(problem))


def kernel_gradient(problem: Problem, x: jax.Array, g: jax.Array) -> jax.Array:
    """Multiplies the tiles of input and gradient, summing over positions."""

    def contract(x: jax.Array, g: jax.Array) -> jax.Array:
        pairs = zip(_input_tiles(problem, x), _gradient_tiles(problem, g), strict=True)
        return jnp.stack([_across(tile, gradient) for tile, gradient in pairs])

    products = summed(contract, (x, g), _parts(problem))
    axes = _axes(problem)
    rest = [1 if axis in axes else problem.kernel[axis] for axis in range(3)]
    products = products.reshape(-1, *rest, *problem.kernel[3:])
    return _tap_gradients(list(products), axes).astype(x.dtype)


ALGORITHM = Algorithm(fits, forward, input_gradient, kernel_gradient)


def _axes(problem: Problem) -> tuple[int, ...]:
    return (0,) if problem.extent == "time" else (1, 2)


def _parts(problem: Problem) -> int:
    axes = len(_axes(problem))
    widest = max(problem.kernel[0] * problem.kernel[3], problem.outputs)
    return parts(problem.shape[0], problem.positions * 2**axes * widest, _ELEMENTS)


def _tiled(array: jax.Array, axes: Sequence[int], along: Callable[..., Arrays]) -> Arrays:
    """Transforms an array along each axis in turn; each turn makes four arrays of one."""
    arrays = [array]
    for axis in axes:
        arrays = list(itertools.chain(*(along(each, axis) for each in arrays)))
    return arrays


def _interleaved(arrays: Arrays, axes: Sequence[int], along: Callable[..., Arrays]) -> jax.Array:
    """Transforms back: along each axis, makes two arrays of four, and interleaves them.

    The sums along all axes come first, so that intermediate arrays are not written to memory.
    """
    if not axes:
        return arrays[0]
    axis, *others = axes
    rest = len(arrays) // _ENTRIES
    fours = zip(*(arrays[i : i + rest] for i in range(0, len(arrays), rest)), strict=True)
    halves = zip(*(along(*four, axis) for four in fours), strict=True)
    even, odd = (_interleaved(list(half), others, along) for half in halves)
    pairs = jnp.stack([even, odd], axis + 2)
    return pairs.reshape(*even.shape[: axis + 1], -1, *even.shape[axis + 2 :])


def _input_tiles(problem: Problem, x: jax.Array) -> Arrays:
    """Transforms the input to tiles `[B, T', H', W', C]`; kt C channels if time is not tiled."""
    axes = _axes(problem)
    # Sums of bfloat16 entries have more bits than bfloat16.
    x = x.astype(jnp.float32)

    def along(array: jax.Array, axis: int) -> Arrays:
        span = array.shape[axis + 1] - _ENTRIES + 1
        a, b, c, d = (
            lax.slice_in_dim(array, i, i + span, _RESULTS, axis + 1) for i in range(_ENTRIES)
        )
        return [a - c, b + c, c - b, b - d]

    tiles = lax.optimization_barrier(_tiled(pad(x, _sides(problem)), axes, along))
    taps, length = problem.kernel[0], problem.size[0]
    if 0 in axes or taps == 1:
        return tiles
    windows = [
        jnp.concatenate([tile[:, tap : tap + length] for tap in range(taps)], -1) for tile in tiles
    ]
    return lax.optimization_barrier(windows)


def _entries(problem: Problem, products: Arrays) -> jax.Array:
    """Applies the transpose of `_input_tiles`, to `[B, T, H, W, C]`: overlapping entries add up."""
    axes = _axes(problem)

    def along(a: jax.Array, b: jax.Array, c: jax.Array, d: jax.Array, axis: int) -> Arrays:
        even = _after(a, axis) + _before(b + c - a, axis)
        return [even, _after(b - c + d, axis) - _before(d, axis)]

    taps = problem.kernel[0]
    if 0 not in axes and taps > 1:
        products = [_overlapping(product, taps) for product in products]
    sides = tuple((-before, -after) for before, after in _sides(problem))
    return pad(_interleaved(products, axes, along), sides)


def _after(array: jax.Array, axis: int) -> jax.Array:
    """Appends a tile of zeros."""
    return _beside(array, axis, (0, 1))


def _before(array: jax.Array, axis: int) -> jax.Array:
    """Prepends a tile of zeros."""
    return _beside(array, axis, (1, 0))


def _beside(array: jax.Array, axis: int, sides: tuple[int, int]) -> jax.Array:
    return pad(array, tuple(sides if a == axis else (0, 0) for a in range(3)))


def _overlapping(product: jax.Array, taps: int) -> jax.Array:
    """Adds the channels of each temporal tap to the frame that they came from."""
    shares = jnp.split(product, taps, -1)
    placed = (
        pad(share, ((tap, taps - 1 - tap), (0, 0), (0, 0))) for tap, share in enumerate(shares)
    )
    return functools.reduce(jnp.add, placed)


def _sides(problem: Problem) -> tuple[tuple[int, int], ...]:
    """Returns the padding along T, H, W that makes a whole number of tiles."""
    sides = list(problem.pads)
    for axis in _axes(problem):
        entries = _RESULTS * math.ceil(problem.size[axis] / _RESULTS) + _ENTRIES - _RESULTS
        before = problem.pads[axis][0]
        sides[axis] = (before, entries - problem.shape[axis + 1] - before)
    return tuple(sides)


def _matrices(problem: Problem, kernel: jax.Array) -> Arrays:
    """Returns the matrices for the tiles, `[kt * C, O]` or `[C, O]` each."""
    return [tile.reshape(-1, tile.shape[-1]) for tile in _tap_tiles(problem, kernel)]


def _tap_tiles(problem: Problem, kernel: jax.Array) -> Arrays:
    """Transforms the taps to sums and differences, `[kt, 1, 1, C, O]` or `[1, 1, 1, C, O]` each."""

    def along(array: jax.Array, axis: int) -> Arrays:
        first, second, third = (lax.slice_in_dim(array, i, i + 1, axis=axis) for i in range(3))
        outer = 0.5 * (first + third)
        return [first, outer + 0.5 * second, outer - 0.5 * second, third]

    return _tiled(kernel.astype(jnp.float32), _axes(problem), along)


def _results(products: Arrays, axes: Sequence[int]) -> jax.Array:
    """Transforms products back to two results per tile, and interleaves them."""

    def along(a: jax.Array, b: jax.Array, c: jax.Array, d: jax.Array, axis: int) -> Arrays:
        del axis
        return [a + b + c, b - c - d]

    return _interleaved(products, axes, along)


def _gradient_tiles(problem: Problem, g: jax.Array) -> Arrays:
    """Applies the transpose of `_results`: returns the gradient of each product."""
    axes = _axes(problem)
    ends = {axis: _RESULTS * math.ceil(problem.size[axis] / _RESULTS) for axis in axes}
    # The appended tile of zeros is never read. Without this padding, XLA would repeat the backward
    # pass of the norm and the activation, which the gradient comes from, in each of the tiles.
    lengths = [ends[axis] + _RESULTS if axis in axes else g.shape[axis + 1] for axis in range(3)]
    sides = tuple((0, length - g.shape[axis + 1]) for axis, length in enumerate(lengths))

    def along(array: jax.Array, axis: int) -> Arrays:
        places = [slice(first, ends[axis], _RESULTS) for first in range(_RESULTS)]
        even, odd = (array[(slice(None),) * (axis + 1) + (place,)] for place in places)
        return [even, even + odd, even - odd, -odd]

    return lax.optimization_barrier(_tiled(pad(g.astype(jnp.float32), sides), axes, along))


def _tap_gradients(products: Arrays, axes: Sequence[int]) -> jax.Array:
    """Applies the transpose of `_tap_tiles`: returns the gradient of the taps."""

    def along(four: Arrays, axis: int) -> jax.Array:
        a, b, c, d = four
        outer = 0.5 * (b + c)
        return jnp.concatenate([a + outer, 0.5 * (b - c), outer + d], axis)

    for axis in reversed(axes):
        firsts = range(0, len(products), _ENTRIES)
        products = [along(products[i : i + _ENTRIES], axis) for i in firsts]
    return products[0]


def _times(tile: jax.Array, matrix: jax.Array) -> jax.Array:
    rows = tile.reshape(-1, len(matrix))
    product = jnp.dot(rows, matrix, preferred_element_type=jnp.float32)
    return product.reshape(*tile.shape[:4], -1)


def _across(tile: jax.Array, gradient: jax.Array) -> jax.Array:
    return lax.dot_general(
        tile.reshape(-1, tile.shape[-1]),
        gradient.reshape(-1, gradient.shape[-1]),
        (((0,), (0,)), ((), ())),
        preferred_element_type=jnp.float32,
    )
