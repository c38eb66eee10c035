"""SlowFast: a slow wide pathway and a fast thin one (Feichtenhofer et al., ICCV 2019).

The network samples the slow pathway's frames from its clip itself. After the stem and the first
three stages, lateral connections (strided convolutions over time) append features to the slow ones.
"""

from __future__ import annotations

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from vidjax.layers.lateral import Lateral
from vidjax.layers.pooling import global_avg_pool
from vidjax.models.blocks import Factories
from vidjax.models.cards import Family
from vidjax.models.interface import check_clip, classify, make_head
from vidjax.models.resnet import DEFINED_IN, check_remat
from vidjax.models.shared_options import ODD, OPTIONS, multiple
from vidjax.models.slowonly import pathway
from vidjax.models.stage import Stage
from vidjax.models.stage_blocks import DEPTHS, Blocks, last_stage, make_norm
from vidjax.models.stem import POOL_SPACE, Stem
from vidjax.settings import one_of
from vidjax.slots.block import Make, Slots

IMPLEMENTATIONS = ("pytorchvideo", "mmaction2")
BETA = 8


class SlowFast(nn.Module):
    """A SlowFast network.

    The slow pathway's outputs are sown; those of the fast pathway have the prefix `fast_`.

    Attributes:
      num_classes: number of logits.
      alpha: frames of the fast pathway per frame of the slow one.
      slow, fast: blocks of the pathways' stages.
      stems: stems of the slow and the fast pathway.
      lateral: factory of the lateral connections.
      head_width: number of features that the classifier takes.
      variant: `pytorchvideo`, or `mmaction2`, which takes every alpha-th frame for the slow pathway
        and puts the fast features first before the classifier.
      dropout, scan, remat, dtype, slots: as in `ResNet`; both pathways share the slots.
    """

    num_classes: int
    alpha: int
    slow: tuple[Blocks, ...]
    fast: tuple[Blocks, ...]
    stems: tuple[Make, Make]
    lateral: Make
    head_width: int
    variant: str = "pytorchvideo"
    dropout: float = 0.5
    scan: bool = False
    remat: tuple[int, ...] = ()
    dtype: Any = jnp.float32
    slots: tuple[Slots, ...] = (Slots(),) * 4

    @nn.compact
    def __call__(self, clip: jax.Array, *, train: bool = False) -> jax.Array:
        """Maps normalised clips `[B, T, H, W, 3]` to logits float32 `[B, num_classes]`.

        Raises:
          ValueError: the clip has the wrong shape, or T is not a multiple of alpha.
        """
        check_clip(clip)
        head, classifier = make_head(self.num_classes, self.head_width, self.slots)
        clip = clip.astype(self.dtype)
        slow = self.stems[0](name="slow_stem_layer")(clip[:, self._slow_frames(clip)], train=train)
        fast = self.stems[1](name="fast_stem_layer")(clip, train=train)
        self._sow("stem", slow, fast)
        for number in range(1, 5):
            lateral = self.lateral(name=f"lateral{number}")(fast, train=train)
            slow = jnp.concatenate([slow, lateral], axis=-1)
            slow = self._stage(self.slow, number, "slow")(slow, classifier, train=train)
            fast = self._stage(self.fast, number, "fast")(fast, classifier, train=train)
            self._sow(f"stage{number}", slow, fast)
        pooled = [global_avg_pool(slow), global_avg_pool(fast)]
        features = jnp.concatenate(pooled[:: -1 if self.variant == "mmaction2" else 1], axis=-1)
        return classify(self, head, features, self.dropout, train=train)

    def _slow_frames(self, clip: jax.Array) -> np.ndarray:
        length = clip.shape[1]
        if length % self.alpha:
            raise ValueError(
                f"T = {length} is not a multiple of {self.alpha}, the ratio of fast to slow frames"
            )
        if self.variant == "mmaction2":
            return np.arange(0, length, self.alpha)
        # PyTorchVideo spreads them over the whole clip.
        return np.linspace(0, length - 1, length // self.alpha).astype(int)

    def _stage(self, plans: tuple[Blocks, ...], number: int, pathway: str) -> Stage:
        before, total = sum(map(len, plans[: number - 1])), sum(map(len, plans))
        name, slots = f"{pathway}_layer{number}", self.slots[number - 1]
        remat = number in self.remat
        return Stage(plans[number - 1], slots, self.scan, before, total, remat, name=name)

    def _sow(self, name: str, slow: jax.Array, fast: jax.Array) -> None:
        self.sow("intermediates", name, slow)
        self.sow("intermediates", f"fast_{name}", fast)


def build(
    *,
    depths: tuple[int, ...],
    alpha: int,
    lateral_kernel: int,
    temporal_blocks: int | None = None,
    variant: str = "pytorchvideo",
    width: int = 64,
    **options: Any,
) -> SlowFast:
    """Builds a SlowFast network.

    Args:
      depths: blocks of each stage.
      alpha: as in `SlowFast`.
      lateral_kernel: temporal kernel size of the lateral connections; MMAction2's 101-layer network
        for 8 frames has 7.
      temporal_blocks: blocks of stage 3 with convolutions over time; None is all.
      variant: `pytorchvideo`, or `mmaction2` (lateral connections without norm and activation).
      width: channels of the slow stem; the fast stem has an eighth.
      **options: as in `make_resnet`.
    """
    norm = make_norm(options.pop("norm_epsilon", 1e-5), options.pop("norm_group_size", None))
    factories = Factories(norm=norm)
    fields = {key: options.pop(key) for key in ("shortcut", "zero_init") if key in options}

    def plans(width: int, first: int) -> tuple[Blocks, ...]:
        def temporal(stage: int, index: int) -> bool:
            return stage >= first and (stage != 2 or index < (temporal_blocks or depths[2]))

        return pathway(depths, width, temporal, factories, **fields)

    last = last_stage(depths)
    connection_norm = None if variant == "mmaction2" else norm
    stem = functools.partial(Stem, factories=factories, pool=POOL_SPACE)
    return SlowFast(
        alpha=alpha,
        slow=plans(width, 2),
        fast=plans(width // BETA, 0),
        stems=(
            functools.partial(stem, features=width, kernel_size=(1, 7, 7)),
            functools.partial(stem, features=width // BETA, kernel_size=(5, 7, 7)),
        ),
        lateral=functools.partial(Lateral, alpha, lateral_kernel, connection_norm),
        # The lateral connection after the last block widens the slow pathway.
        head_width=(BETA + 1 + 2 * (3 - last)) * 4 * 2**last * width // BETA,
        variant=variant,
        remat=check_remat(options.pop("remat", ()), depths),
        **options,
    )


_FAMILY = Family(
    build,
    {
        **OPTIONS,
        "width": multiple(BETA),
        "variant": one_of(*IMPLEMENTATIONS),
        "lateral_kernel": ODD,
    },
    {
        "clip": (32, 224, 224),
        "frame_stride": 2,
        "mean": (0.45, 0.45, 0.45),
        "std": (0.225, 0.225, 0.225),
        "paper": "Feichtenhofer et al.: SlowFast Networks for Video Recognition, ICCV 2019",
        "notes": "The clip contains the frames of the fast pathway. The papers count operations at "
        "256x256. Their 34.4 M is slowfast_50_4x16, but no variant has the 39.8 G beside it; the "
        "65.7 G beside SF-101 is slowfast_50. The published training uses zero_init.",
    },
    defined_in=(SlowFast, *DEFINED_IN),
)


def _shape(depth: int, alpha: int, kernel: int) -> dict[str, Any]:
    return {"depths": DEPTHS[depth], "alpha": alpha, "lateral_kernel": kernel}


_8X8, _4X16, _101 = _shape(50, 4, 7), _shape(50, 8, 5), _shape(101, 4, 5)
VARIANTS = (
    _FAMILY.variant("slowfast_50", _8X8, 34_566_488, 50_308_583_424, "thesis 5.1: 34.4 / 65.7"),
    _FAMILY.variant(
        "slowfast_50_4x16", _4X16, 34_480_216, 27_638_665_216, "thesis 5.2: 34.4 / 39.8"
    ),
    _FAMILY.variant("slowfast_101", _101, 62_826_968, 96_396_644_352),
    _FAMILY.variant(
        "slowfast_101_16x8",
        _101 | {"temporal_blocks": 6},
        53_774_808,
        163_094_597_632,
        "thesis 4.2, 5.1: 53.7 / 213",
        "thesis 5.5: 53.7 / 65.7",
        clip=(64, 224, 224),
    ),
)
