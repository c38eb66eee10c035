"""EvaNet: networks of mixed blocks found by evolution (Piergiovanni et al., ICCV 2019).

These are the two published RGB networks, in their authors' notation. A branch is a string: `C5`
convolves over 5 frames and 3x3 pixels, `G` uses a temporal mixture, `D` convolves over time and
then space, `P7` max-pools over 7 frames, `S` skips, and `G1+D9` does both in turn. In every other
block convolutions see a single frame.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from vidjax.layers.conv import Conv
from vidjax.layers.norm import BatchNorm
from vidjax.layers.pooling import max_pool
from vidjax.layers.temporal_mixture import TemporalMixtureConv
from vidjax.models.cards import Family
from vidjax.models.i3d import FAMILY_OPTIONS, same_pool
from vidjax.models.interface import check_clip, classify, make_head
from vidjax.slots.block import Make, Slots, Triple, end


@dataclass(frozen=True)
class Genome:
    """A network found by evolution.

    Attributes:
      stages: number of blocks and branches of a block, for each of the four stages.
      pool: temporal window of the max-pool before stage 3.
    """

    stages: tuple[tuple[int, tuple[str, ...]], ...]
    pool: int


GENOMES: Mapping[str, Genome] = {
    "evanet_1": Genome(
        (
            (2, ("C1", "P7")),
            (4, ("P3", "S", "C1", "S", "C5")),
            (5, ("P7", "S", "G11", "P11")),
            (3, ("P11", "C1", "G3")),
        ),
        pool=1,
    ),
    "evanet_2": Genome(
        (
            (2, ("P1", "P3", "G1+D9", "P1", "S")),
            (3, ("P1", "P7", "D5+C1", "G1+D11", "S", "D11+C1")),
            (5, ("P5", "S", "P9")),
            (4, ("D1", "P5")),
        ),
        pool=3,
    ),
}
_SAME = "SAME"


class OverTimeThenSpace(nn.Module):
    """A convolution over time to half the channels, a norm, ReLU, and a spatial convolution.

    The authors' code never trains the statistics of that norm: they stay 0 and 1.

    Attributes:
      features: channels of the output.
      frames: temporal kernel size.
      norm: factory of the norm between the convolutions.
    """

    features: int
    frames: int
    norm: Make

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps `[B, T, H, W, C]` to `[B, T, H, W, features]`."""
        x = Conv(max(1, self.features // 2), (self.frames, 1, 1), padding=_SAME, name="time")(x)
        x = nn.relu(self.norm(name="norm")(x, train=False))
        return Conv(self.features, (1, 3, 3), padding=_SAME, name="space")(x)


class Branch(nn.Module):
    """One branch of a block.

    Attributes:
      code: string of the branch, as in a genome.
      features: channels of the output.
      frames: whether convolutions see several frames.
      norm: factory of norms.
    """

    code: str
    features: int
    frames: bool
    norm: Make

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps `[B, T, H, W, C]` to `[B, T, H, W, features]`."""
        if self.code[0] in "SP":
            if self.code[0] == "P":
                x = max_pool(x, (int(self.code[1:]), 3, 3), (1, 1, 1), _SAME)
            x = Conv(self.features, (1, 1, 1), name="conv1")(x)
            return self.norm(name="norm1")(x, train=train)
        parts = self.code.split("+")
        x = Conv(max(1, self.features // 2 ** len(parts)), (1, 1, 1), name="reduce")(x)
        x = self.norm(name="reduce_norm")(x, train=train)
        for number, part in enumerate(parts, start=1):
            width = max(1, self.features // 2 ** (len(parts) - number))
            x = self._convolution(part, width, f"conv{number}")(nn.relu(x))
            x = self.norm(name=f"norm{number}")(x, train=train)
        return x

    def _convolution(self, part: str, width: int, name: str) -> nn.Module:
        frames = int(part[1:]) if self.frames else 1
        if part[0] == "G":
            return TemporalMixtureConv(width, frames, name=name)
        if part[0] == "D":
            return OverTimeThenSpace(width, frames, self.norm, name=name)
        return Conv(width, (frames, 3, 3), padding=_SAME, name=name)


class Block(nn.Module):
    """Parallel branches and a shortcut.

    Attributes:
      branches: strings of the branches.
      width: total channels of the branches, before they are divided evenly.
      first: whether the shortcut is a convolution.
      frames: whether convolutions see several frames.
      norm: factory of norms.
    """

    branches: tuple[str, ...]
    width: int
    first: bool
    frames: bool
    norm: Make

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps `[B, T, H, W, C]` to `[B, T, H, W, width]`, less the remainder of the division."""
        share = max(1, self.width // len(self.branches))
        shortcut = x
        if self.first:
            conv = Conv(share * len(self.branches), (1, 1, 1), name="shortcut")
            shortcut = self.norm(name="shortcut_norm")(conv(x), train=train)
        made = [
            Branch(code, share, self.frames, self.norm, name=f"branch{number}")(x, train=train)
            for number, code in enumerate(self.branches)
        ]
        return nn.relu(jnp.concatenate(made, axis=-1) + shortcut)


class EvaNet(nn.Module):
    """An EvaNet.

    Attributes:
      num_classes: number of logits.
      genome: the network found by evolution.
      width: channels of the stem; widths of the stages scale with it.
      dropout: dropout rate before the classifier.
      norm_epsilon: epsilon of the norms.
      norm_group_size: clips that share batch statistics; None is the whole batch.
      dtype: dtype of the computation.
      slots: it uses `after_block` and `after_stage`.
    """

    num_classes: int
    genome: Genome
    width: int = 64
    dropout: float = 0.5
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
        norm = functools.partial(
            BatchNorm, epsilon=self.norm_epsilon, group_size=self.norm_group_size
        )
        count = len(self.genome.stages[-1][1])
        head_width = max(1, 32 * self.width // count) * count
        head, classifier = make_head(self.num_classes, head_width, self.slots)
        x = self._first(clip.astype(self.dtype), norm, train=train)
        pools = (
            ((1, 3, 3), (2, 2, 2)),
            *(((time, 2, 2), (1, 2, 2)) for time in (1, self.genome.pool, 9)),
        )
        for stage, ((blocks, branches), pool) in enumerate(
            zip(self.genome.stages, pools, strict=True), start=1
        ):
            x, slots = same_pool(x, *pool), self.slots[stage - 1]
            width = 2 * 2**stage * self.width
            for index in range(blocks):
                name = f"layer{stage}_block{index + 1}"
                block = Block(branches, width, index == 0, index % 2 == 0, norm, name=name)
                x = block(x, train=train)
                name = f"after_block{stage}_{index + 1}"
                x = end(slots, "after_block", x, classifier, name, train=train)
            x = end(slots, "after_stage", x, classifier, f"after_stage{stage}", train=train)
            self.sow("intermediates", f"stage{stage}", x)
        pairs = x if x.shape[1] == 1 else (x[:, 1:] + x[:, :-1]) / 2
        features = jnp.mean(pairs, axis=(1, 2, 3), dtype=jnp.float32)
        return classify(self, head, features, self.dropout, train=train)

    def _first(self, x: jax.Array, norm: Make, *, train: bool) -> jax.Array:
        """Convolves over time to half the channels, and over space."""
        kernels: tuple[tuple[int, Triple, Triple], ...] = (
            (max(1, self.width // 2), (3, 1, 1), (2, 1, 1)),
            (self.width, (1, 7, 7), (1, 2, 2)),
        )
        for number, (width, kernel, strides) in enumerate(kernels, start=1):
            x = Conv(width, kernel, strides, _SAME, name=f"stem_conv{number}")(x)
            x = nn.relu(norm(name=f"stem_norm{number}")(x, train=train))
        self.sow("intermediates", "stem", x)
        return x


def _network(name: str, params: int, macs: int) -> Any:
    return _FAMILY.variant(name, {"genome": GENOMES[name]}, params, macs, "thesis 4.4, 5.3: none")


_FAMILY = Family(
    EvaNet,
    FAMILY_OPTIONS,
    {
        "clip": (16, 224, 224),
        "frame_stride": 1,
        "mean": (0.5, 0.5, 0.5),
        "std": (0.5, 0.5, 0.5),
        "paper": "Piergiovanni, Angelova, Toshev, Ryoo: Evolving Space-Time Neural Architectures "
        "for Videos, ICCV 2019",
        "notes": "The networks were evolved on Kinetics; those of the row on Moments in Time were "
        "not published. The code states neither the normalisation of colours nor the length of "
        "clips; here colours are in [-1, 1].",
    },
    methods=("class_reg",),
)
VARIANTS = (
    _network("evanet_1", 32_804_188, 35_684_645_280),
    _network("evanet_2", 40_296_514, 25_247_676_416),
)
