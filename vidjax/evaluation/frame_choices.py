"""Counts how many of a network's frame selections depend on the clip, from its program."""

from __future__ import annotations

from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp

from vidjax.layers.lowering import force_lowering
from vidjax.layers.recorded_selections import recording_selections


@dataclass(frozen=True)
class FrameChoices:
    """A network's frame selections for clips of one length.

    Attributes:
      choosing: selections with more candidates than frames to keep, where the clip decides.
      forced: selections with as many candidates as frames to keep, whatever the clip shows.
      whole: selections that keep all frames, because there are only one or two.
    """

    choosing: int
    forced: int
    whole: int

    @property
    def total(self) -> int:
        """Number of all selections."""
        return self.choosing + self.forced + self.whole


def count_frame_choices(model: nn.Module, clip_shape: tuple[int, int, int]) -> FrameChoices:
    """Counts the frame selections of a network. Only shapes are computed.

    Args:
      model: a network on clips. How its blocks are compiled (`scan`, `remat`) does not matter.
      clip_shape: `(T, H, W)` of a clip.

    Examples:
      >>> import vidjax
      >>> from vidjax.evaluation import count_frame_choices
      >>> model = vidjax.create_model("r3d_18", num_classes=5, width=4)
      >>> count_frame_choices(model, (8, 32, 32)).choosing
      0
    """
    # A scanned stage would be traced only once for all of its blocks.
    plain = {"scan": False, "remat": ()}
    model = model.clone(**{name: value for name, value in plain.items() if hasattr(model, name)})
    clip = jax.ShapeDtypeStruct((1, *clip_shape, int(getattr(model, "channels", 3))), jnp.float32)
    with force_lowering("lax"), recording_selections() as found:
        jax.eval_shape(lambda x: model.init(jax.random.key(0), x, train=False), clip)
    choosing = sum(each.candidates > each.wanted for each in found)
    whole = sum(each.wanted == each.frames for each in found)
    return FrameChoices(choosing, len(found) - choosing - whole, whole)
