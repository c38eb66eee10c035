"""MTNet: residual networks of multi-temporal convolutions (Stergiou, thesis, chapter 5).

The networks have X3D's depths and widths (table 6.1b). Their bottlenecks (MTBlocks, figure 5.2)
have three MTConvs, whose output squeeze and recursion aligns. After the stem, half of the frames
are selected.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax

from vidjax.layers.conv import Conv
from vidjax.layers.pooling import max_pool
from vidjax.layers.recurrence import SETTINGS as RECURRENCE
from vidjax.layers.temporal_frame_selection import SETTINGS as SELECTION
from vidjax.layers.temporal_frame_selection import temporal_frame_selection
from vidjax.methods import multi_temporal
from vidjax.methods.multi_temporal import NEEDS, SETTINGS, MTConv
from vidjax.methods.squeeze_recursion import SqueezeRecursion
from vidjax.models.blocks import Factories
from vidjax.models.cards import Family
from vidjax.models.mtnet_pair import PairedMTNet, make_paired
from vidjax.models.resnet import DEFINED_IN, ResNet, make_resnet
from vidjax.models.shared_options import OPTIONS, WIDTH
from vidjax.models.stage_blocks import HALVING, HALVING_SPACE
from vidjax.models.stem import POOL_SPACE
from vidjax.models.x3d import Neck
from vidjax.settings import boolean, check_used, optional
from vidjax.slots.block import Make

KERNELS = {"kernels": "factorised"}


class Stem(nn.Module):
    """A spatial convolution, norm, activation, max-pool, and the selection of half the frames.

    Attributes:
      features: channels of the output.
      factories: factories of the layers.
      keep_time: keep all frames.
      choose: as in `temporal_frame_selection`.
      squared: as in `temporal_frame_selection`.
      edge: as in `temporal_frame_selection`.
    """

    features: int
    factories: Factories
    keep_time: bool = False
    choose: str = "lowest"
    squared: bool = False
    edge: str = "never"

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps `[B, T, H, W, 3]` to `[B, T/2, H/4, W/4, features]`; two frames are both kept."""
        x = Conv(self.features, (1, 3, 3), (1, 2, 2), name="conv")(x)
        x = self.factories.act(self.factories.norm(name="norm")(x, train=train))
        x = max_pool(x, *POOL_SPACE)
        settings = {name: getattr(self, name) for name in SELECTION}
        return x if self.keep_time else temporal_frame_selection(x, **settings)[0]


def build(
    *,
    written: tuple[int, ...],
    released: tuple[int, ...],
    persistent_low_res: bool = False,
    depths: tuple[int, ...] | None = None,
    width: int | None = None,
    keep_time: bool = False,
    cell: str = "gru",
    layers: int = 2,
    neck: int | None = None,
    **options: Any,
) -> ResNet | PairedMTNet:
    """Builds an MTNet.

    Args:
      written: blocks of each stage in the thesis.
      released: blocks of each stage in the code published with the thesis.
      persistent_low_res: build the released network, whose prolonged branch stays at low
        resolution.
      depths: other blocks of each stage.
      width: channels of the stem and stage 1; the other stages double it. None is 24 as in the
        thesis, or 64 as released.
      keep_time: stride only in space, as X3D does, and select no frames after the stem. Then all
        selections in MTConvs have a choice, for 5 to 6 times the operations.
      cell: cell of the squeeze and recursion in each block.
      layers: number of layers of cells.
      neck: features that the classifier takes; None is 2048 as in the thesis.
      **options: settings of `MTConv`, and options as in `make_resnet`.

    Raises:
      ValueError: a value is not allowed, or the released network does not support it.
    """
    if persistent_low_res:
        more = {"neck": neck, "keep_time": keep_time}
        options |= {name: value for name, value in more.items() if value}
        return make_paired(depths or released, width or 64, cell, layers, **options)
    width, neck = width or 24, neck or 2048
    inner = tuple(int(2.25 * width) * 2**stage for stage in range(4))
    settings = {name: options.pop(name) for name in SETTINGS if name in options}
    selection = {name: settings[name] for name in SELECTION if name in settings}
    settings = KERNELS | settings
    defaults = vars(MTConv(features=0))
    # Configurations state all settings of an ablation, so a default value must not conflict.
    given = {name: value for name, value in settings.items() if value != defaults[name]}
    check_used(given, {**defaults, **settings}, NEEDS)

    def parts(norm: Make) -> Mapping[str, Any]:
        conv = functools.partial(MTConv, norm=norm, **settings)
        align = functools.partial(SqueezeRecursion, cell, layers)
        return {"conv": conv, "point": conv, "short": Conv, "align": align}

    def make_neck(norm: Make) -> Mapping[str, Any]:
        return {"neck": functools.partial(Neck, inner[-1], neck, norm), "head_width": neck}

    return make_resnet(
        stem=functools.partial(Stem, keep_time=keep_time, **selection),
        block="bottleneck",
        depths=depths or written,
        width=width,
        features=tuple(width * 2**stage for stage in range(4)),
        inner=inner,
        strides=HALVING_SPACE if keep_time else HALVING,
        parts=parts,
        whole=make_neck,
        **options,
    )


