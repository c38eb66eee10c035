"""R(2+1)D: residual networks whose convolutions are factorised into space and time.

Tran et al.: A Closer Look at Spatiotemporal Convolutions for Action Recognition, CVPR 2018.
Published implementations differ in stem, pooling and middle channels; `variant` selects one. The
thesis' own backbones are `_e1`.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

from vidjax.layers.conv import Conv
from vidjax.layers.conv2plus1d import Conv2Plus1D, mid_channels
from vidjax.models.blocks import Factories
from vidjax.models.cards import Family
from vidjax.models.resnet import DEFINED_IN, ResNet, make_resnet
from vidjax.models.shared_options import EXPANSION, OPTIONS, WIDTH
from vidjax.models.stage_blocks import DEPTHS, HALVING, Vary, doubling
from vidjax.models.stem import POOL, POOL_SPACE, Stem
from vidjax.settings import boolean, one_of, optional
from vidjax.slots.block import Make, Triple

IMPLEMENTATIONS = ("tran", "torchvision", "hara", "pytorchvideo", "mmaction2", "thesis")
# Epsilon of projects whose networks come from VMZ.
VMZ_EPSILON = 1e-3
# MMAction2 uses PyTorch's default between the two parts of a convolution.
BETWEEN_EPSILON = 1e-5
PTV_STRIDES: tuple[Triple, ...] = ((1, 2, 2), (1, 2, 2), (2, 2, 2), (2, 2, 2))


def build(
    *,
    depths: tuple[int, ...],
    block: str,
    variant: str = "tran",
    width: int = 64,
    expansion: int | None = None,
    stem_pool: bool = True,
    **options: Any,
) -> ResNet:
    """Builds an R(2+1)D network.

    Args:
      depths: blocks of each stage.
      block: `basic` or `bottleneck`.
      variant: implementation: `tran` (VMZ), `torchvision` (the middle channels of a block follow
        from its input), `hara`, `pytorchvideo` (time before space, as many middle channels as
        output channels), `mmaction2` (epsilon 1e-5 between the parts of a convolution, and 1e-3
        elsewhere unless `norm_epsilon` is given), or `thesis` (bottleneck expansion 1).
      width: channels of the stem and inside stage 1.
      expansion: output width of a stage, as a multiple of its inner width; None is the variant's.
      stem_pool: whether a max-pool follows the stem, if the variant has one; the thesis' code had
        none before November 2020.
      **options: as in `make_resnet`.
    """
    deep = block == "bottleneck"
    stem_kernel, stem_mid, pool = _stem(variant, deep)
    pool = pool if stem_pool else None
    expansion = expansion or (4 if deep and variant != "thesis" else 1)
    epsilon = {"norm_epsilon": VMZ_EPSILON} if variant in ("tran", "mmaction2") else {}

    between = {"epsilon": BETWEEN_EPSILON} if variant == "mmaction2" else {}
    between = {} if "norm_epsilon" in options else between

    def parts(norm: Make) -> Mapping[str, Any]:
        norm = functools.partial(norm, **between)
        conv = functools.partial(Conv2Plus1D, norm=norm, time_first=variant == "pytorchvideo")
        return {"conv": conv, "point": conv if variant == "mmaction2" else Conv}

    def stem(*, features: int, factories: Factories, name: str) -> Stem:
        conv = functools.partial(factories.conv, mid=stem_mid) if stem_mid else Conv
        own = dataclasses.replace(factories, conv=conv)
        return Stem(features, stem_kernel, own, pool=pool, name=name)

    return make_resnet(
        stem=stem,
        block=block,
        depths=depths,
        width=width,
        features=doubling(width * expansion),
        strides=PTV_STRIDES if variant == "pytorchvideo" else HALVING,
        parts=parts,
        vary=_vary(variant, width),
        **(epsilon | options),
    )


def _stem(variant: str, deep: bool) -> tuple[Triple, int, tuple[Triple, Triple] | None]:
    """Returns kernel, middle channels and max-pool of the stem."""
    return {
        "tran": ((3, 7, 7), 45, POOL_SPACE if deep else None),
        "torchvision": ((3, 7, 7), 45, None),
        "thesis": ((3, 7, 7), 45, POOL),
        "hara": ((7, 7, 7), 110, POOL),
        "pytorchvideo": ((1, 7, 7), 0, None),
        "mmaction2": ((3, 7, 7), 83, POOL_SPACE),
    }[variant]


def _vary(variant: str, width: int) -> Vary | None:
    """Sets the middle channels of a block's convolutions, if the variant prescribes them."""
    choose: dict[str, Callable[[int, int], int]] = {
        "torchvision": mid_channels,
        "thesis": mid_channels,
        "pytorchvideo": lambda inputs, outputs: outputs,
    }
    if variant not in choose:
        return None

    def vary(stage: int, index: int, inputs: int, factories: Factories) -> Mapping[str, Any]:
        mid = choose[variant](inputs, width * 2**stage)
        conv = functools.partial(factories.conv, mid=mid)
        return {"factories": dataclasses.replace(factories, conv=conv)}

    return vary


