"""Inception v1 over video: mixed blocks of four branches, for I3D and S3D.

Factories provide what differs between networks: convolutions with their padding, max-pools, and the
gates of branches.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from vidjax.models.interface import check_clip, classify, make_head
from vidjax.slots.block import Make, Slots, Triple, end

# Branches of each mixed block: 1x1x1; 1x1x1 and 3x3x3; 1x1x1 and 3x3x3; 1x1x1 after a max-pool.
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
# Window and strides of the max-pool before each stage.
_POOLS: tuple[tuple[Triple, Triple], ...] = (
    ((1, 3, 3), (1, 2, 2)),
    ((3, 3, 3), (2, 2, 2)),
    ((2, 2, 2), (2, 2, 2)),
)
Pool = Callable[[jax.Array, Triple, Triple], jax.Array]


class Unit(nn.Module):
    """A convolution, a norm and ReLU.

    Attributes:
      conv: factory of the convolution.
      norm: factory of the norm.
    """

    conv: Make
    norm: Make

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps `[B, T, H, W, C]` to `[B, T', H', W', C']`."""
        conv = self.conv(name="conv")
        x = conv(x, train=train) if hasattr(conv, "composed") else conv(x)
        return nn.relu(self.norm(name="norm")(x, train=train))


class Mixed(nn.Module):
    """Four parallel branches whose outputs are concatenated (Inception v1).

    Attributes:
      widths: channels, in the order of `MIXED`.
      conv: factory of a convolution, called with channels and kernel size.
      norm: factory of norms.
      pool: max-pools over windows.
      gate: factory of the gate at the end of a branch; None for none.
    """

    widths: tuple[int, ...]
    conv: Make
    norm: Make
    pool: Pool
    gate: Make | None = None

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps `[B, T, H, W, C]` to `[B, T, H, W, sum of the branches]`."""

        def unit(x: jax.Array, index: int, size: int, name: str) -> jax.Array:
            make = _given(self.conv, self.widths[index], (size,) * 3)
            return Unit(make, self.norm, name=name)(x, train=train)

        pooled = self.pool(x, (3, 3, 3), (1, 1, 1))
        branches = [
            unit(x, 0, 1, "branch0"),
            unit(unit(x, 1, 1, "branch1a"), 2, 3, "branch1b"),
            unit(unit(x, 3, 1, "branch2a"), 4, 3, "branch2b"),
            unit(pooled, 5, 1, "branch3"),
        ]
        if self.gate:
            branches = [self.gate(name=f"gate{number}")(own) for number, own in enumerate(branches)]
        return jnp.concatenate(branches, axis=-1)


class Inception(nn.Module):
    """An Inception v1 over video.

    Attributes:
      num_classes: number of logits.
      conv: factory of a convolution, called with channels, kernel size and strides.
      stem: factory of the first convolution, called with channels.
      norm: factory of norms.
      pool: max-pools over windows.
      gate: factory of the gate at the end of the stem and of each branch; None for none.
      windows: whether the classifier takes the mean over windows of two neighbouring frames, in
        which inner frames count twice; otherwise it takes the mean of all frames.
      width: channels of the stem; other widths scale with it.
      dropout: dropout rate before the classifier.
      dtype: dtype of the computation.
      slots: it uses `after_block` and `after_stage` in stages 2 to 4, which have mixed blocks.
    """

    num_classes: int
    conv: Make
    stem: Make
    norm: Make
    pool: Pool
    gate: Make | None = None
    windows: bool = True
    width: int = 64
    dropout: float = 0.5
    dtype: Any = jnp.float32
    slots: tuple[Slots, ...] = (Slots(),) * 4

    @nn.compact
    def __call__(self, clip: jax.Array, *, train: bool = False) -> jax.Array:
        """Maps normalised clips `[B, T, H, W, 3]` to logits float32 `[B, num_classes]`.

        Raises:
          ValueError: the clip has the wrong shape.
        """
        check_clip(clip)
        head, classifier = make_head(
            self.num_classes, sum(map(self._scale, _outputs(MIXED[-1][-1]))), self.slots
        )
        x = self._first(clip.astype(self.dtype), train=train)
        for stage, (blocks, pool) in enumerate(zip(MIXED, _POOLS, strict=True), start=2):
            x, slots = self.pool(x, *pool), self.slots[stage - 1]
            for index, widths in enumerate(blocks, start=1):
                scaled = tuple(map(self._scale, widths))
                name = f"layer{stage}_block{index}"
                block = Mixed(scaled, self.conv, self.norm, self.pool, self.gate, name=name)
                x = block(x, train=train)
                name = f"after_block{stage}_{index}"
                x = end(slots, "after_block", x, classifier, name, train=train)
            x = end(slots, "after_stage", x, classifier, f"after_stage{stage}", train=train)
            self.sow("intermediates", f"stage{stage}", x)
        features = _windows(x) if self.windows else x
        features = jnp.mean(features, axis=(1, 2, 3), dtype=jnp.float32)
        return classify(self, head, features, self.dropout, train=train)

    def _first(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Applies the stem and the two convolutions before the first mixed block."""
        stem = _given(self.stem, self._scale(64))
        x = Unit(stem, self.norm, name="stem_layer")(x, train=train)
        self.sow("intermediates", "stem", x)
        x = self.pool(x, (1, 3, 3), (1, 2, 2))
        for number, (channels, size) in enumerate(((64, 1), (192, 3)), start=1):
            make = _given(self.conv, self._scale(channels), (size,) * 3)
            x = Unit(make, self.norm, name=f"layer1_conv{number}")(x, train=train)
        x = self.gate(name="layer1_gate")(x) if self.gate else x
        self.sow("intermediates", "stage1", x)
        return x

    def _scale(self, channels: int) -> int:
        return max(1, channels * self.width // 64)


def _given(make: Make, *arguments: Any) -> Make:
    return lambda **more: make(*arguments, **more)


def _outputs(widths: tuple[int, ...]) -> tuple[int, ...]:
    """Returns the output channels of a mixed block's branches."""
    return widths[0], widths[2], widths[4], widths[5]


def _windows(x: jax.Array) -> jax.Array:
    """Averages windows of two neighbouring frames."""
    return x if x.shape[1] == 1 else (x[:, 1:] + x[:, :-1]) / 2
