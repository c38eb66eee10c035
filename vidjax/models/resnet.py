"""The residual network behind all families: a stem, four stages and a classifier.

A family defines its stem, blocks and factories; the common parts are here and in `blocks`.
Parameters: `stem_layer/conv|norm`, `layer<i>/block<j>/conv<k>|norm<k>`, with `shortcut/conv|norm`
if the shape changes, and `head`. (The outputs are sown as `stem` and `stage<i>`; in flax a module
must not have the name of a sown value.)
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
      stem: factory of the stem.
      stages: factories of the blocks of each stage.
      head_width: number of features F that the classifier takes.
      neck: factory of the module from the last stage to features, `module(x, train=...)` to `[B,
        F]`, or `[B, T, F]` if frames are classified one by one; None is the global mean.
      transitions: function to apply after each stage; None for none.
      frames: the number of frames it takes; None means any.
      channels: channels of a frame: 3 for RGB, or more for stacked optical flow.
      dropout: dropout rate before the classifier.
      scan: whether to compile equal blocks once, as a loop.
      remat: stages, 1 to 4, that the backward pass recomputes to save memory.
      dtype: dtype of the computation.
      slots: modules that methods insert into the blocks of each stage.
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
          ValueError: the clip has the wrong shape.
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
    """Returns the stages to recompute in the backward pass, as a tuple.

    Raises:
      ValueError: a stage does not exist, or none of them has blocks.
    """
    if stages and (max(stages) > len(depths) or not any(depths[stage - 1] for stage in stages)):
        known = ", ".join(str(stage) for stage, depth in enumerate(depths, start=1) if depth)
        raise ValueError(
            f"remat = {tuple(stages)}: depths = {tuple(depths)} has blocks only in stages {known}"
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
    """Builds a residual network from a family's definition and a user's options.

    Args:
      num_classes: number of logits.
      dtype: dtype of the computation.
      slots: modules that methods insert into the blocks of each stage.
      stem: factory of the stem, called with `features` and `factories`.
      block: `basic` or `bottleneck`.
      depths: blocks of each stage.
      width: channels inside the blocks of stage 1; 64 as published, fewer for experiments.
      stem_width: channels of the stem; None is `width`.
      features: output channels of each stage; None doubles `width` from stage to stage.
      inner: channels inside the blocks of each stage; None doubles `width` from stage to stage.
      strides: strides of each stage's first block.
      dropout: dropout rate before the classifier.
      norm_epsilon: epsilon of the norms.
      norm_group_size: clips that share batch statistics; None is the whole batch.
      scan: compile equal blocks once, as a loop.
      remat: stages, 1 to 4, that the backward pass recomputes to save memory.
      parts: maps the factory of norms to the `Factories` that differ from the defaults.
      vary: as in `block_plans`.
      whole: maps the factory of norms to further fields of `ResNet`.
      **fields: further fields of all blocks.

    Raises:
      ValueError: an option has no effect with the others.
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


# Functions and classes that define the options of residual networks.
DEFINED_IN = (make_resnet, BasicBlock)


def _require_branch_norms(slots: tuple[Slots, ...], depths: Sequence[int]) -> None:
    """Refuses `zero_init` if basic blocks end in a convolution with an activation of its own.

    After that activation no gradient would reach a norm whose scale starts at zero.
    """
    pairs = enumerate(zip(slots, depths, strict=False), start=1)
    activated = [stage for stage, (slot, depth) in pairs if depth and slot.has("conv")]
    if activated:
        where = f"stage{'s' * (len(activated) > 1)} {', '.join(map(str, activated))}"
        raise ValueError(
            f"zero_init = True has no effect in {where}, because a method inserts "
            "convolutions that end in norms and activations of their own: leave it out, or "
            "use a network of bottlenecks"
        )
