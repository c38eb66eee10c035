"""TSM: an image network whose frames exchange channels (Lin et al., ICCV 2019)."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from vidjax.layers.temporal_shift import TemporalShift
from vidjax.models import resnet2d
from vidjax.models.cards import Family
from vidjax.models.resnet import ResNet
from vidjax.models.shared_options import OPTIONS
from vidjax.models.stage_blocks import DEPTHS
from vidjax.settings import whole
from vidjax.slots.block import Make


class FrameFeatures(nn.Module):
    """Averages each frame over space: frames are classified one by one."""

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps `[B, T, H, W, C]` to float32 `[B, T, C]`."""
        del train
        return jnp.mean(x, axis=(2, 3), dtype=jnp.float32)


def build(*, fraction: int = 8, dropout: float = 0.5, **options: Any) -> ResNet:
    """Builds a ResNet over frames with temporal shifts at the start of every branch.

    Args:
      fraction: 1 / fraction of the channels comes from the next frame, and as many from the
        previous.
      dropout: dropout rate before the classifier.
      **options: as in `make_resnet`.
    """

    def parts(norm: Make) -> Mapping[str, Any]:
        return {"enter": functools.partial(TemporalShift, fraction)}

    return resnet2d.build(
        frames=None,
        parts=parts,
        whole={"neck": FrameFeatures},
        dropout=dropout,
        **options,
    )


_FAMILY = Family(
    build,
    {**OPTIONS, "fraction": whole(2, 65_536)},
    {
        "clip": (8, 224, 224),
        "frame_stride": 8,
        "paper": "Lin, Gan, Han: TSM: Temporal Shift Module for Efficient Video Understanding, "
        "ICCV 2019",
        "notes": "The printed 65 are the multiply-adds of 16 frames.",
        **resnet2d.IMAGENET,
    },
    defined_in=resnet2d.DEFINED_IN,
)

VARIANTS = (
    _FAMILY.variant(
        "tsm_50", {"depths": DEPTHS[50]}, 24_327_632, 32_703_643_648, "thesis 4.2, 5.1: 24.3 / 65"
    ),
)
