"""Dense 3D convolution for the CPU: sums of 2D convolutions, and matrix products for gradients.

XLA's own 3D convolution reaches a third of the speed of its 2D one on a CPU, and its kernel
gradient less. Here the forward pass and the input's gradient are 2D convolutions, one a tap in
time; the kernel's gradient is one matrix product per group of frames, of the output's gradient
with the frames' patches, contracted over positions, the order in which the CPU is fastest.
"""

from __future__ import annotations

import functools
import math

import jax
import jax.numpy as jnp
from jax import lax

from vidjax.layers import conv_channelwise_cpu

Triple = tuple[int, int, int]
Pads = tuple[tuple[int, int], ...]

# Elements of the patches that are in memory at once: 16 MiB of float32 stay near the cache.
_PATCH_ELEMENTS = 2**22
# With so few channels, taps in time are cheaper side by side in one 2D convolution.
_FEW_CHANNELS = 8


def conv(x: jax.Array, kernel: jax.Array, strides: Triple, pads: Pads, groups: int) -> jax.Array:
    """Convolves as `vidjax.layers.conv.conv3d` does, whose checks have been made.

    Channel-wise kernels have their own form; other groups become one dense kernel with zeros
    between the groups.
    """
    if groups > 1 and kernel.shape[3] == 1 and kernel.shape[4] == groups:
        return conv_channelwise_cpu.conv(x, kernel, strides, pads)
    if groups > 1:
        kernel = _block_diagonal(kernel, groups)
    return _dense(x, kernel, strides, pads)


def _block_diagonal(kernel: jax.Array, groups: int) -> jax.Array:
    """`[..., C/g, O]` to `[..., C, O]`: zero where input and output are of different groups."""
    blocks = kernel.reshape(*kernel.shape[:4], groups, -1)
    spread = jnp.einsum("thwcgo,gk->thwkcgo", blocks, jnp.eye(groups, dtype=kernel.dtype))
    return spread.reshape(*kernel.shape[:3], groups * kernel.shape[3], kernel.shape[4])


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _dense(x: jax.Array, kernel: jax.Array, strides: Triple, pads: Pads) -> jax.Array:
    return _forward(x, kernel, strides, pads)


