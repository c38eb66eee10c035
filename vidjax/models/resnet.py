"""The residual network that the families are variations of: stem, four stages, classifier.

A family says what its stem, blocks and factories are; what it is made of is here and in
`blocks`. Parameters: `stem_layer/conv|norm`, `layer<i>/block<j>/conv<k>|norm<k>`, with
`shortcut/conv|norm` where the shape changes, and `head`. (The outputs are sown as `stem` and
`stage<i>`; in flax a module may not have the name of a sown value.)
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from vidjax.layers.pooling import global_avg_pool
from vidjax.models.blocks import BasicBlock, Factories
from vidjax.models.interface import check_clip, classify, make_head
from vidjax.models.stage import Stage
from vidjax.models.stage_blocks import (
    HALVING,
    Blocks,
    Vary,
    block_plans,
    doubling,
    last_stage,
    make_norm,
)
from vidjax.slots.block import Make, Slots, Triple


class ResNet(nn.Module):
    """A residual network over clips.

    Attributes:
      num_classes: number of logits.
      stem: makes the stem.
      stages: makes the blocks of each stage.
      head_width: features F that the classifier gets.
      neck: makes what turns the last stage into features, `module(x, train=...)` to `[B, F]`, or
        `[B, T, F]` where frames are classified one by one; None is the global mean.
      transitions: what is done between stages, after each; None is nothing.
      frames: the number of frames it takes; None is any.
      channels: of a frame: 3 colours, or more of stacked optical flow.
      dropout: rate before the classifier.
      scan: whether equal blocks are compiled once.
      remat: stages, 1 to 4, that the backward pass computes once more, to save memory.
      dtype: what it computes in.
      slots: what methods put into the blocks of each stage.
    """

    num_classes: int
    stem: Make
    stages: tuple[Blocks, ...]
    head_width: int
    neck: Make | None = None
    transitions: tuple[Callable[[jax.Array], jax.Array] | None, ...] = (None,) * 4
    frames: int | None = None
    channels: int = 3
    dropout: float = 0.0
    scan: bool = False
    remat: tuple[int, ...] = ()
    dtype: Any = jnp.float32
    slots: tuple[Slots, ...] = (Slots(),) * 4

    @nn.compact
    def __call__(self, clip: jax.Array, *, train: bool = False) -> jax.Array:
        """Maps normalised clips `[B, T, H, W, channels]` to logits float32 `[B, num_classes]`.

        Raises:
          ValueError: the clip has another shape.
        """
        check_clip(clip, self.frames, self.channels)
        head, classifier = make_head(self.num_classes, self.head_width, self.slots)
        x = self.stem(name="stem_layer")(clip.astype(self.dtype), train=train)
        self.sow("intermediates", "stem", x)
        for number, blocks in enumerate(self.stages, start=1):
            stage = Stage(
                blocks,
                self.slots[number - 1],
                self.scan,
                before=sum(map(len, self.stages[: number - 1])),
                total=sum(map(len, self.stages)),
                remat=number in self.remat,
                name=f"layer{number}",
            )
            x = stage(x, classifier, train=train)
            self.sow("intermediates", f"stage{number}", x)
            transition = self.transitions[number - 1]
            x = x if transition is None else transition(x)
        features = self.neck(name="neck")(x, train=train) if self.neck else global_avg_pool(x)
        return classify(self, head, features, self.dropout, train=train)


def check_remat(stages: Sequence[int], depths: Sequence[int]) -> tuple[int, ...]:
    """Stages to compute once more, as a tuple.

    Raises:
      ValueError: there is no such stage, or no block in any of them.
    """
    if stages and (max(stages) > len(depths) or not any(depths[stage - 1] for stage in stages)):
        known = ", ".join(str(stage) for stage, depth in enumerate(depths, start=1) if depth)
        raise ValueError(
            f"remat = {tuple(stages)}: depths = {tuple(depths)} have blocks in stages {known}"
        )
    return tuple(stages)


def make_resnet(
    *,
    num_classes: int,
    dtype: Any,
    slots: tuple[Slots, ...],
    stem: Make,
    block: str,
    depths: Sequence[int],
    width: int = 64,
    stem_width: int | None = None,
    features: Sequence[int] | None = None,
    inner: Sequence[int] | None = None,
    strides: Sequence[Triple] = HALVING,
    dropout: float = 0.0,
    norm_epsilon: float = 1e-5,
    norm_group_size: int | None = None,
    scan: bool = False,
    remat: Sequence[int] = (),
    parts: Callable[[Make], Mapping[str, Any]] = lambda norm: {},
    vary: Vary | None = None,
    whole: Callable[[Make], Mapping[str, Any]] = lambda norm: {},
    **fields: Any,
) -> ResNet:
    """A residual network from what a family says and a user may choose.

    Args:
      num_classes: number of logits.
      dtype: what it computes in.
      slots: what methods put into the blocks of each stage.
      stem: called with `features` and `factories`.
      block: `basic` or `bottleneck`.
      depths: blocks of each stage.
      width: channels inside the blocks of stage 1; 64 as published, fewer for experiments.
      stem_width: channels of the stem; None is `width`.
      features: channels that each stage puts out; None is doubling from `width`.
      inner: channels inside the blocks of each stage; None is doubling from `width`.
      strides: of each stage's first block.
      dropout: rate before the classifier.
      norm_epsilon: added to variances.
      norm_group_size: clips that share batch statistics; None is the whole batch.
      scan: compile equal blocks once.
      remat: stages, 1 to 4, that the backward pass computes once more, to save memory.
      parts: from the factory of norms to what differs in the `Factories`.
      vary: as in `block_plans`.
      whole: from the factory of norms to further fields of `ResNet`.
      **fields: of all blocks.

    Raises:
      ValueError: an option has no effect beside the others.
    """
    if fields.get("zero_init") and block == "basic":
        _require_branch_norms(slots, depths)
    norm = make_norm(norm_epsilon, norm_group_size)
    factories = Factories(norm=norm, **parts(norm))
    stem_width, features = stem_width or width, features or doubling(width)
    shape = (block, depths, features, inner or doubling(width), strides)
    plans = block_plans(*shape, stem_width, factories, vary, **fields)
    return ResNet(
        num_classes=num_classes,
        stem=functools.partial(stem, features=stem_width, factories=factories),
        stages=plans,
        dropout=dropout,
        scan=scan,
        remat=check_remat(remat, depths),
        dtype=dtype,
        slots=slots,
        **{"head_width": features[last_stage(depths)], **whole(norm)},
    )


# Where the options that residual networks share are defined.
DEFINED_IN = (make_resnet, BasicBlock)


def _require_branch_norms(slots: tuple[Slots, ...], depths: Sequence[int]) -> None:
    """Refuses `zero_init` where basic blocks end in a convolution with an activation of its own.

    Behind that activation no gradient would reach a norm that starts with zeros.
    """
    pairs = enumerate(zip(slots, depths, strict=False), start=1)
    activated = [stage for stage, (slot, depth) in pairs if depth and slot.has("conv")]
    if activated:
        where = f"stage{'s' * (len(activated) > 1)} {', '.join(map(str, activated))}"
        raise ValueError(
            f"zero_init = True has no effect in {where}, because "
            "the convolutions that a method puts in end in norms and activations of their own: "
            "leave it out, or take a network of bottlenecks"
        )
