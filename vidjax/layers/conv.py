"""The convolution that all networks use, channels last.

Its parameters do not depend on how it is computed: `vidjax.layers.convolution` has several
algorithms, and a table of measurements selects one for each shape and pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from vidjax.layers.broadcast import broadcast_like
from vidjax.layers.convolution import compute, xla
from vidjax.layers.convolution.problem import Pads, Problem, Triple
from vidjax.layers.lowering import resolve

Padding = str | Sequence[int] | Sequence[tuple[int, int]] | None

# He et al. 2015, eq. 14, with the fan out: the initialisation of all residual networks here.
kaiming_normal = nn.initializers.variance_scaling(2.0, "fan_out", "normal")


def conv3d(
    x: jax.Array,
    kernel: jax.Array,
    strides: Sequence[int] = (1, 1, 1),
    padding: Padding = None,
    groups: int = 1,
    *,
    lowering: str = "auto",
) -> jax.Array:
    """Convolves in time and space.

    Args:
      x: `[B, T, H, W, C]`.
      kernel: `[kt, kh, kw, C / groups, O]`, of the same dtype.
      strides: strides along T, H, W.
      padding: None pads k // 2 on both sides of each axis; or "SAME", "VALID", a number for each
        axis, or a (before, after) pair for each axis.
      groups: number of groups of channels, which are convolved separately.
      lowering: `lax` is XLA's own primitive; `cpu`, `gpu` or `tpu` selects the algorithms that were
        fastest there; `auto` selects those of this backend, if there are measurements.

    Returns:
      `[B, T', H', W', O]` in the dtype of `x`; sums are accumulated in float32.

    Raises:
      ValueError: channels, groups or the padding do not fit.

    Examples:
      >>> import jax.numpy as jnp
      >>> from vidjax.layers.conv import conv3d
      >>> x, kernel = jnp.ones((1, 4, 8, 8, 3)), jnp.ones((3, 3, 3, 3, 16))
      >>> conv3d(x, kernel, strides=(1, 2, 2)).shape
      (1, 4, 4, 4, 16)
    """
    _check(x, kernel, groups)
    stride = _triple(strides)
    pads = _pads(padding, x.shape[1:4], kernel.shape[:3], stride)
    problem = Problem(x.shape, kernel.shape, stride, pads, groups, x.dtype.name)
    lowering = resolve(lowering)
    if lowering == "lax":
        return xla.forward(problem, x, kernel)
    return compute.convolve(problem, x, kernel, lowering)


def _triple(values: Sequence[int]) -> Triple:
    time, height, width = values
    return int(time), int(height), int(width)


def _check(x: jax.Array, kernel: jax.Array, groups: int) -> None:
    if x.ndim != 5 or kernel.ndim != 5:
        raise ValueError(
            f"conv3d takes x [B, T, H, W, C] and kernel [kt, kh, kw, C/groups, O], "
            f"not {x.shape} and {kernel.shape}"
        )
    channels, outputs = x.shape[-1], kernel.shape[-1]
    if channels != groups * kernel.shape[3] or outputs % groups:
        raise ValueError(
            f"a kernel {kernel.shape} in {groups} groups does not fit {channels} channels"
        )


def _pads(padding: Padding, sizes: Sequence[int], kernel: Sequence[int], strides: Triple) -> Pads:
    if padding is None:
        return tuple((size // 2, size // 2) for size in kernel)
    if isinstance(padding, str):
        return tuple(lax.padtype_to_pads(sizes, kernel, strides, padding))
    if len(padding) != 3:
        raise ValueError(f"padding {padding!r}: expected one entry for each of T, H, W")
    return tuple((pad, pad) if isinstance(pad, int) else tuple(pad) for pad in padding)  # type: ignore[misc]


class Conv(nn.Module):
    """A convolution layer with a kernel and, optionally, a bias.

    Attributes:
      features: output channels O.
      kernel_size: kernel size along T, H, W.
      strides: strides along T, H, W.
      padding: as in `conv3d`.
      groups: as in `conv3d`.
      use_bias: add a bias; the networks here have a norm after each convolution instead.
      dtype: dtype of the computation; None is the input's.
      param_dtype: dtype of the parameters.
      kernel_init: initialiser of the kernel.
    """

    features: int
    kernel_size: Triple = (3, 3, 3)
    strides: Triple = (1, 1, 1)
    padding: Padding = None
    groups: int = 1
    use_bias: bool = False
    dtype: Any = None
    param_dtype: Any = jnp.float32
    kernel_init: Any = kaiming_normal

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Convolves `[B, T, H, W, C]`."""
        shape = (*self.kernel_size, x.shape[-1] // self.groups, self.features)
        kernel = self.param("kernel", self.kernel_init, shape, self.param_dtype)
        dtype = self.dtype or x.dtype
        y = conv3d(x.astype(dtype), kernel.astype(dtype), self.strides, self.padding, self.groups)
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros, (self.features,), self.param_dtype)
            y = y + broadcast_like(bias, y)
        return y
