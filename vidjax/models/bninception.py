"""BNInception over single frames, the network of Temporal Segment Networks.

Ioffe and Szegedy, ICML 2015, as implemented in yjxiong/tsn-pytorch: convolutions have a bias,
max-pools of stride 2 include partial windows at the end, and average pools count padding.
"""

from __future__ import annotations

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from vidjax.layers.conv import Conv
from vidjax.layers.norm import BatchNorm
from vidjax.layers.pooling import global_avg_pool, max_pool
from vidjax.models.inception import Unit
from vidjax.models.interface import check_clip, classify, make_head
from vidjax.slots.block import Make, Slots, end

# Branches of each block: 1x1; 1x1 and 3x3; 1x1, 3x3 and 3x3; 1x1 after an average pool. A block
# without the first branch halves the frame, and passes its input on through a max-pool.
BLOCKS: tuple[tuple[tuple[int, ...], ...], ...] = (
    (
        (64, 64, 64, 64, 96, 96, 32),
        (64, 64, 96, 64, 96, 96, 64),
        (0, 128, 160, 64, 96, 96, 0),
    ),
    (
        (224, 64, 96, 96, 128, 128, 128),
        (192, 96, 128, 96, 128, 128, 128),
        (160, 128, 160, 128, 160, 160, 128),
        (96, 128, 192, 160, 192, 192, 128),
        (0, 128, 192, 192, 256, 256, 0),
    ),
    (
        (352, 192, 320, 160, 224, 224, 128),
        (352, 192, 320, 192, 224, 224, 128),
    ),
)
_HALF = (1, 2, 2)
_WINDOW = (1, 3, 3)


class Block(nn.Module):
    """Parallel branches whose outputs are concatenated.

    Attributes:
      widths: channels, in the order of `BLOCKS`.
      norm: factory of norms.
      last: whether it is the network's last block, which has a max-pool.
    """

    widths: tuple[int, ...]
    norm: Make
    last: bool = False

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps `[B, T, H, W, C]` to `[B, T, H', W', sum of the branches]`."""
        strides = (1, 1, 1) if self.widths[0] else _HALF

        def unit(
            x: jax.Array, index: int, size: int, name: str, strides: Any = (1, 1, 1)
        ) -> jax.Array:
            kernel = (1, size, size)
            conv = functools.partial(Conv, self.widths[index], kernel, strides, use_bias=True)
            return Unit(conv, self.norm, name=name)(x, train=train)

        branches = [unit(x, 0, 1, "branch0")] if self.widths[0] else []
        branches.append(unit(unit(x, 1, 1, "branch1a"), 2, 3, "branch1b", strides))
        double = unit(unit(x, 3, 1, "branch2a"), 4, 3, "branch2b")
        branches.append(unit(double, 5, 3, "branch2c", strides))
        if not self.widths[0]:
            branches.append(halved(x))
        else:
            pooled = max_pool(x, _WINDOW, (1, 1, 1)) if self.last else _average(x)
            branches.append(unit(pooled, 6, 1, "branch3"))
        return jnp.concatenate(branches, axis=-1)


class BNInception(nn.Module):
    """A BNInception.

    Attributes:
      num_classes: number of logits.
      channels: channels of a frame: 3 for RGB, or more for stacked optical flow.
      width: channels of the stem; other widths scale with it.
      dropout: dropout rate before the classifier.
      norm_epsilon: epsilon of the norms.
      norm_group_size: clips that share batch statistics; None is the whole batch.
      dtype: dtype of the computation.
      slots: it uses `after_block` and `after_stage` in stages 2 to 4, which have blocks.
    """

    num_classes: int
    channels: int = 3
    width: int = 64
    dropout: float = 0.8
    norm_epsilon: float = 1e-5
    norm_group_size: int | None = None
    dtype: Any = jnp.float32
    slots: tuple[Slots, ...] = (Slots(),) * 4

    @nn.compact
    def __call__(self, clip: jax.Array, *, train: bool = False) -> jax.Array:
        """Maps normalised frames `[B, T, H, W, channels]` to logits float32 `[B, num_classes]`.

        Frames are processed one by one; the classifier takes the mean of their features.

        Raises:
          ValueError: the clip has the wrong shape, or the blocks cannot halve its frames.
        """
        check_clip(clip, channels=self.channels)
        _check_sides(*clip.shape[2:4])
        norm = functools.partial(
            BatchNorm, epsilon=self.norm_epsilon, group_size=self.norm_group_size
        )
        last = tuple(map(self._scale, BLOCKS[-1][-1]))
        head, classifier = make_head(
            self.num_classes, last[0] + last[2] + last[5] + last[6], self.slots
        )
        x = self._first(clip.astype(self.dtype), norm, train=train)
        for stage, blocks in enumerate(BLOCKS, start=2):
            slots = self.slots[stage - 1]
            for index, widths in enumerate(blocks, start=1):
                ends = (stage, index) == (4, len(blocks))
                scaled = tuple(map(self._scale, widths))
                block = Block(scaled, norm, ends, name=f"layer{stage}_block{index}")
                x = block(x, train=train)
                name = f"after_block{stage}_{index}"
                x = end(slots, "after_block", x, classifier, name, train=train)
            x = end(slots, "after_stage", x, classifier, f"after_stage{stage}", train=train)
            self.sow("intermediates", f"stage{stage}", x)
        return classify(self, head, global_avg_pool(x), self.dropout, train=train)

    def _first(self, x: jax.Array, norm: Make, *, train: bool) -> jax.Array:
        """Applies the three convolutions before the first block."""

        def unit(x: jax.Array, width: int, size: int, name: str, strides: Any) -> jax.Array:
            kernel = (1, size, size)
            conv = functools.partial(Conv, self._scale(width), kernel, strides, use_bias=True)
            return Unit(conv, norm, name=name)(x, train=train)

        x = unit(x, 64, 7, "stem_layer", _HALF)
        self.sow("intermediates", "stem", x)
        x = unit(halved(x), 64, 1, "layer1_conv1", (1, 1, 1))
        x = halved(unit(x, 192, 3, "layer1_conv2", (1, 1, 1)))
        self.sow("intermediates", "stage1", x)
        return x

    def _scale(self, channels: int) -> int:
        return channels and max(1, channels * self.width // 64)


def _check_sides(height: int, width: int) -> None:
    # The first three layers leave a size that convolutions and pools must each halve twice.
    for side in (height, width):
        left = (side + 1) // 2 // 4
        if left < 4 or left % 4:
            raise ValueError(
                f"frames of {width}x{height} pixels cannot be halved equally by all branches of "
                "this network; use sides that are multiples of 32"
            )


def halved(x: jax.Array) -> jax.Array:
    """Max-pools with windows of 3 and stride 2; the last window may be partial."""
    pads = [(0, 0), *((0, -(size - 3) % 2) for size in x.shape[2:4])]
    return max_pool(x, _WINDOW, _HALF, pads)


def _average(x: jax.Array) -> jax.Array:
    """Average-pools with windows of 3; padding counts as zeros."""
    return nn.avg_pool(x, _WINDOW, (1, 1, 1), ((0, 0), (1, 1), (1, 1)))
