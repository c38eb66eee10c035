"""3D residual networks: Hara et al. (CVPR 2018), and the thesis' own backbones (`_e1`).

Both stack blocks of 3x3x3 convolutions, and halve T, H and W in the stem's pool and in stages 2 to
4. Hara's stem is 7x7x7, and the output of bottlenecks is four times as wide as their middle. The
thesis' stem is 3x7x7, and the output of its bottlenecks is as wide as their middle (expansion 1).
"""

from __future__ import annotations

import functools
from typing import Any

from vidjax.models.cards import Family
from vidjax.models.resnet import DEFINED_IN, ResNet, make_resnet
from vidjax.models.shared_options import EXPANSION, OPTIONS, WIDTH
from vidjax.models.stage_blocks import DEPTHS, doubling
from vidjax.models.stem import POOL, Stem
from vidjax.settings import boolean, optional, several, whole


def build(
    *,
    block: str,
    stem_kernel: tuple[int, int, int] = (7, 7, 7),
    stem_strides: tuple[int, int, int] = (1, 2, 2),
    stem_pool: bool = True,
    width: int = 64,
    widen: int = 1,
    expansion: int = 1,
    **options: Any,
) -> ResNet:
    """Builds a 3D ResNet.

    Args:
      block: `basic` or `bottleneck`.
      stem_kernel: kernel size of the first convolution.
      stem_strides: strides of the first convolution, along T, H, W.
      stem_pool: whether a max-pool follows it; torchvision's 18-layer network has none, and the
        thesis' code had none before November 2020.
      width: channels of the stem, and of stage 1 before it is widened.
      widen: widening factor inside the blocks (k of wide networks).
      expansion: output width of a stage, as a multiple of its inner width.
      **options: as in `make_resnet`.
    """
    pool = POOL if stem_pool else None
    return make_resnet(
        stem=functools.partial(Stem, kernel_size=stem_kernel, strides=stem_strides, pool=pool),
        block=block,
        width=width,
        features=doubling(width * expansion),
        inner=doubling(width * widen),
        **options,
    )


_OPTIONS = {
    **OPTIONS,
    "stem_kernel": several(whole(1, 64), 3),
    "stem_strides": several(whole(1, 16), 3),
    "stem_pool": boolean(),
    "stem_width": optional(WIDTH),
    "strides": several(several(whole(1, 16), 3), 4, text="four strides along T, H, W"),
}
_HARA = Family(
    build,
    _OPTIONS,
    {
        "clip": (16, 112, 112),
        "frame_stride": 1,
        "mean": (0.4345, 0.4051, 0.3775),
        "std": (0.2768, 0.2713, 0.2737),
        "paper": "Hara, Kataoka, Satoh: Can Spatiotemporal 3D CNNs Retrace the History of 2D "
        "CNNs and ImageNet? CVPR 2018",
        "notes": "The stem is 7x7x7. Bottlenecks expand four times, so the classifier takes 2048 "
        "channels. The thesis' networks of these depths (`_e1`) have a 3x7x7 stem, with 37,632 "
        "fewer parameters, and bottlenecks with expansion 1, so the classifier takes 512 "
        "channels. No checkpoint fits both. Table 7.1 prints twice the multiply-adds at "
        "16x224x224, plus elementwise operations. wide_r3d_50 is the network of the published "
        "file, with a stem of 64 channels; later code has 128 (stem_width).",
    },
    defined_in=DEFINED_IN,
)
E1 = Family(
    build,
    {**_OPTIONS, "expansion": EXPANSION},
    {
        "clip": (16, 224, 224),
        "frame_stride": 1,
        "mean": (124 / 255, 117 / 255, 104 / 255),
        "std": (1 / (0.0167 * 255),) * 3,
        "paper": "Stergiou: Efficient Modelling Across Time of Human Actions and Interactions, PhD "
        "thesis, chapters 4 to 6 (baselines)",
        "notes": "The stem is 3x7x7, and the expansion of bottlenecks is 1. That gives the "
        "parameter counts that the thesis prints for r3d-34, 50 and 101 and wide-r3d-50. Hara's "
        "networks of these names (without `_e1`) have a 7x7x7 stem and expansion 4. The "
        "operations printed for depths 50 and 101 and for the wide network are twice the "
        "multiply-adds; no common input reproduces the 26.6 printed for depth 34. Class "
        "Regularization adds 491,520 parameters to each; table 6.4 prints 0.9 M, and 2.5 M for "
        "the wide one. Table 5.2 prints 35.7 M and 23.1 G for MTConv in r3d_50_e1: "
        "multi_temporal={} has 29.4 M and 22.1 G, or 36.9 M and 24.5 G with split_input=False.",
    },
    defined_in=DEFINED_IN,
)


def _shape(depth: int, **more: Any) -> dict[str, Any]:
    return {"block": "basic" if depth < 50 else "bottleneck", "depths": DEPTHS[depth], **more}


def _hara(depth: int, **more: Any) -> dict[str, Any]:
    return _shape(depth, expansion=1 if depth < 50 else 4, **more)


def e1_shape(depth: int, **more: Any) -> dict[str, Any]:
    """Returns the arguments of `build` for one of the thesis' networks."""
    return _shape(depth, stem_kernel=(3, 7, 7), **more)


VARIANTS = (
    _HARA.variant("r3d_18", _hara(18), 33_409_104, 8_308_006_912),
    _HARA.variant("r3d_34", _hara(34), 63_718_736, 12_696_297_472),
    _HARA.variant(
        "r3d_50", _hara(50), 47_018_576, 10_069_311_488, "CFP 7.1: - / 80.32", theta=0.55
    ),
    _HARA.variant("r3d_101", _hara(101), 86_064_720, 13_890_715_648, "CFP 7.1: - / 110.98"),
    _HARA.variant("r3d_152", _hara(152), 118_223_440, 18_611_273_728, "CFP 7.1: - / 148.91"),
    _HARA.variant("r3d_200", _hara(200), 127_423_056, 25_804_505_088),
    _HARA.variant("wide_r3d_50", _hara(50, widen=2), 158_248_272, 26_239_664_128),
    E1.variant("r3d_34_e1", e1_shape(34), 63_681_104, 42_645_790_720, "thesis 4.2: 63.7 / 26.6"),
    E1.variant(
        "r3d_50_e1",
        e1_shape(50),
        36_724_688,
        26_467_442_688,
        "thesis 4.2, 6.4: 36.7 / 52.6",
        "thesis 5.2: 36.7 / 53.2",
    ),
    E1.variant(
        "r3d_101_e1", e1_shape(101), 69_060_048, 39_132_667_904, "thesis 4.2, 6.4: 69.1 / 78.0"
    ),
    E1.variant(
        "wide_r3d_50_e1",
        e1_shape(50, widen=2),
        140_937_936,
        85_374_869_504,
        "thesis 6.4: 140.9 / 168.6",
    ),
)
