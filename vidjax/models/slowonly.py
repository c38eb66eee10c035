"""SlowOnly: the slow pathway of SlowFast by itself (Feichtenhofer et al., ICCV 2019, section 3.1).

There is no temporal stride, and only stages 3 and 4 convolve over time. A bottleneck does so in its
first convolution. A basic block does so in the first of its two convolutions, like PySlowFast's, or
in both (`temporal_convs=2`), like MMAction2's.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vidjax.models.blocks import Factories
from vidjax.models.cards import Family
from vidjax.models.resnet import DEFINED_IN, ResNet, make_resnet
from vidjax.models.shared_options import OPTIONS
from vidjax.models.stage_blocks import DEPTHS, HALVING_SPACE, Blocks, Vary, block_plans, doubling
from vidjax.models.stem import POOL_SPACE, Stem
from vidjax.settings import whole
from vidjax.slots.block import Triple


def pathway(
    depths: Sequence[int],
    width: int,
    temporal: Callable[[int, int], bool],
    factories: Factories,
    **fields: Any,
) -> tuple[Blocks, ...]:
    """Plans the bottlenecks of a SlowOnly network, or of one pathway of a SlowFast network.

    Args:
      depths: blocks of each stage.
      width: channels inside stage 1, and of the stem.
      temporal: tells for a stage and a block, from 0, whether the block convolves over time.
      factories: factories of the blocks' layers.
      **fields: further fields of all blocks.
    """

    def vary(stage: int, index: int, inputs: int, factories: Factories) -> Mapping[str, Any]:
        return {"kernels": bottleneck_kernels(3 if temporal(stage, index) else 1)}

    features, inner = doubling(4 * width), doubling(width)
    return block_plans(
        "bottleneck", depths, features, inner, HALVING_SPACE, width, factories, vary, **fields
    )


def bottleneck_kernels(time: int) -> tuple[Triple, ...]:
    """Returns the kernel sizes of a bottleneck with `time` frames in the first convolution."""
    return (time, 1, 1), (1, 3, 3), (1, 1, 1)


def build(
    *,
    block: str,
    temporal_convs: int = 1,
    width: int = 64,
    dropout: float = 0.5,
    **options: Any,
) -> ResNet:
    """Builds a SlowOnly network.

    Args:
      block: `basic` or `bottleneck`.
      temporal_convs: convolutions over time in a basic block of stages 3 and 4, 1 or 2.
      width: channels of the stem and inside stage 1.
      dropout: dropout rate before the classifier.
      **options: as in `make_resnet`.

    Raises:
      ValueError: there is no block with convolutions over time.
    """
    if temporal_convs == 2 and not any(options["depths"][2:]):
        raise ValueError(
            f"temporal_convs = 2 has no effect: depths = {options['depths']} has no blocks in "
            "stages 3 and 4"
        )
    return make_resnet(
        stem=functools.partial(Stem, kernel_size=(1, 7, 7), pool=POOL_SPACE),
        block=block,
        width=width,
        features=doubling(width * (4 if block == "bottleneck" else 1)),
        strides=HALVING_SPACE,
        vary=_basic(temporal_convs) if block == "basic" else _bottleneck,
        dropout=dropout,
        **options,
    )


def _bottleneck(stage: int, index: int, inputs: int, factories: Factories) -> Mapping[str, Any]:
    return {"kernels": bottleneck_kernels(3 if stage >= 2 else 1)}


def _basic(temporal_convs: int) -> Vary:
    def vary(stage: int, index: int, inputs: int, factories: Factories) -> Mapping[str, Any]:
        first = 3 if stage >= 2 else 1
        second = first if temporal_convs == 2 else 1
        return {"kernels": ((first, 3, 3), (second, 3, 3))}

    return vary


_FACTS: dict[str, Any] = {
    "clip": (8, 224, 224),
    "frame_stride": 8,
    "mean": (0.45, 0.45, 0.45),
    "std": (0.225, 0.225, 0.225),
    "paper": "Feichtenhofer et al.: SlowFast Networks for Video Recognition, ICCV 2019",
    "notes": "It was tested at 256x256 with 30 views. The published training uses zero_init and a "
    "dropout of 0.5. Table 5.2 prints 26.6 M, which no variant has; its 27.3 operations are those "
    "of 4 frames at 256x256.",
}
_DEEP = Family(build, OPTIONS, _FACTS, defined_in=DEFINED_IN)
_BASIC = Family(
    build,
    {**OPTIONS, "temporal_convs": whole(1, 2)},
    _FACTS
    | {
        "notes": "There is no public definition. One convolution over time per block, as in "
        "PySlowFast's rule, costs about as much as slowonly_50; temporal_convs=2 gives MMAction2's "
        "network, with 61,008,080 parameters."
    },
    defined_in=DEFINED_IN,
)


def _shape(depth: int) -> dict[str, Any]:
    return {"block": "basic" if depth < 50 else "bottleneck", "depths": DEPTHS[depth]}


VARIANTS = (
    _BASIC.variant("slowonly_34", _shape(34), 39_774_416, 44_103_704_576),
    _DEEP.variant("slowonly_50", _shape(50), 32_454_096, 41_740_828_672, "thesis 5.2: 26.6 / 27.3"),
    _DEEP.variant("slowonly_101", _shape(101), 60_359_120, 85_414_019_072),
)
