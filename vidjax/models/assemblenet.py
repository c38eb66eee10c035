"""AssembleNet: RGB and optical-flow streams with connections found by evolution.

Ryoo et al., ICLR 2020. The published structures and connection weights are those of the authors'
code, which never updates the weights. Flow is computed inside the network, from RGB
(`vidjax.layers.representation_flow`).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from vidjax.layers.conv import Conv
from vidjax.layers.norm import BatchNorm
from vidjax.layers.pooling import global_avg_pool, max_pool
from vidjax.layers.representation_flow import RANGES, representation_flow
from vidjax.layers.temporal_conv import TemporalConv
from vidjax.models.cards import Family
from vidjax.models.i3d import FAMILY_OPTIONS
from vidjax.models.interface import check_clip, classify, make_head
from vidjax.settings import one_of
from vidjax.slots.block import Make, Slots


@dataclass(frozen=True)
class Node:
    """A group of residual blocks, and its inputs.

    Attributes:
      level: level of the node, from 0 to 3.
      inputs: indices of the nodes that it takes, from 0; the first four are stems.
      filters: channels of its first convolutions; its output has four times as many.
      dilation: dilation of its convolutions over time.
      weights: weights of its inputs; empty for a single input.
    """

    level: int
    inputs: tuple[int, ...]
    filters: int
    dilation: int
    weights: tuple[float, ...] = ()


# Two stems take RGB, and then convolve over time with this dilation; two take flow.
_STEM_DILATION = 4
_STEMS = 4
_CONNECTIONS: tuple[tuple[int, tuple[int, ...], int, tuple[float, ...]], ...] = (
    (0, (1,), 1, ()),
    (0, (0,), 4, ()),
    (0, (0, 1, 2, 3), 1, (0.138105646, 0.846533726, 0.307296932, 0.286743641)),
    (0, (2, 3), 2, (0.584611773, 0.606633484)),
    (1, (0, 4, 5, 6, 7), 2, (0.163820877, 0.88529247, 0.403959543, 0.682343781, 0.533153832)),
    (1, (0, 2, 4, 7), 1, (0.028569205, 0.10333597, 0.751726449, 0.926011443)),
    (1, (0, 5, 7), 4, (0.288321912, 0.762784898, 0.404977947)),
    (1, (0, 5), 1, (0.234748319, 0.784142554)),
    (2, (4, 8, 10, 11), 1, (0.276165038, 0.951478481, 0.656876743, 0.954798341)),
    (2, (8, 9), 4, (0.50470072, 0.887681961)),
    (3, (12, 13), 2, (0.98922044, 0.845461488)),
)
# Channels of the nodes, by level.
_FILTERS: Mapping[int, tuple[int, ...]] = {50: (32, 64, 256, 512), 101: (32, 64, 192, 256)}
_BLOCKS: Mapping[int, tuple[int, ...]] = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
_SQUARE, _STRIDE = (1, 3, 3), (1, 2, 2)


def nodes_of(depth: int) -> tuple[Node, ...]:
    """Returns the nodes after the stems, in order."""
    return tuple(
        Node(level, inputs, _FILTERS[depth][level], dilation, weights)
        for level, inputs, dilation, weights in _CONNECTIONS
    )


class Stem(nn.Module):
    """A spatial convolution with norm and ReLU, one over time for RGB, and a max-pool.

    Attributes:
      features: channels of the output.
      over_time: whether to convolve over time too.
      norm: factory of norms.
    """

    features: int
    over_time: bool
    norm: Make

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps `[B, T, H, W, C]` to `[B, T, H/4, W/4, features]`."""
        x = Conv(self.features, (1, 7, 7), _STRIDE, name="conv1")(x)
        x = nn.relu(self.norm(name="norm1")(x, train=train))
        if not self.over_time:
            return max_pool(x, _STRIDE, _STRIDE, "SAME")
        x = TemporalConv(self.features, 5, _STEM_DILATION, name="conv2")(x)
        x = nn.relu(self.norm(name="norm2")(x, train=train))
        return max_pool(x, _SQUARE, _STRIDE, "SAME")


class Block(nn.Module):
    """A bottleneck; every other block convolves over time first.

    Attributes:
      features: channels of the first convolution; the output has four times as many.
      inner: channels of the middle convolution.
      first: whether it is strided, with a convolution as its shortcut.
      dilation: dilation of the convolution over time; None if there is none.
      norm: factory of norms.
    """

    features: int
    inner: int
    first: bool
    dilation: int | None
    norm: Make

    @nn.compact
    def __call__(self, x: jax.Array, *, strides: Any, train: bool) -> jax.Array:
        """Maps `[B, T, H, W, C]` to `[B, T, H', W', 4 features]`."""
        shortcut = x
        if self.first:
            conv = Conv(4 * self.features, (1, 1, 1), strides, name="shortcut")
            shortcut = self.norm(name="shortcut_norm")(conv(x), train=train)
        if self.dilation is None:
            x = Conv(self.features, (1, 1, 1), name="conv1")(x)
        else:
            x = TemporalConv(self.features, 3, self.dilation, name="conv1")(x)
        x = nn.relu(self.norm(name="norm1")(x, train=train))
        x = Conv(self.inner, _SQUARE, strides, name="conv2")(x)
        x = nn.relu(self.norm(name="norm2")(x, train=train))
        x = Conv(4 * self.features, (1, 1, 1), name="conv3")(x)
        x = self.norm(name="norm3", scale_init=nn.initializers.zeros)(x, train=train)
        return nn.relu(x + shortcut)


