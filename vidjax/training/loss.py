"""The loss of a batch: cross-entropy with soft targets and optional class weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import optax

from vidjax.training.sigmoid_loss import sigmoid_cross_entropy, smoothed


@dataclass(frozen=True)
class Loss:
    """The weighted mean of the cross-entropy over the readable clips of a batch.

    With class weights w, targets y and probabilities p of a clip, the clip contributes sum_c w_c
    y_c (-log p_c). The sum over clips is divided by the sum of w over the clips' own classes. This
    equals `torch.nn.CrossEntropyLoss` with `weight`, also with label smoothing. In mixed clips each
    of the two labels counts with its own class's weight. The divisor is computed before clips are
    mixed and is one number for all devices, processes and accumulated parts.

    Attributes:
      smoothing: share of the target that is spread over all classes.
      weights: class weights by index; empty weighs all classes equally.
      multi_label: labels are a yes or no for each class. The loss is that of
        `vidjax.training.sigmoid_loss`, without weights.
    """

    smoothing: float = 0.0
    weights: tuple[float, ...] = ()
    multi_label: bool = False

    def targets(self, label: jax.Array, num_classes: int) -> jax.Array:
        """Returns targets float32 `[B, K]` of labels int32 `[B]`, or of multi-labels `[B, K]`."""
        if self.multi_label:
            return smoothed(label, self.smoothing)
        return optax.smooth_labels(jax.nn.one_hot(label, num_classes), self.smoothing)

    def divisor(self, batch: Mapping[str, jax.Array], clips: jax.Array) -> jax.Array:
        """Returns the divisor of the sum over a whole batch: the weights of its readable clips.

        Args:
          batch: batch with `label` int32 `[B]` and `mask` bool `[B]`.
          clips: number of readable clips, at least 1. Without class weights it is the result.
        """
        if not self.weights:
            return clips
        total = jnp.sum(jnp.asarray(self.weights)[batch["label"]], where=batch["mask"])
        return jnp.where(total > 0, total, 1)

    def summed(self, logits: jax.Array, targets: jax.Array, mask: jax.Array) -> jax.Array:
        """Returns the sum of the loss over clips, a scalar.

        Args:
          logits: `[B, K]`.
          targets: `[B, K]`.
          mask: bool `[B]`, True for readable clips.
        """
        if self.multi_label:
            return jnp.sum(sigmoid_cross_entropy(logits, targets), where=mask)
        if self.weights:
            targets = targets * jnp.asarray(self.weights)
        return jnp.sum(optax.softmax_cross_entropy(logits, targets), where=mask)
