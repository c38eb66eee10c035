"""The interface of all networks: a clip in, sown features and logits out."""

from __future__ import annotations

from collections.abc import Iterable

import flax.linen as nn
import jax
import jax.numpy as jnp

from vidjax.slots.block import Slots

CLASSIFIER_INIT = nn.initializers.normal(0.01)


def check_clip(clip: jax.Array, frames: int | None = None, channels: int = 3) -> None:
    """Refuses anything but a batch of normalised clips.

    Args:
      clip: the network's input.
      frames: the number of frames that the network takes; None means any.
      channels: channels of a frame.

    Raises:
      ValueError: the shape is not `[B, T, H, W, channels]`, T is not `frames`, or the dtype is an
        integer.
    """
    if not jnp.issubdtype(clip.dtype, jnp.floating):
        raise ValueError(
            f"a clip must be floating-point and normalised, not {clip.dtype}: normalise it first, "
            "(clip / 255 - mean) / std with mean and std of vidjax.model_card"
        )
    if clip.ndim != 5 or clip.shape[-1] != channels:
        raise ValueError(f"a clip batch is [B, T, H, W, {channels}], not {list(clip.shape)}")
    if frames is not None and clip.shape[1] != frames:
        raise ValueError(
            f"this network takes clips of T = {frames} frame{'s' * (frames != 1)}, "
            f"not {clip.shape[1]}: {list(clip.shape)}"
        )


def channels_of(model: nn.Module) -> int:
    """Returns the channels of a frame that a network takes: its attribute `channels`, or 3."""
    return int(getattr(model, "channels", 3))


def make_head(
    num_classes: int, features: int = 0, slots: Iterable[Slots] = ()
) -> tuple[nn.Dense, jax.Array | None]:
    """Makes the classifier, a linear layer named `head`, at the start of `__call__`.

    Args:
      num_classes: number of logits.
      features: number of input features, needed if a slot reads the kernel.
      slots: slots of the network's stages.

    Returns:
      The layer, and its kernel `[features, num_classes]` for the slots that read it before the
      classifier runs; None if no slot does.
    """
    head = nn.Dense(num_classes, kernel_init=CLASSIFIER_INIT, name="head")
    if not any(slot.has("after_block", "after_stage") for slot in slots):
        return head, None
    if head.is_initializing():
        head(jnp.zeros((1, features)))
    return head, head.variables["params"]["kernel"]


def classify(
    network: nn.Module, head: nn.Dense, features: jax.Array, dropout: float, *, train: bool
) -> jax.Array:
    """Applies dropout and the classifier inside a network's `__call__`.

    Args:
      network: the network, which sows the features as `pre_logits` `[B, F]`.
      head: the layer from `make_head`.
      features: `[B, F]`; or `[B, T, F]`, whose frames are classified one by one.
      dropout: dropout rate before the classifier.
      train: whether dropout is active.

    Returns:
      Logits float32 `[B, num_classes]`, averaged over frames if there are several.
    """
    between = tuple(range(1, features.ndim - 1))
    network.sow("intermediates", "pre_logits", jnp.mean(features, between))
    features = nn.Dropout(dropout, deterministic=not train)(features)
    return jnp.mean(head(features), between)
