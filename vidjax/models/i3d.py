"""I3D: Inception v1 inflated to video (Carreira and Zisserman, CVPR 2017)."""

from __future__ import annotations

import functools
from typing import Any

import jax

from vidjax.layers.conv import Conv
from vidjax.layers.norm import BatchNorm
from vidjax.layers.pooling import max_pool
from vidjax.models.cards import Family
from vidjax.models.inception import Inception
from vidjax.models.shared_options import OPTIONS
from vidjax.slots.block import Triple


def same_pool(x: jax.Array, window: Triple, strides: Triple) -> jax.Array:
    """Max-pools with TensorFlow's SAME padding."""
    return max_pool(x, window, strides, "SAME")


def build(
    *, norm_epsilon: float = 1e-3, norm_group_size: int | None = None, **options: Any
) -> Inception:
    """Builds an I3D; everything has TensorFlow's SAME padding.

    Args:
      norm_epsilon: epsilon of the norms.
      norm_group_size: clips that share batch statistics; None is the whole batch.
      **options: as in `Inception`.
    """
    conv = functools.partial(Conv, padding="SAME")
    return Inception(
        conv=conv,
        stem=functools.partial(conv, kernel_size=(7, 7, 7), strides=(2, 2, 2)),
        norm=functools.partial(BatchNorm, epsilon=norm_epsilon, group_size=norm_group_size),
        pool=same_pool,
        **options,
    )


FAMILY_OPTIONS = {
    name: OPTIONS[name] for name in ("width", "dropout", "norm_epsilon", "norm_group_size")
}
_FAMILY = Family(
    build,
    FAMILY_OPTIONS,
    {
        "clip": (64, 224, 224),
        "frame_stride": 1,
        "mean": (0.5, 0.5, 0.5),
        "std": (0.5, 0.5, 0.5),
        "paper": "Carreira, Zisserman: Quo Vadis, Action Recognition? A New Model and the "
        "Kinetics Dataset, CVPR 2017",
        "notes": "Colours are in [-1, 1], at 25 frames per second, and the authors test with long "
        "clips. Table 5.1 prints the operations of 64 frames beside an input of 16; table 7.1 "
        "prints twice the multiply-adds of 16 frames.",
    },
    methods=("class_reg",),
    stages=(2, 3, 4),
    defined_in=(Inception,),
)

VARIANTS = (
    _FAMILY.variant(
        "i3d",
        {},
        12_697_264,
        111_150_686_208,
        "thesis 4.2, 5.1: 12 / 108",
        "CFP 7.1: - / 55.79",
        theta=0.65,
    ),
)
