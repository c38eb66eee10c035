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

from vidjax.layers import conv_channelwise_cpu, conv_grouped_cpu
from vidjax.layers.apart import apart
from vidjax.layers.padding import pad

Triple = tuple[int, int, int]
Pads = tuple[tuple[int, int], ...]

# Elements of the patches that are in memory at once: 4 MiB of float32 stay in the cache.
_PATCH_ELEMENTS = 2**20
# Windows' shares of an input gradient that are laid side by side, rather than convolved.
_SHARE_ELEMENTS = 2**22
# XLA's 2D convolution forms its patches in memory too: past this many elements, where a patch is
# long, it falls from 90 to 12-36 GFLOP/s (2 cores, AVX-512), so it is given fewer frames at once.
_CONV2D_ELEMENTS = 2**20
_LONG_PATCH = 200
# Up to so many channels, a block of pixels included, frames are convolved side by side.
_FEW_CHANNELS = 16
# Patches of all taps are worth their copying when they meet this many outputs.
_MANY_OUTPUTS = 32


def conv(x: jax.Array, kernel: jax.Array, strides: Triple, pads: Pads, groups: int) -> jax.Array:
    """Convolves as `vidjax.layers.conv.conv3d` does, whose checks have been made.

    Channel-wise kernels have their own form; other groups are dense convolutions one by one.
    """
    if groups > 1 and kernel.shape[3] == 1 and kernel.shape[4] == groups:
        return conv_channelwise_cpu.conv(x, kernel, strides, pads)
    if groups > 1:
        return conv_grouped_cpu.grouped(
            x, kernel, groups, lambda x, kernel: _dense(x, kernel, strides, pads)
        )
    if x.shape[-1] < _FEW_CHANNELS // 2 and max(strides[1:]) > 1 and kernel.shape[1:3] != (1, 1):
        return _strided_by_blocks(x, kernel, strides, pads)
    return _dense(x, kernel, strides, pads)


