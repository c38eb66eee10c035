"""Temporal Segment Networks: frames far apart, processed one by one (Wang et al., ECCV 2016).

The classifier takes the mean of the frames' features, which gives the mean of their logits. A frame
has three colours, or five fields of optical flow (`channels=10`).
"""

from __future__ import annotations

from typing import Any

from vidjax.models import resnet2d
from vidjax.models.bninception import BNInception
from vidjax.models.cards import Family
from vidjax.models.resnet import ResNet
from vidjax.models.shared_options import OPTIONS
from vidjax.models.stage_blocks import DEPTHS
from vidjax.settings import whole

# Nobody has trained with larger stacks of flow.
_CHANNELS = whole(1, 64)


def build(*, channels: int = 3, dropout: float = 0.4, **options: Any) -> ResNet:
    """Builds a ResNet-50 over frames.

    Args:
      channels: channels of a frame: 3 for RGB, or more for stacked optical flow.
      dropout: dropout rate before the classifier.
      **options: as in `make_resnet`.
    """
    return resnet2d.build(frames=None, whole={"channels": channels}, dropout=dropout, **options)


_PAPER = (
    "Wang et al.: Temporal Segment Networks: Towards Good Practices for Deep Action Recognition, "
    "ECCV 2016"
)
_RESNET = Family(
    build,
    {**OPTIONS, "channels": _CHANNELS},
    {
        "clip": (8, 224, 224),
        "frame_stride": 8,
        "paper": _PAPER,
        "notes": "This is MMAction2's network, tested with 25 frames and 10 crops. Frames are "
        "sampled from equal segments of a video.",
        **resnet2d.IMAGENET,
    },
    defined_in=resnet2d.DEFINED_IN,
)
_INCEPTION = Family(
    BNInception,
    {
        "channels": _CHANNELS,
        **{name: OPTIONS[name] for name in ("width", "dropout", "norm_epsilon", "norm_group_size")},
    },
    {
        "clip": (3, 224, 224),
        "frame_stride": 8,
        "mean": (123 / 255, 117 / 255, 104 / 255),
        "std": (1 / 255, 1 / 255, 1 / 255),
        "paper": _PAPER,
        "notes": "This is tsn-pytorch's network. Its colours are in BGR, from 0 to 255, minus "
        "their mean. The thesis' row TSN+Flow for Moments in Time is this network on flow only "
        "(channels=10, dropout 0.7, mean 128).",
    },
    methods=("class_reg",),
    stages=(2, 3, 4),
)
VARIANTS = (
    _RESNET.variant("tsn_50", {"depths": DEPTHS[50]}, 24_327_632, 32_697_909_248),
    _INCEPTION.variant("tsn_bninception", {}, 10_680_240, 6_095_137_792, "thesis 4.4, 5.3: none"),
)