def _dense_fwd(
    x: jax.Array, kernel: jax.Array, strides: Triple, pads: Pads
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return _forward(x, kernel, strides, pads), (x, kernel)


def _dense_bwd(
    strides: Triple, pads: Pads, saved: tuple[jax.Array, jax.Array], g: jax.Array
) -> tuple[jax.Array, jax.Array]:
    x, kernel = saved
    return _input_gradient(x, kernel, strides, pads, g), _kernel_gradient(
        x, kernel, strides, pads, g
    )


_dense.defvjp(_dense_fwd, _dense_bwd)


@functools.partial(jax.jit, static_argnums=(2, 3), inline=False)
def _forward(x: jax.Array, kernel: jax.Array, strides: Triple, pads: Pads) -> jax.Array:
    x = pad(x, pads)
    if kernel.shape[:3] == (1, 1, 1):
        return _pointwise(every(x, strides), kernel)
    taps = kernel.shape[0]
    length = (x.shape[1] - taps) // strides[0] + 1
    frames = [_tap(x, tap, length, strides[0]) for tap in range(taps)]
    if kernel.shape[1:3] == (1, 1):
        parts = [
            _pointwise(every(frame, (1, *strides[1:])), kernel[tap : tap + 1])
            for tap, frame in enumerate(frames)
        ]
        return sum(parts[1:], parts[0])
    if taps > 1 and x.shape[-1] <= _FEW_CHANNELS:
        side_by_side = kernel.transpose(1, 2, 0, 3, 4).reshape(
            *kernel.shape[1:3], -1, kernel.shape[-1]
        )
        return _conv2d(jnp.concatenate(frames, axis=-1), side_by_side, strides)
    parts = [_conv2d(frame, kernel[tap], strides) for tap, frame in enumerate(frames)]
    return sum(parts[1:], parts[0])


@functools.partial(jax.jit, static_argnums=(2, 3), inline=False)
def _input_gradient(
    x: jax.Array, kernel: jax.Array, strides: Triple, pads: Pads, g: jax.Array
) -> jax.Array:
    """A convolution of the gradient, spread to stride 1, with the mirrored kernel."""
    if kernel.shape[:3] == (1, 1, 1):
        g = _pointwise(g, kernel.swapaxes(3, 4))
        kernel = jnp.ones((1, 1, 1, 1, 1), kernel.dtype)
    config = [(0, 0, 0)]
    for axis in range(3):
        size = kernel.shape[axis]
        before = size - 1 - pads[axis][0]
        spread = (g.shape[axis + 1] - 1) * strides[axis] + 1
        after = x.shape[axis + 1] + size - 1 - before - spread
        config.append((before, after, strides[axis] - 1))
    g = lax.pad(g, jnp.zeros((), g.dtype), [*config, (0, 0, 0)])
    if kernel.shape[:3] == (1, 1, 1):
        return g
    mirrored = kernel[::-1, ::-1, ::-1].swapaxes(3, 4)
    return _forward(g, mirrored, (1, 1, 1), ((0, 0),) * 3)


@functools.partial(jax.jit, static_argnums=(2, 3), inline=False)
def _kernel_gradient(
    x: jax.Array, kernel: jax.Array, strides: Triple, pads: Pads, g: jax.Array
) -> jax.Array:
    x = pad(x, pads)
    taps, outputs = kernel.shape[0], kernel.shape[-1]
    length, height, width = g.shape[1:4]
    windows = jnp.stack([_tap(x, tap, length, strides[0]) for tap in range(taps)], axis=2)
    windows = windows.reshape(-1, *windows.shape[2:])
    columns = math.prod(kernel.shape[:4])
    chunk = _chunk(windows.shape[0], _PATCH_ELEMENTS // (height * width * columns))

    def add(total: jax.Array, part: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        window, gradient = part
        patches = lax.optimization_barrier(
            _patches(window, kernel.shape[1:3], (height, width), strides[1:])
        )
        product = lax.dot_general(
            gradient.reshape(-1, outputs),
            patches,
            (((0,), (0,)), ((), ())),
            preferred_element_type=jnp.float32,
        )
        return total + product, None

    parts = (
        windows.reshape(-1, chunk, *windows.shape[1:]),
        g.reshape(-1, chunk, height, width, outputs),
    )
    start = jnp.zeros((outputs, columns), jnp.float32)
    if parts[0].shape[0] == 1:
        total, _ = add(start, jax.tree.map(lambda part: part[0], parts))
    else:
        total, _ = lax.scan(add, start, parts)
    return total.T.reshape(kernel.shape).astype(kernel.dtype)


def _patches(
    window: jax.Array, kernel: tuple[int, ...], size: tuple[int, int], strides: tuple[int, ...]
) -> jax.Array:
    """`[n, kt, H, W, C]` to `[n * H' * W', kt * kh * kw * C]`: what each output position saw."""
    views = []
    for tap in range(window.shape[1]):
        for top in range(kernel[0]):
            for left in range(kernel[1]):
                bottom = top + (size[0] - 1) * strides[0] + 1
                right = left + (size[1] - 1) * strides[1] + 1
                views.append(window[:, tap, top : bottom : strides[0], left : right : strides[1]])
    return jnp.concatenate(views, axis=-1).reshape(-1, len(views) * window.shape[-1])


def _chunk(frames: int, most: int) -> int:
    """The largest divisor of `frames` that is at most `most`, at least 1."""
    return max(size for size in range(1, frames + 1) if frames % size == 0 and size <= max(1, most))


def pad(x: jax.Array, pads: Pads) -> jax.Array:
    """Pads T, H, W with zeros; negative padding cuts."""
    if not any(side for axis in pads for side in axis):
        return x
    config = [(0, 0, 0), *((before, after, 0) for before, after in pads), (0, 0, 0)]
    return lax.pad(x, jnp.zeros((), x.dtype), config)


def every(x: jax.Array, strides: Triple) -> jax.Array:
    """Every so manyth position along T, H, W."""
    time, height, width = strides
    return x[:, ::time, ::height, ::width]


def _tap(x: jax.Array, tap: int, length: int, stride: int) -> jax.Array:
    return lax.slice_in_dim(x, tap, tap + (length - 1) * stride + 1, stride, axis=1)


def _pointwise(x: jax.Array, kernel: jax.Array) -> jax.Array:
    product = lax.dot_general(
        x.reshape(-1, x.shape[-1]),
        kernel[0, 0, 0],
        (((1,), (0,)), ((), ())),
        preferred_element_type=jnp.float32,
    )
    return product.reshape(*x.shape[:-1], -1).astype(x.dtype)


def _conv2d(x: jax.Array, kernel: jax.Array, strides: Triple) -> jax.Array:
    batch, length = x.shape[:2]
    y = lax.conv_general_dilated(
        x.reshape(-1, *x.shape[2:]),
        kernel,
        strides[1:],
        "VALID",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    return y.reshape(batch, length, *y.shape[1:])
