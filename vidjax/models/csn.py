"""Channel-separated networks: ip-CSN and ir-CSN (Tran et al., ICCV 2019).

In their bottlenecks the middle convolution is channel-wise (depthwise). ip-CSN preserves the
interaction of channels by a 1x1x1 convolution before it; ir-CSN does not.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import flax.linen as nn

from vidjax.layers.channelwise import InteractionPreserved, channelwise
from vidjax.layers.conv import Conv
from vidjax.models.blocks import Factories
from vidjax.models.cards import Family
from vidjax.models.resnet import DEFINED_IN, ResNet, make_resnet
from vidjax.models.shared_options import OPTIONS
from vidjax.models.stage_blocks import DEPTHS, doubling
from vidjax.models.stem import POOL, POOL_SPACE, Stem
from vidjax.settings import one_of
from vidjax.slots.block import Make

IMPLEMENTATIONS: Mapping[str, Mapping[str, Any]] = {
    "vmz": {"expansion": 4, "pool": POOL_SPACE, "norm_epsilon": 1e-3, "act": None},
    "pytorchvideo": {"expansion": 4, "pool": POOL_SPACE, "norm_epsilon": 1e-5, "act": None},
    "thesis": {"expansion": 1, "pool": POOL, "norm_epsilon": 1e-5, "act": nn.relu},
}


def build(*, preserved: bool, variant: str = "vmz", width: int = 64, **options: Any) -> ResNet:
    """Builds a CSN.

    Args:
      preserved: ip-CSN instead of ir-CSN.
      variant: implementation: `vmz` (and MMAction2), `pytorchvideo` (another epsilon of the norms),
        or `thesis` (bottleneck expansion 1, temporal pooling, and in ip-CSN an activation between
        the 1x1x1 and the channel-wise convolution, as in its public code).
      width: channels of the stem and inside stage 1.
      **options: as in `make_resnet`.
    """
    facts = IMPLEMENTATIONS[variant]

    def parts(norm: Make) -> Mapping[str, Any]:
        mixed = functools.partial(InteractionPreserved, norm=norm, act=facts["act"])
        return {"conv": mixed if preserved else channelwise}

    return make_resnet(
        stem=functools.partial(_stem, pool=facts["pool"]),
        block="bottleneck",
        width=width,
        features=doubling(width * facts["expansion"]),
        parts=parts,
        **({"norm_epsilon": facts["norm_epsilon"]} | options),
    )


def _stem(*, features: int, factories: Factories, name: str, pool: Any) -> Stem:
    dense = Factories(conv=Conv, norm=factories.norm)
    return Stem(features, (3, 7, 7), dense, pool=pool, name=name)


_FAMILY = Family(
    build,
    {**OPTIONS, "variant": one_of(*IMPLEMENTATIONS)},
    {
        "clip": (32, 224, 224),
        "frame_stride": 2,
        "mean": (0.43216, 0.394666, 0.37645),
        "std": (0.22803, 0.22145, 0.216989),
        "paper": "Tran et al.: Video Classification with Channel-Separated Convolutional "
        "Networks, ICCV 2019",
        "notes": "Batch norms have an epsilon of 1e-3. The papers count parameters without the "
        "norms' scales and biases. Table 5.1 prints the operations at 32x256x256 beside an input "
        "of 8x224x224. The 63.6 of table 4.2 is that of ip-CSN-101 at 32x224x224; ir-CSN-101 has "
        "fewer.",
    },
    defined_in=DEFINED_IN,
    resolved={"norm_epsilon": IMPLEMENTATIONS["vmz"]["norm_epsilon"]},
)


def _shape(kind: str, depth: int) -> dict[str, Any]:
    return {"preserved": kind == "ip", "depths": DEPTHS[depth]}


VARIANTS = (
    _FAMILY.variant("ir_csn_50", _shape("ir", 50), 13_131_152, 42_308_519_936),
    _FAMILY.variant(
        "ir_csn_101", _shape("ir", 101), 22_213_776, 56_468_187_136, "thesis 4.2: 22.1 / 63.6"
    ),
    _FAMILY.variant("ir_csn_152", _shape("ir", 152), 29_703_568, 74_046_244_864),
    _FAMILY.variant("ip_csn_50", _shape("ip", 50), 14_396_176, 47_652_063_232),
    _FAMILY.variant(
        "ip_csn_101",
        _shape("ip", 101),
        24_601_616,
        63_558_658_048,
        "thesis 4.2: 24.5 / 63.6",
        "thesis 5.1: 24.5 / 83.0",
    ),
    _FAMILY.variant(
        "ip_csn_152", _shape("ip", 152), 33_016_592, 83_294_685_184, "thesis 5.1: 32.8 / 108.8"
    ),
)