def _strided_by_blocks(x: jax.Array, kernel: jax.Array, strides: Triple, pads: Pads) -> jax.Array:
    """A convolution with stride in space as one without, over blocks of pixels.

    With y[o] = sum over q, r of x[(o + q) s + r] w[q s + r], the s pixels r of a block become
    channels: few of them fill the processor's vectors badly, s times s as many do better.
    """
    size = [(x.shape[a + 1] + sum(pads[a]) - kernel.shape[a]) // strides[a] + 1 for a in range(3)]
    blocks = [-(-kernel.shape[axis] // strides[axis]) for axis in range(3)]
    fill, kernel_fill = [pads[0]], [(0, 0)]
    for axis in (1, 2):
        pixels = (size[axis] + blocks[axis] - 1) * strides[axis]
        fill.append((pads[axis][0], pixels - x.shape[axis + 1] - pads[axis][0]))
        kernel_fill.append((0, blocks[axis] * strides[axis] - kernel.shape[axis]))
    x = _to_depth(pad(x, tuple(fill)), strides[1:])
    kernel = jnp.pad(kernel, [*kernel_fill, (0, 0), (0, 0)])
    time, outputs = kernel.shape[0], kernel.shape[-1]
    kernel = kernel.reshape(time, blocks[1], strides[1], blocks[2], strides[2], -1, outputs)
    kernel = kernel.transpose(0, 1, 3, 2, 4, 5, 6).reshape(time, blocks[1], blocks[2], -1, outputs)
    return _dense(x, kernel, (strides[0], 1, 1), ((0, 0),) * 3)


def _to_depth(x: jax.Array, block: tuple[int, ...]) -> jax.Array:
    """Moves blocks of pixels to channels: `[B, T, H, W, C]` to `[B, T, H/b, W/b, b b C]`."""
    batch, time, height, width, channels = x.shape
    rows, columns = block
    x = x.reshape(batch, time, height // rows, rows, width // columns, columns, channels)
    return x.transpose(0, 1, 2, 4, 3, 5, 6).reshape(
        batch, time, height // rows, width // columns, -1
    )


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
    if kernel.shape[-1] >= _MANY_OUTPUTS:
        return _forward_by_patches(x, kernel, strides)
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
    positions = math.prod(g.shape[:4])
    if positions * math.prod(kernel.shape[:4]) <= _SHARE_ELEMENTS:
        return _input_gradient_by_patches(x, kernel, strides, pads, g)
    if strides == (1, 1, 1):
        mirrored = kernel[::-1, ::-1, ::-1].swapaxes(3, 4)
        sizes = kernel.shape[:3]
        before = [size - 1 - pads[axis][0] for axis, size in enumerate(sizes)]
        after = [size - 1 - pads[axis][1] for axis, size in enumerate(sizes)]
        return _forward(g, mirrored, strides, tuple(zip(before, after, strict=True)))
    return _input_gradient_by_phases(x, kernel, strides, pads, g)


def _input_gradient_by_patches(
    x: jax.Array, kernel: jax.Array, strides: Triple, pads: Pads, g: jax.Array
) -> jax.Array:
    """One matrix product gives each window's share of the gradient; windows overlap in sums.

    The kernel, large where positions are few, is read once and in the order it lies in memory.
    """
    outputs, channels = kernel.shape[-1], kernel.shape[3]
    shares = lax.dot_general(
        g.reshape(-1, outputs),
        kernel.reshape(-1, outputs),
        (((1,), (1,)), ((), ())),
        preferred_element_type=jnp.float32,
    )
    shares = shares.reshape(*g.shape[:4], *kernel.shape[:3], channels)
    for axis in (2, 1, 0):
        # Tap axes come last but the channels; each is summed into its place and disappears.
        taps = [lax.index_in_dim(shares, tap, -2, False) for tap in range(kernel.shape[axis])]
        length = x.shape[axis + 1] + sum(pads[axis])
        shares = _overlap(taps, axis + 1, strides[axis], length)
        shares = lax.slice_in_dim(
            shares, pads[axis][0], pads[axis][0] + x.shape[axis + 1], axis=axis + 1
        )
    return shares.astype(x.dtype)


def _overlap(taps: list[jax.Array], axis: int, stride: int, length: int) -> jax.Array:
    """Sums taps into an axis of `length`: tap j of window i lands on position i stride + j."""
    total = jnp.zeros((), taps[0].dtype)
    for tap, values in enumerate(taps):
        config = [(0, 0, 0)] * values.ndim
        span = (values.shape[axis] - 1) * stride + 1
        config[axis] = (tap, length - tap - span, stride - 1)
        total = total + lax.pad(values, jnp.zeros((), values.dtype), config)
    return total


def _input_gradient_by_phases(
    x: jax.Array, kernel: jax.Array, strides: Triple, pads: Pads, g: jax.Array
) -> jax.Array:
    """The gradient of every phase of the stride, each a convolution of `g` without stride.

    With p = m s + r: dx[m s + r] = sum over q of g[m - q] w[q s + r]. The phases r are output
    channels of one convolution and are laid side by side afterwards.
    """
    taps = [-(-kernel.shape[axis] // strides[axis]) for axis in range(3)]
    fill = [(0, taps[axis] * strides[axis] - kernel.shape[axis]) for axis in range(3)]
    channels, outputs = kernel.shape[3:]
    kernel = jnp.pad(kernel, [*fill, (0, 0), (0, 0)])
    kernel = kernel.reshape(
        taps[0], strides[0], taps[1], strides[1], taps[2], strides[2], channels, outputs
    )
    kernel = kernel[::-1, :, ::-1, :, ::-1].transpose(0, 2, 4, 7, 1, 3, 5, 6)
    kernel = kernel.reshape(*taps, outputs, -1)
    phases = _forward(g, kernel, (1, 1, 1), tuple((tap - 1, tap - 1) for tap in taps))
    size = phases.shape[1:4]
    dx = phases.reshape(-1, *size, *strides, channels).transpose(0, 1, 4, 2, 5, 3, 6, 7)
    dx = dx.reshape(-1, *(size[axis] * strides[axis] for axis in range(3)), channels)
    edges = (
        (-pads[axis][0], x.shape[axis + 1] + pads[axis][0] - dx.shape[axis + 1])
        for axis in range(3)
    )
    return pad(dx, tuple(edges))


@functools.partial(jax.jit, static_argnums=(2, 3), inline=False)
def _kernel_gradient(
    x: jax.Array, kernel: jax.Array, strides: Triple, pads: Pads, g: jax.Array
) -> jax.Array:
    x = pad(x, pads)
    if kernel.shape[:3] == (1, 1, 1):
        return _pointwise_gradient(every(x, strides), kernel, g)
    taps, outputs = kernel.shape[0], kernel.shape[-1]
    length, height, width = g.shape[1:4]
    windows = _windows(x, taps, length, strides[0])
    columns = math.prod(kernel.shape[:4])
    chunk = _chunk(windows.shape[0], _PATCH_ELEMENTS // (height * width * columns))

    def add(total: jax.Array, part: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        window, gradient = part
        patches = _patches(window, kernel.shape[1:3], (height, width), strides[1:])
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
    total = total.reshape(outputs, *kernel.shape[1:3], taps, -1).transpose(3, 1, 2, 4, 0)
    # Transposed once here; fused into the optimiser it would be read across memory many times.
    return lax.optimization_barrier(total.astype(kernel.dtype))


def _pointwise_gradient(x: jax.Array, kernel: jax.Array, g: jax.Array) -> jax.Array:
    """Of the two orders of one product, that with the shorter side first is twice as fast."""
    channels, outputs = kernel.shape[3:]
    sides = (x.reshape(-1, channels), g.reshape(-1, outputs))
    turned = outputs < channels
    product = lax.dot_general(
        *(sides[::-1] if turned else sides),
        (((0,), (0,)), ((), ())),
        preferred_element_type=jnp.float32,
    ).astype(kernel.dtype)
    # Turned once here; fused into the optimiser it would be read across memory many times.
    return (apart(jnp.transpose, product) if turned else product).reshape(kernel.shape)


def _forward_by_patches(x: jax.Array, kernel: jax.Array, strides: Triple) -> jax.Array:
    """One matrix product a group of frames, of their patches with the kernel."""
    size = [(x.shape[a + 1] - kernel.shape[a]) // strides[a] + 1 for a in range(3)]
    windows = _windows(x, kernel.shape[0], size[0], strides[0])
    matrix = kernel.transpose(1, 2, 0, 3, 4).reshape(-1, kernel.shape[-1])
    chunk = _chunk(windows.shape[0], _PATCH_ELEMENTS // (size[1] * size[2] * len(matrix)))

    def convolve(window: jax.Array) -> jax.Array:
        patches = _patches(window, kernel.shape[1:3], (size[1], size[2]), strides[1:])
        y = jnp.dot(patches, matrix, preferred_element_type=jnp.float32)
        return y.astype(x.dtype)

    y = lax.map(convolve, windows.reshape(-1, chunk, *windows.shape[1:]))
    return y.reshape(x.shape[0], *size, kernel.shape[-1])


def _windows(x: jax.Array, taps: int, length: int, stride: int) -> jax.Array:
    """The frames each output frame sees, side by side: `[B * T', H, W, kt * C]`."""
    frames = [_tap(x, tap, length, stride) for tap in range(taps)]
    windows = jnp.concatenate(frames, axis=-1)
    return windows.reshape(-1, *windows.shape[2:])


def _patches(
    window: jax.Array, kernel: tuple[int, ...], size: tuple[int, int], strides: tuple[int, ...]
) -> jax.Array:
    """`[n, H, W, C]` to `[n * H' * W', kh * kw * C]`: what each output position saw."""
    views = []
    for top in range(kernel[0]):
        for left in range(kernel[1]):
            bottom = top + (size[0] - 1) * strides[0] + 1
            right = left + (size[1] - 1) * strides[1] + 1
            views.append(window[:, top : bottom : strides[0], left : right : strides[1]])
    patches = jnp.concatenate(views, axis=-1).reshape(-1, len(views) * window.shape[-1])
    # Without the barrier XLA would compute patches element by element inside the product.
    return lax.optimization_barrier(patches)


def _chunk(frames: int, most: int) -> int:
    """The largest divisor of `frames` that is at most `most`, at least 1."""
    return max(size for size in range(1, frames + 1) if frames % size == 0 and size <= max(1, most))


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
    x = x.reshape(-1, *x.shape[2:])

    def convolve(frames: jax.Array) -> jax.Array:
        return lax.conv_general_dilated(
            frames,
            kernel,
            strides[1:],
            "VALID",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )

    columns = math.prod(kernel.shape[:3])
    positions = math.prod((x.shape[a] - kernel.shape[a - 1]) // strides[a] + 1 for a in (1, 2))
    most = _CONV2D_ELEMENTS // (positions * columns) if columns > _LONG_PATCH else len(x)
    if len(x) <= max(most, 1):
        y = convolve(x)
    else:
        chunk = _chunk(len(x), most)
        y = lax.map(convolve, x.reshape(-1, chunk, *x.shape[1:]))
        y = y.reshape(-1, *y.shape[2:])
    return y.reshape(batch, length, *y.shape[1:])
