"""Channel-wise 3D convolution for accelerators: a Pallas kernel for each of its three parts.

The forward pass and both gradients do a few multiply-adds per number that they read, so that
memory is what they wait for: each program reads its part of a clip once, from the second level of
the cache or into the fast memory of a TPU, and keeps its sums in registers until they are whole.
A GPU computes what `channelwise_triton` says, a TPU what `channelwise_mosaic` says, and a CPU
interprets the former, slowly, for tests.

Checked by interpretation against XLA's own convolution, and by lowering for CUDA and TPU; the
compilers for an H100 and a TPU v5e take it too. It has not been run, nor timed, on an accelerator.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
from jax import lax

from vidjax.layers.convolution import channelwise_mosaic, channelwise_triton

Triple = tuple[int, int, int]
Pads = tuple[tuple[int, int], ...]


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def conv(x: jax.Array, kernel: jax.Array, strides: Triple, pads: Pads) -> jax.Array:
    """Convolves each of C channels `[B, T, H, W, C]` with its own kernel `[kt, kh, kw, 1, C]`.

    Args:
      x: `[B, T, H, W, C]`, of floating point.
      kernel: `[kt, kh, kw, 1, C]`.
      strides: along T, H, W.
      pads: (before, after) along each of T, H, W; negative padding cuts.

    Returns:
      `[B, T', H', W', C]` in the dtype of `x`; sums are float32.

    Raises:
      ValueError: the shapes do not fit, or the kernel is larger than the padded clip.
    """
    return forward(x, kernel, strides, pads)


def _conv_fwd(
    x: jax.Array, kernel: jax.Array, strides: Triple, pads: Pads
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return forward(x, kernel, strides, pads), (x, kernel)


def _conv_bwd(
    strides: Triple, pads: Pads, saved: tuple[jax.Array, jax.Array], g: jax.Array
) -> tuple[jax.Array, jax.Array]:
    x, kernel = saved
    return (
        input_gradient(x.shape, kernel, strides, pads, g),
        kernel_gradient(x, kernel.shape, strides, pads, g, kernel.dtype),
    )


conv.defvjp(_conv_fwd, _conv_bwd)


def forward(x: jax.Array, kernel: jax.Array, strides: Triple, pads: Pads) -> jax.Array:
    """The convolution alone, without its gradients; as `conv`."""
    _check(x.shape, kernel.shape, strides, pads)
    return _on_its_platform(
        "forward", x, kernel, call=lambda part, x, kernel: part(x, kernel, strides, pads)
    )


def input_gradient(
    x_shape: tuple[int, ...], kernel: jax.Array, strides: Triple, pads: Pads, g: jax.Array
) -> jax.Array:
    """The gradient `[B, T, H, W, C]` of `x`.

    Args:
      x_shape: of `x`.
      kernel: as in `conv`.
      strides: as in `conv`.
      pads: as in `conv`.
      g: gradient `[B, T', H', W', C]` of the output.

    Returns:
      An array of shape `x_shape` in the dtype of `g`; sums are float32.

    Raises:
      ValueError: the shapes do not fit, or the kernel is larger than the padded clip.
    """
    _check_gradient(x_shape, kernel.shape, strides, pads, g)
    return _on_its_platform(
        "input_gradient",
        kernel,
        g,
        call=lambda part, kernel, g: part(x_shape, kernel, strides, pads, g),
    )


def kernel_gradient(
    x: jax.Array,
    kernel_shape: tuple[int, ...],
    strides: Triple,
    pads: Pads,
    g: jax.Array,
    dtype: Any = None,
) -> jax.Array:
    """The gradient `[kt, kh, kw, 1, C]` of the kernel.

    Args:
      x: as in `conv`.
      kernel_shape: of the kernel.
      strides: as in `conv`.
      pads: as in `conv`.
      g: gradient `[B, T', H', W', C]` of the output.
      dtype: of the result; None is that of `x`.

    Returns:
      An array of shape `kernel_shape`; sums are float32, in an order that does not vary.

    Raises:
      ValueError: the shapes do not fit, or the kernel is larger than the padded clip.
    """
    _check_gradient(x.shape, kernel_shape, strides, pads, g)
    sums = _on_its_platform(
        "kernel_gradient", x, g, call=lambda part, x, g: part(x, kernel_shape, strides, pads, g)
    )
    return sums.reshape(kernel_shape).astype(dtype or x.dtype)


def _on_its_platform(part: str, *arrays: jax.Array, call: Callable[..., jax.Array]) -> jax.Array:
    """Calls a part as the platform that a program is compiled for has it."""
    triton, mosaic = getattr(channelwise_triton, part), getattr(channelwise_mosaic, part)
    interpreted = functools.partial(triton, interpret=True)
    return lax.platform_dependent(
        *arrays,
        cpu=functools.partial(call, interpreted),
        cuda=functools.partial(call, triton),
        tpu=functools.partial(call, mosaic),
    )


def _check(
    x_shape: tuple[int, ...], kernel_shape: tuple[int, ...], strides: Triple, pads: Pads
) -> None:
    if len(x_shape) != 5 or len(kernel_shape) != 5 or kernel_shape[3:] != (1, x_shape[-1]):
        raise ValueError(
            f"a channel-wise convolution takes x [B, T, H, W, C] and kernel [kt, kh, kw, 1, C], "
            f"not {x_shape} and {kernel_shape}"
        )
    if len(strides) != 3 or min(strides) < 1 or len(pads) != 3:
        raise ValueError(
            f"strides {strides} and pads {pads}: one stride of 1 or more, and one (before, after), "
            f"for each of T, H, W"
        )
    padded = tuple(size + sum(pad) for size, pad in zip(x_shape[1:4], pads, strict=True))
    if any(taps > size for taps, size in zip(kernel_shape[:3], padded, strict=True)):
        raise ValueError(
            f"a kernel of {kernel_shape[:3]} is larger than the padded clip of {padded}"
        )


def _check_gradient(
    x_shape: tuple[int, ...],
    kernel_shape: tuple[int, ...],
    strides: Triple,
    pads: Pads,
    g: jax.Array,
) -> None:
    _check(x_shape, kernel_shape, strides, pads)
    sizes = zip(x_shape[1:4], kernel_shape[:3], strides, pads, strict=True)
    result = tuple((size + sum(pad) - taps) // stride + 1 for size, taps, stride, pad in sizes)
    if g.shape != (x_shape[0], *result, x_shape[-1]):
        raise ValueError(
            f"the output of x {x_shape} and kernel {kernel_shape} is "
            f"{(x_shape[0], *result, x_shape[-1])}; its gradient is {g.shape}"
        )
