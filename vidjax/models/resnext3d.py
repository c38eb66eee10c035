"""3D ResNeXt: bottlenecks whose middle convolution is grouped (Hara et al., CVPR 2018)."""

from __future__ import annotations

import functools
from typing import Any

from vidjax.models.cards import Family
from vidjax.models.resnet import DEFINED_IN, ResNet, make_resnet
from vidjax.models.shared_options import OPTIONS, WIDTH
from vidjax.models.stage_blocks import DEPTHS, doubling
from vidjax.models.stem import Stem
from vidjax.settings import optional


def build(*, width: int = 64, groups: int = 32, **options: Any) -> ResNet:
    """Builds a 3D ResNeXt.

    Args:
      width: channels of the stem; blocks have twice as many inside and four times as many outside.
      groups: groups of the middle convolutions, the cardinality.
      **options: as in `make_resnet`.

    Raises:
      ValueError: the width of the blocks is not divisible by the groups.
    """
    if 2 * width % groups:
        raise ValueError(
            f"width = {width}: its blocks have {2 * width} channels, which cannot be divided into "
            f"{groups} groups (groups = {groups})"
        )
    return make_resnet(
        stem=functools.partial(Stem, kernel_size=(7, 7, 7)),
        block="bottleneck",
        width=width,
        features=doubling(4 * width),
        inner=doubling(2 * width),
        groups=groups,
        **options,
    )


_FAMILY = Family(
    build,
    {**OPTIONS, "groups": WIDTH, "stem_width": optional(WIDTH)},
    {
        "clip": (16, 112, 112),
        "frame_stride": 1,
        "mean": (0.4345, 0.4051, 0.3775),
        "std": (0.2768, 0.2713, 0.2737),
        "paper": "Hara, Kataoka, Satoh: Can Spatiotemporal 3D CNNs Retrace the History of 2D "
        "CNNs and ImageNet? CVPR 2018",
        "notes": "This is the published network, with a stem of 64 channels; later code has 128 "
        "(stem_width). Table 7.1 prints twice the multiply-adds at 16x224x224, plus elementwise "
        "operations.",
    },
    refused={
        "multi_temporal": "its convolutions have groups, which MTConvs do not support; "
        "multi_temporal={'kernels': 'depthwise'} is for channel-wise networks such as ir_csn_50"
    },
    defined_in=DEFINED_IN,
)

VARIANTS = (
    _FAMILY.variant(
        "resnext3d_101", {"depths": DEPTHS[101]}, 48_340_816, 9_567_715_328, "CFP 7.1: - / 76.96"
    ),
)
