"""Two networks over frames with a temporal module called TAM.

`tam_50` is TANet with the Temporal Adaptive Module of Liu et al. (ICCV 2021), whose numbers the
thesis prints. `tam_ibm_50` has the Temporal Aggregation Module of Fan et al. (NeurIPS 2019), which
the thesis cites for these numbers.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from vidjax.layers.pooling import max_pool
from vidjax.layers.temporal_adaptive import TemporalAdaptive
from vidjax.layers.temporal_aggregation import TemporalAggregation
from vidjax.models import resnet2d
from vidjax.models.cards import Family
from vidjax.models.resnet import ResNet
from vidjax.models.shared_options import OPTIONS
from vidjax.models.stage_blocks import DEPTHS
from vidjax.models.tsm import FrameFeatures
from vidjax.settings import boolean
from vidjax.slots.block import Make


def build(*, dropout: float = 0.5, **options: Any) -> ResNet:
    """Builds TANet, with a temporal adaptive module after each bottleneck's first activation.

    Args:
      dropout: dropout rate before the classifier.
      **options: as in `make_resnet`.
    """

    def parts(norm: Make) -> Mapping[str, Any]:
        return {"adapt": functools.partial(TemporalAdaptive, norm)}

    whole = {"neck": FrameFeatures}
    return resnet2d.build(frames=None, parts=parts, whole=whole, dropout=dropout, **options)


def build_ibm(*, temporal_pooling: bool = True, dropout: float = 0.5, **options: Any) -> ResNet:
    """Builds a ResNet-50 with temporal aggregation at the start of every branch.

    Args:
      temporal_pooling: halve the number of frames after stages 1 to 3. The published weights were
        trained without it.
      dropout: dropout rate before the classifier.
      **options: as in `make_resnet`.
    """
    halve = functools.partial(max_pool, window=(3, 1, 1), strides=(2, 1, 1))
    between = halve if temporal_pooling else None
    return resnet2d.build(
        frames=None,
        parts=lambda norm: {"enter": TemporalAggregation},
        whole={"neck": FrameFeatures, "transitions": (between, between, between, None)},
        dropout=dropout,
        **options,
    )


_LIU = Family(
    build,
    OPTIONS,
    {
        "clip": (16, 224, 224),
        "frame_stride": 4,
        "paper": "Liu et al.: TAM: Temporal Adaptive Module for Video Recognition, ICCV 2021",
        "notes": "Weights fit only the number of frames they were trained with: the network has "
        "25,590,320 parameters at 8 frames, and 25,597,744 at 16. The thesis prints the "
        "operations at 16x256x256, and cites Fan et al. for them.",
        **resnet2d.IMAGENET,
    },
    defined_in=resnet2d.DEFINED_IN,
)
_IBM = Family(
    build_ibm,
    {**OPTIONS, "temporal_pooling": boolean()},
    {
        "clip": (32, 224, 224),
        "frame_stride": 2,
        "paper": "Fan et al.: More Is Less: Learning Efficient Video Representations by "
        "Big-Little Network and Depthwise Temporal Aggregation, NeurIPS 2019",
        "notes": "This is the module in a plain ResNet-50; the paper's own network is "
        "blvnet_tam_50. The published weights were trained without temporal_pooling, which halves "
        "time after stages 1 to 3.",
        **resnet2d.IMAGENET,
    },
    defined_in=resnet2d.DEFINED_IN,
)

VARIANTS = (
    _LIU.variant(
        "tam_50", {"depths": DEPTHS[50]}, 25_597_744, 65_429_702_656, "thesis 4.2, 5.1: 25.6 / 86"
    ),
    _IBM.variant("tam_ibm_50", {"depths": DEPTHS[50]}, 24_366_992, 56_855_494_656),
)