_VMZ: dict[str, Any] = {
    "clip": (32, 112, 112),
    "frame_stride": 1,
    "mean": (0.43216, 0.394666, 0.37645),
    "std": (0.22803, 0.22145, 0.216989),
    "paper": "Tran et al.: A Closer Look at Spatiotemporal Convolutions for Action Recognition, "
    "CVPR 2018",
    "notes": "Videos have 15 frames per second, and batch norms an epsilon of 1e-3. VMZ's code "
    "sets the momentum of PyTorch's batch norms to 0.9, as in Caffe2, where the value means the "
    "opposite. Here 0.9 of the old statistics are kept. Weights of depths 34 and 152 are "
    "published. The thesis' row R(2+1)D 'ResNet101' (5.1, 6.3: 63.6 / 152) has the numbers of "
    "this network with 34 layers.",
}
_THESIS: dict[str, Any] = {
    "clip": (16, 224, 224),
    "frame_stride": 1,
    "mean": (124 / 255, 117 / 255, 104 / 255),
    "std": (1 / (0.0167 * 255),) * 3,
    "paper": "Stergiou: Efficient Modelling Across Time of Human Actions and Interactions, PhD "
    "thesis, chapters 4 to 6 (baselines)",
    "notes": "The middle channels are equal within a block, and the expansion of bottlenecks is 1. "
    "That gives the parameter counts that the thesis prints, except for the 38.8 in table 5.2, "
    "which no variant has. No common input reproduces the printed operations. Class "
    "Regularization adds 491,520 parameters; table 6.4 prints 0.9 M.",
}
_OPTIONS = {**OPTIONS, "stem_width": optional(WIDTH)}
_TRAN = Family(
    build,
    {**_OPTIONS, "variant": one_of(*IMPLEMENTATIONS)},
    _VMZ,
    defined_in=DEFINED_IN,
    resolved={"norm_epsilon": VMZ_EPSILON},
)
E1 = Family(
    functools.partial(build, variant="thesis"),
    {**_OPTIONS, "expansion": optional(EXPANSION), "stem_pool": boolean()},
    _THESIS,
    defined_in=DEFINED_IN,
)


def shape(depth: int) -> dict[str, Any]:
    """Returns the arguments of `build` for a depth."""
    return {"block": "basic" if depth < 50 else "bottleneck", "depths": DEPTHS[depth]}


VARIANTS = (
    _TRAN.variant("r2plus1d_18", shape(18), 33_370_839, 82_992_412_672),
    _TRAN.variant(
        "r2plus1d_34",
        shape(34),
        63_697_175,
        152_355_715_072,
        "thesis 5.1, 6.3: 63.6 / 152",
    ),
    _TRAN.variant("r2plus1d_50", shape(50), 46_985_057, 30_488_508_416),
    _TRAN.variant("r2plus1d_101", shape(101), 86_050_785, 45_774_125_056),
    _TRAN.variant("r2plus1d_152", shape(152), 118_226_785, 64_656_357_376),
    E1.variant("r2plus1d_34_e1", shape(34), 61_831_661, 40_279_490_560, "thesis 4.2: 61.8 / 37.8"),
    E1.variant(
        "r2plus1d_50_e1",
        shape(50),
        34_863_287,
        24_830_224_896,
        "thesis 4.2, 6.4: 34.8 / 83.3",
        "thesis 5.2: 38.8 / 56.0",
    ),
    E1.variant("r2plus1d_101_e1", shape(101), 67_218_231, 37_495_450_112, "thesis 4.2: 67.2 / 163"),
)