_FAMILY = Family(
    build,
    {
        **{name: kind for name, kind in OPTIONS.items() if name != "zero_init"},
        **SETTINGS,
        **RECURRENCE,
        "depths": optional(OPTIONS["depths"]),
        "width": optional(WIDTH),
        "neck": optional(WIDTH),
        "keep_time": boolean(),
        "persistent_low_res": boolean(),
    },
    {
        "theta": 0.67,
        "frame_stride": 5,
        "mean": (124 / 255, 117 / 255, 104 / 255),
        "std": (1 / (0.0167 * 255),) * 3,
        "paper": "Stergiou: Efficient Modelling Across Time of Human Actions and Interactions, PhD "
        "thesis, chapter 5",
        "notes": "The thesis does not say what its convolutions are made of. Factorising them into "
        "space and time, and halving time before stage 1 and at each later stage, fits its "
        "numbers best, but the text does not state it. Few frame selections have a choice: with "
        "16 frames in mtnet_m, 22 of 157 selections choose. Another 30 are forced, because 4 "
        "frames have 2 candidates, and 105 have two frames or one, which are kept. With "
        "keep_time=True, 156 of 156 choose, for 5.6 times the operations. Class Regularization "
        "adds 737,280 parameters (printed: 0.7 to 1.1 M) and, for a single clip, 0.295 G "
        "multiply-adds: 7 % of those of mtnet_s, where tables 6.2 and 6.3 print 5.8 both times. "
        "They are added once per batch, not per clip.",
    },
    refused={
        "zero_init": "a branch ends in the activation of an MTConv, so no norm can make it zero",
        "multi_temporal": "its convolutions are MTConvs already, with persistent_low_res too; set "
        "them by options of the network, such as delta=0.75",
    },
    defined_in=(*multi_temporal.DEFINED_IN, *DEFINED_IN),
    resolved=KERNELS,
)
_SMALL = {"written": (3, 5, 11, 7), "released": (2, 2, 5, 3)}
_MEDIUM = {"written": (3, 5, 11, 7), "released": (3, 4, 6, 3)}
_LARGE = {"written": (5, 10, 25, 15), "released": (3, 4, 23, 3)}

VARIANTS = (
    _FAMILY.variant(
        "mtnet_s", _SMALL, 25_755_075, 4_085_216_247, "thesis 5.1: 25.8 / 5.8", clip=(13, 182, 182)
    ),
    _FAMILY.variant(
        "mtnet_m", _MEDIUM, 25_755_075, 8_980_007_360, "thesis 5.1: 25.8 / 8.8", clip=(16, 256, 256)
    ),
    _FAMILY.variant(
        "mtnet_l",
        _LARGE,
        53_854_573,
        17_549_644_736,
        "thesis 5.1: 50.1 / 17.6",
        clip=(16, 256, 256),
    ),
)
