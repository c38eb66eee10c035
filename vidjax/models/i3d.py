"""I3D: Inception v1 inflated to video (Carreira and Zisserman, CVPR 2017)."""

from __future__ import annotations

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from vidjax.layers.conv import Conv
from vidjax.layers.norm import BatchNorm
from vidjax.layers.pooling import max_pool
from vidjax.models.cards import Family
from vidjax.models.interface import check_clip, classify, make_head
from vidjax.models.options import OPTIONS
from vidjax.slots.block import Make, Slots, Triple, end

# Of each mixed block: 1x1x1; 1x1x1 and 3x3x3; 1x1x1 and 3x3x3; 1x1x1 after a max-pool.
MIXED: tuple[tuple[tuple[int, ...], ...], ...] = (
    ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)),
    (
        (192, 96, 208, 16, 48, 64),
        (160, 112, 224, 24, 64, 64),
        (128, 128, 256, 24, 64, 64),
        (112, 144, 288, 32, 64, 64),
        (256, 160, 320, 32, 128, 128),
    ),
    ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)),
)


class Unit(nn.Module):
    """Convolution, norm, ReLU; padded as TensorFlow's SAME."""

    features: int
    kernel_size: Triple
    norm: Make
    strides: Triple = (1, 1, 1)

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps `[B, T, H, W, C]` to `[B, T', H', W', features]`."""
        x = Conv(self.features, self.kernel_size, self.strides, "SAME", name="conv")(x)
        return nn.relu(self.norm(name="norm")(x, train=train))


class Mixed(nn.Module):
    """Four branches side by side (Inception v1).

    Attributes:
      widths: channels, in the order of `MIXED`.
      norm: factory of the norms.
    """

    widths: tuple[int, ...]
    norm: Make

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps `[B, T, H, W, C]` to `[B, T, H, W, sum of the branches]`."""

        def unit(x: jax.Array, index: int, size: int, name: str) -> jax.Array:
            return Unit(self.widths[index], (size,) * 3, self.norm, name=name)(x, train=train)

        branch0 = unit(x, 0, 1, "branch0")
        branch1 = unit(unit(x, 1, 1, "branch1a"), 2, 3, "branch1b")
        branch2 = unit(unit(x, 3, 1, "branch2a"), 4, 3, "branch2b")
        branch3 = unit(max_pool(x, (3, 3, 3), (1, 1, 1), "SAME"), 5, 1, "branch3")
        return jnp.concatenate([branch0, branch1, branch2, branch3], axis=-1)


class I3D(nn.Module):
    """The network.

    Attributes:
      num_classes: number of logits.
      width: channels of the stem; others keep their proportion to it.
      dropout: rate before the classifier.
      norm_epsilon: added to variances.
      norm_group_size: clips that share batch statistics; None is the whole batch.
      dtype: what it computes in.
      slots: `after_block` and `after_stage` are used, where mixed blocks are: stages 2 to 4.
    """

    num_classes: int
    width: int = 64
    dropout: float = 0.5
    norm_epsilon: float = 1e-3
    norm_group_size: int | None = None
    dtype: Any = jnp.float32
    slots: tuple[Slots, ...] = (Slots(),) * 4

    @nn.compact
    def __call__(self, clip: jax.Array, *, train: bool = False) -> jax.Array:
        """Maps normalised clips `[B, T, H, W, 3]` to logits float32 `[B, num_classes]`.

        Raises:
          ValueError: the clip has another shape.
        """
        check_clip(clip)
        head, classifier = make_head(
            self.num_classes, sum(map(self._scale, _outputs(MIXED[-1][-1]))), self.slots
        )
        norm = functools.partial(
            BatchNorm, epsilon=self.norm_epsilon, group_size=self.norm_group_size
        )
        stem = Unit(self._scale(64), (7, 7, 7), norm, (2, 2, 2), name="stem_layer")
        x = stem(clip.astype(self.dtype), train=train)
        self.sow("intermediates", "stem", x)
        x = max_pool(x, (1, 3, 3), (1, 2, 2), "SAME")
        x = Unit(self._scale(64), (1, 1, 1), norm, name="layer1_conv1")(x, train=train)
        x = Unit(self._scale(192), (3, 3, 3), norm, name="layer1_conv2")(x, train=train)
        self.sow("intermediates", "stage1", x)
        pools = ((1, 3, 3), (1, 2, 2)), ((3, 3, 3), (2, 2, 2)), ((2, 2, 2), (2, 2, 2))
        for stage, (blocks, pool) in enumerate(zip(MIXED, pools, strict=True), start=2):
            x, slots = max_pool(x, *pool, "SAME"), self.slots[stage - 1]
            for index, widths in enumerate(blocks, start=1):
                scaled = tuple(map(self._scale, widths))
                x = Mixed(scaled, norm, name=f"layer{stage}_block{index}")(x, train=train)
                name = f"after_block{stage}_{index}"
                x = end(slots, "after_block", x, classifier, name, train=train)
            x = end(slots, "after_stage", x, classifier, f"after_stage{stage}", train=train)
            self.sow("intermediates", f"stage{stage}", x)
        features = jnp.mean(_windows(x), axis=(1, 2, 3), dtype=jnp.float32)
        return classify(self, head, features, self.dropout, train=train)

    def _scale(self, channels: int) -> int:
        return max(1, channels * self.width // 64)


def _outputs(widths: tuple[int, ...]) -> tuple[int, ...]:
    """Channels that the branches of a mixed block put out."""
    return widths[0], widths[2], widths[4], widths[5]


def _windows(x: jax.Array) -> jax.Array:
    """Means of two neighbouring frames, whose mean the network takes: inner frames count twice."""
    return x if x.shape[1] == 1 else (x[:, 1:] + x[:, :-1]) / 2


_FAMILY = Family(
    I3D,
    {name: OPTIONS[name] for name in ("width", "dropout", "norm_epsilon", "norm_group_size")},
    {
        "clip": (64, 224, 224),
        "frame_stride": 1,
        "mean": (0.5, 0.5, 0.5),
        "std": (0.5, 0.5, 0.5),
        "paper": "Carreira, Zisserman: Quo Vadis, Action Recognition? A New Model and the "
        "Kinetics Dataset, CVPR 2017",
        "notes": "Colours in [-1, 1], 25 frames a second, long clips in tests. Table 5.1 prints "
        "the operations of 64 frames beside an input of 16; table 7.1 twice the multiply-adds "
        "of 16 frames.",
    },
    methods=("class_reg",),
    stages=(2, 3, 4),
)

VARIANTS = (
    _FAMILY.variant(
        "i3d",
        {},
        12_697_264,
        111_150_686_208,
        "thesis 4.2, 5.1: 12 / 108",
        "CFP 7.1: - / 55.79",
        theta=0.65,
    ),
)