class Group(nn.Module):
    """The weighted sum of a node's inputs, followed by its blocks.

    Attributes:
      node: the node of the structure.
      blocks: number of blocks.
      features: channels of the first convolutions.
      inner: channels of the middle convolutions.
      norm: factory of norms.
    """

    node: Node
    blocks: int
    features: int
    inner: int
    norm: Make

    @nn.compact
    def __call__(self, inputs: Sequence[jax.Array], *, train: bool) -> jax.Array:
        """Maps features `[B, T, H, W, C]` of several sizes to `[B, T, H', W', 4 features]`."""
        x = self._added(inputs)
        for index in range(self.blocks):
            strides = _STRIDE if self.node.level and not index else (1, 1, 1)
            dilation = self.node.dilation if index % 2 else None
            name = f"block{index + 1}"
            block = Block(self.features, self.inner, not index, dilation, self.norm, name=name)
            x = block(x, strides=strides, train=train)
        return x

    def _added(self, inputs: Sequence[jax.Array]) -> jax.Array:
        if len(inputs) == 1:
            return inputs[0]
        least = min(own.shape[2] for own in inputs)
        by_channels: dict[int, jax.Array] = {}
        for own, weight in zip(inputs, self.node.weights, strict=True):
            ratio = own.shape[2] // least
            small = max_pool(own, (1, ratio, ratio), (1, ratio, ratio), "SAME")
            known = by_channels.get(own.shape[-1])
            weighed = weight * small
            by_channels[own.shape[-1]] = weighed if known is None else known + weighed
        most = max(by_channels)
        total = by_channels.pop(most)
        for channels, own in by_channels.items():
            total = total + Conv(most, (1, 1, 1), name=f"widen{channels}")(own)
        return total


class AssembleNet(nn.Module):
    """An AssembleNet.

    Attributes:
      num_classes: number of logits.
      depth: 50 or 101.
      flow_range: range over which brightness is scaled before flow is computed: the whole `batch`,
        as published, so that a clip's logits depend on the other clips, or each `clip`.
      width: twice the channels of the stems; other widths scale with it.
      dropout: dropout rate before the classifier.
      norm_epsilon: epsilon of the norms.
      norm_group_size: clips that share batch statistics; None is the whole batch.
      dtype: dtype of the computation.
      slots: not used.
    """

    num_classes: int
    depth: int
    flow_range: str = "batch"
    width: int = 64
    dropout: float = 0.0
    norm_epsilon: float = 1e-5
    norm_group_size: int | None = None
    dtype: Any = jnp.float32
    slots: tuple[Slots, ...] = (Slots(),) * 4

    @nn.compact
    def __call__(self, clip: jax.Array, *, train: bool = False) -> jax.Array:
        """Maps normalised clips `[B, T, H, W, 3]` to logits float32 `[B, num_classes]`.

        Raises:
          ValueError: the clip has the wrong shape.
        """
        check_clip(clip)
        head, _ = make_head(self.num_classes)
        norm = functools.partial(
            BatchNorm,
            momentum=0.99,
            epsilon=self.norm_epsilon,
            group_size=self.norm_group_size,
        )
        colours = clip.astype(self.dtype)
        flow = representation_flow(clip, self.flow_range).astype(self.dtype)
        made = [
            Stem(self._scale(32), number < 2, norm, name=f"node{number}")(
                colours if number < 2 else flow, train=train
            )
            for number in range(_STEMS)
        ]
        self.sow("intermediates", "stem", made[0])
        nodes = nodes_of(self.depth)
        for number, node in enumerate(nodes, start=_STEMS):
            group = Group(
                node,
                _BLOCKS[self.depth][node.level],
                self._scale(node.filters),
                self._scale(64 * 2**node.level),
                norm,
                name=f"node{number}",
            )
            made.append(group([made[own] for own in node.inputs], train=train))
            if node is nodes[-1] or nodes[number - _STEMS + 1].level > node.level:
                self.sow("intermediates", f"stage{node.level + 1}", made[-1])
        return classify(self, head, global_avg_pool(made[-1]), self.dropout, train=train)

    def _scale(self, channels: int) -> int:
        return max(1, math.ceil(channels * self.width / 64))


_FAMILY = Family(
    AssembleNet,
    {**FAMILY_OPTIONS, "flow_range": one_of(*RANGES)},
    {
        "clip": (16, 224, 224),
        "frame_stride": 2,
        "mean": (0.5, 0.5, 0.5),
        "std": (0.5, 0.5, 0.5),
        "paper": "Ryoo, Piergiovanni, Tan, Angelova: AssembleNet: Searching for Multi-Stream "
        "Neural Connectivity in Video Architectures, ICLR 2020",
        "notes": "It was trained with 32 frames and tested with 120. It was searched on Moments in "
        "Time; the thesis' row for that data set is AssembleNet-101. Brightness is scaled over "
        "the whole batch before flow is computed, so a clip's logits depend on the batch; "
        "flow_range='clip' avoids that. The multiply-adds count convolutions, not the iterations "
        "of flow.",
    },
    methods=(),
)
VARIANTS = (
    _FAMILY.variant("assemblenet_50", {"depth": 50}, 37_398_864, 125_227_270_144),
    _FAMILY.variant(
        "assemblenet_101", {"depth": 101}, 53_371_984, 198_597_820_416, "thesis 4.4, 5.3: none"
    ),
)
