"""Residual networks for images, for the papers' experiments on images: clips of one frame.

He et al.: Deep Residual Learning for Image Recognition, CVPR 2016. `resnet_50` strides in the 3x3
convolution of its bottlenecks, like torchvision's. `cifar_resnet_110` is from the paper's section
4.2.
"""

from __future__ import annotations

import functools
from typing import Any

from vidjax.models import resnet
from vidjax.models.cards import Family
from vidjax.models.resnet import ResNet, make_resnet
from vidjax.models.shared_options import OPTIONS, depths_of
from vidjax.models.stage_blocks import DEPTHS, HALVING_SPACE, doubling
from vidjax.models.stem import POOL_SPACE, Stem
from vidjax.settings import one_of
from vidjax.slots.block import Triple

KERNELS: dict[str, tuple[Triple, ...]] = {
    "basic": ((1, 3, 3), (1, 3, 3)),
    "bottleneck": ((1, 1, 1), (1, 3, 3), (1, 1, 1)),
}


def build(*, frames: int | None = 1, width: int = 64, whole: Any = None, **options: Any) -> ResNet:
    """Builds a ResNet-50 over frames.

    Args:
      frames: the number of frames of a clip; None means any.
      width: channels of the stem and inside stage 1.
      whole: further fields of the network.
      **options: as in `make_resnet`.
    """
    return make_resnet(
        stem=functools.partial(Stem, kernel_size=(1, 7, 7), pool=POOL_SPACE),
        block="bottleneck",
        kernels=KERNELS["bottleneck"],
        width=width,
        features=doubling(4 * width),
        strides=HALVING_SPACE,
        whole=lambda norm: {"frames": frames, **(whole or {})},
        **options,
    )


def build_cifar(
    *, depths: tuple[int, ...], block: str = "basic", width: int = 16, **options: Any
) -> ResNet:
    """Builds a residual network for images of 32x32: three stages, and no pool in the stem.

    Args:
      depths: blocks of each of the three stages.
      block: `basic` or `bottleneck`.
      width: channels of the stem and inside stage 1.
      **options: as in `make_resnet`.
    """
    expansion = 4 if block == "bottleneck" else 1
    return make_resnet(
        stem=functools.partial(Stem, kernel_size=(1, 3, 3), strides=(1, 1, 1), pool=None),
        block=block,
        depths=depths,
        kernels=KERNELS[block],
        width=width,
        features=doubling(expansion * width)[:3],
        inner=doubling(width)[:3],
        strides=HALVING_SPACE,
        whole=lambda norm: {"frames": 1},
        **options,
    )


# Functions and classes that define the options of networks over frames.
DEFINED_IN = (build, *resnet.DEFINED_IN)
IMAGENET: dict[str, Any] = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
_PAPER = "He et al.: Deep Residual Learning for Image Recognition, CVPR 2016"
_IMAGENET = Family(
    build,
    OPTIONS,
    {"clip": (1, 224, 224), "frame_stride": 1, "paper": _PAPER, **IMAGENET},
    defined_in=DEFINED_IN,
)
_CIFAR = Family(
    build_cifar,
    {**OPTIONS, "depths": depths_of(3), "block": one_of(*KERNELS)},
    {
        "clip": (1, 32, 32),
        "frame_stride": 1,
        "mean": (125.3 / 255, 123.0 / 255, 113.9 / 255),
        "std": (63.0 / 255, 62.1 / 255, 66.7 / 255),
        "paper": _PAPER,
        "notes": "The network has basic blocks with projection shortcuts. shortcut='pad_around' "
        "gives the paper's own zero-padded shortcuts, and block='bottleneck' with depths=(12, 12, "
        "12) gives bottlenecks. The RMS paper does not say which it uses; this is the network "
        "with 1.7 M parameters.",
    },
    stages=(1, 2, 3),
    defined_in=resnet.DEFINED_IN,
)

VARIANTS = (
    _IMAGENET.variant(
        "resnet_50", {"depths": DEPTHS[50]}, 24_327_632, 4_087_955_456, "RMS 6: none given"
    ),
    _CIFAR.variant(
        "cifar_resnet_110",
        {"depths": (18, 18, 18), "block": "basic"},
        1_756_064,
        253_174_784,
        "RMS 6: none given",
    ),
)
