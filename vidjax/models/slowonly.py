"""SlowOnly: the slow pathway of SlowFast by itself (Feichtenhofer et al., ICCV 2019, section 3.1).

No stride in time anywhere; convolutions over time in stages 3 and 4 alone. A bottleneck has its
own in its first convolution. A basic block has it in the first of its two as PySlowFast does, or
in both (`temporal_convs=2`) as MMAction2 does.
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
    """The bottlenecks of a SlowOnly network, or of one pathway of a SlowFast one.

    Args:
      depths: blocks of each stage.
      width: channels inside of stage 1, and of the stem.
      temporal: of a stage and a block, from 0, whether it convolves over time.
      factories: parts of the blocks.
      **fields: of all blocks.
    """

    def vary(stage: int, index: int, inputs: int, factories: Factories) -> Mapping[str, Any]:
        return {"kernels": bottleneck_kernels(3 if temporal(stage, index) else 1)}

    features, inner = doubling(4 * width), doubling(width)
    return block_plans(
        "bottleneck", depths, features, inner, HALVING_SPACE, width, factories, vary, **fields
    )


def bottleneck_kernels(time: int) -> tuple[Triple, ...]:
    """Sizes of a bottleneck's convolutions with `time` frames in the first."""
    return (time, 1, 1), (1, 3, 3), (1, 1, 1)


def build(
    *,
    block: str,
    temporal_convs: int = 1,
    width: int = 64,
    dropout: float = 0.5,
    **options: Any,
) -> ResNet:
    """A SlowOnly network.

    Args:
      block: `basic` or `bottleneck`.
      temporal_convs: convolutions over time in a basic block of stages 3 and 4, 1 or 2.
      width: channels of the stem and inside of stage 1.
      dropout: rate before the classifier.
      **options: as in `make_resnet`.

    Raises:
      ValueError: there is no block with convolutions over time.
    """
    if temporal_convs == 2 and not any(options["depths"][2:]):
        raise ValueError(
            f"temporal_convs = 2 has no effect: depths = {options['depths']} leave stages 3 and 4 "
            "without blocks"
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
    "notes": "Tested at 256x256 over 30 views. The published training starts with empty "
    "branches (zero_init) and has dropout 0.5. Table 5.2 prints 26.6 M, which no form of it has; "
    "its 27.3 operations are those of 4 frames at 256x256.",
}
_DEEP = Family(build, OPTIONS, _FACTS, defined_in=DEFINED_IN)
_BASIC = Family(
    build,
    {**OPTIONS, "temporal_convs": whole(1, 2)},
    _FACTS
    | {
        "notes": "No public definition: one convolution over time a block, as PySlowFast's rule "
        "says, costs about what slowonly_50 does; with temporal_convs=2 it is MMAction2's, with "
        "61,008,080 parameters."
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
