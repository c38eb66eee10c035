"""CoST networks: residual networks with one kernel over three views of a clip.

Li et al.: Collaborative Spatiotemporal Feature Learning for Video Action Recognition, CVPR 2019.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

from vidjax.layers.collaborative_conv import WEIGHTINGS, CollaborativeConv
from vidjax.layers.pooling import max_pool
from vidjax.models.blocks import Factories
from vidjax.models.cards import Family
from vidjax.models.resnet import DEFINED_IN, ResNet, make_resnet
from vidjax.models.shared_options import OPTIONS
from vidjax.models.slowonly import bottleneck_kernels
from vidjax.models.stage_blocks import DEPTHS, HALVING_SPACE, doubling
from vidjax.models.stem import Stem
from vidjax.settings import boolean, one_of

_HALVED = (2, 1, 1)
# Temporal stride of the first convolution, and temporal window and stride of its pool.
_STARTS = {False: ((1, 7, 7), 1, 1), True: ((5, 7, 7), 2, 2)}


def build(
    *,
    depths: tuple[int, ...],
    variant: str = "b",
    long_clips: bool = False,
    width: int = 64,
    dropout: float = 0.5,
    **options: Any,
) -> ResNet:
    """Builds a CoST network.

    Args:
      depths: blocks of each stage.
      variant: how views are weighted: `a` by parameters, `b` separately for each clip; `c2d` has
        only the view of height and width, and is the authors' baseline.
      long_clips: whether the stem halves time twice, as for clips of 32 frames.
      width: channels of the stem and inside stage 1.
      dropout: dropout rate before the classifier.
      **options: as in `make_resnet`.
    """
    kernel, stride, window = _STARTS[long_clips]
    pool = ((window, 3, 3), (window, 2, 2), (0, 1, 1))
    return make_resnet(
        stem=functools.partial(Stem, kernel_size=kernel, strides=(stride, 2, 2), pool=pool),
        block="bottleneck",
        depths=depths,
        kernels=bottleneck_kernels(1),
        width=width,
        features=doubling(4 * width),
        strides=HALVING_SPACE,
        vary=None if variant == "c2d" else functools.partial(_vary, depths, variant),
        whole=lambda norm: {"transitions": (_halve_time, None, None, None)},
        dropout=dropout,
        **options,
    )


def _vary(
    depths: tuple[int, ...], variant: str, stage: int, index: int, inputs: int, factories: Factories
) -> Mapping[str, Any]:
    """Gives every other block three views, from the second in stage 1, the first in 2 and 3.

    Stage 4 begins with the first in ResNet-50, and with the second in ResNet-101 (authors' code).
    """
    first = (1, 0, 0, int(depths[2] > 6))[stage]
    if index % 2 != first:
        return {}
    conv = functools.partial(CollaborativeConv, variant=variant)
    return {"factories": dataclasses.replace(factories, conv=conv)}


def _halve_time(x: Any) -> Any:
    return max_pool(x, _HALVED, _HALVED, (0, 0, 0))


_FAMILY = Family(
    build,
    {**OPTIONS, "variant": one_of(*WEIGHTINGS, "c2d"), "long_clips": boolean()},
    {
        "clip": (8, 224, 224),
        "frame_stride": 8,
        "mean": (0.485, 0.456, 0.406),
        "std": (0.229, 0.224, 0.225),
        "paper": "Li et al.: Collaborative Spatiotemporal Feature Learning for Video Action "
        "Recognition, CVPR 2019",
        "notes": "The thesis' row for Moments in Time is the paper's ResNet-101 with 32 frames: "
        "cost_101 with long_clips=True. It was pretrained on ImageNet, and tested with 10 clips "
        "and 3 crops of 256x256.",
    },
    defined_in=DEFINED_IN,
)
VARIANTS = (
    _FAMILY.variant("cost_50", {"depths": DEPTHS[50]}, 25_085_464, 27_819_080_256),
    _FAMILY.variant(
        "cost_101", {"depths": DEPTHS[101]}, 44_405_344, 50_067_716_416, "thesis 4.4, 5.3: none"
    ),
)
