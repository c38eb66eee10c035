"""I3D on ResNet-50, the base of non-local networks (Wang et al., CVPR 2018, section 4).

Some bottlenecks convolve over three frames in their first convolution. The published 32-frame
network halves time in its first convolution and in both max-pools after it; `variant` selects the
stems of other implementations.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vidjax.layers.pooling import max_pool
from vidjax.models.blocks import Factories
from vidjax.models.cards import Family
from vidjax.models.resnet import DEFINED_IN, ResNet, make_resnet
from vidjax.models.shared_options import OPTIONS
from vidjax.models.slowonly import bottleneck_kernels
from vidjax.models.stage_blocks import DEPTHS, HALVING_SPACE, doubling
from vidjax.models.stem import Stem
from vidjax.settings import one_of
from vidjax.slots.block import Triple


@dataclass(frozen=True)
class Start:
    """Strides and pools before stage 2.

    Attributes:
      stride: temporal stride of the first convolution.
      window: window of the first max-pool.
      pool_stride: its temporal stride.
      padding: its spatial padding.
    """

    stride: int
    window: Triple
    pool_stride: int
    padding: int


IMPLEMENTATIONS: Mapping[str, Start] = {
    "wang": Start(2, (2, 3, 3), 2, 0),
    "pyslowfast": Start(1, (1, 3, 3), 1, 1),
    "mmaction2": Start(2, (1, 3, 3), 2, 1),
}
_HALVED: Triple = (2, 1, 1)


def build(
    *, variant: str = "wang", width: int = 64, dropout: float = 0.5, **options: Any
) -> ResNet:
    """Builds an I3D ResNet-50.

    Args:
      variant: implementation of the stem: `wang` (divides time by 4, unpadded pools), `pyslowfast`
        (keeps time, for 8 frames) or `mmaction2` (a first pool that skips every other frame).
      width: channels of the stem and inside stage 1.
      dropout: dropout rate before the classifier.
      **options: as in `make_resnet`.
    """
    start = IMPLEMENTATIONS[variant]
    padding = (0, start.padding, start.padding)
    pool = (start.window, (start.pool_stride, 2, 2), padding)
    return make_resnet(
        stem=functools.partial(
            Stem, kernel_size=(5, 7, 7), strides=(start.stride, 2, 2), pool=pool
        ),
        width=width,
        features=doubling(4 * width),
        strides=HALVING_SPACE,
        vary=_vary,
        whole=lambda norm: {"transitions": (_halve_time, None, None, None)},
        dropout=dropout,
        **options,
    )


def _vary(stage: int, index: int, inputs: int, factories: Factories) -> Mapping[str, Any]:
    """Gives temporal kernels to all blocks of stage 1, and to every other one of the rest.

    Stages 2 and 3 begin with a temporal block, stage 4 with one that is not.
    """
    temporal = stage == 0 or index % 2 == (1 if stage == 3 else 0)
    return {"kernels": bottleneck_kernels(3 if temporal else 1)}


def _halve_time(x: Any) -> Any:
    return max_pool(x, _HALVED, _HALVED, (0, 0, 0))


_FAMILY = Family(
    build,
    {**OPTIONS, "variant": one_of(*IMPLEMENTATIONS)},
    {
        "clip": (32, 224, 224),
        "frame_stride": 2,
        "mean": (0.45, 0.45, 0.45),
        "std": (0.225, 0.225, 0.225),
        "paper": "Wang, Girshick, Gupta, He: Non-local Neural Networks, CVPR 2018",
        "notes": "It was pretrained on ImageNet, and tested with 10 clips and 3 crops of 256x256. "
        "The published trainings use zero_init; MMAction2's do not.",
    },
    defined_in=DEFINED_IN,
)


def _with(method: str, paper: str) -> Family:
    return dataclasses.replace(
        _FAMILY, facts={**_FAMILY.facts, "paper": paper}, defaults={method: {}}
    )


_SHAPE = {"block": "bottleneck", "depths": DEPTHS[50]}
VARIANTS = (
    _FAMILY.variant("i3d_r50", _SHAPE, 28_043_472, 32_829_964_288),
    _with("non_local", _FAMILY.facts["paper"]).variant(
        "i3d_r50_nl5", _SHAPE, 35_401_936, 40_957_673_472, "RMS 3"
    ),
    _with("cgnl", "Yue et al.: Compact Generalized Non-local Network, NeurIPS 2018").variant(
        "i3d_r50_cgnl5", _SHAPE, 33_786_064, 39_255_302_144, "RMS 3"
    ),
    _with("cgd", "He et al.: Compact Global Descriptor for Neural Networks, 2019").variant(
        "i3d_r50_cgd", _SHAPE, 28_066_128, 32_829_975_616, "RMS 3"
    ),
)
