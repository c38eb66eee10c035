"""The loss of a batch: cross-entropy with soft targets, in which each class may have a weight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import optax

from vidjax.training.sigmoid_loss import sigmoid_cross_entropy, smoothed


@dataclass(frozen=True)
class Loss:
    """The weighted mean of the cross-entropies of the readable clips.

    With weights w of the classes, targets y of a clip and its probabilities p, the clip gives
    sum_c w_c y_c (-log p_c), and the batch the sum of these over the sum of w of each clip's own
    class. So does `torch.nn.CrossEntropyLoss` with `weight`, with label smoothing too. Where clips
    are mixed, each of the two labels counts with its own class's weight. What the batch is divided
    by is known before clips are mixed, and is one number for all devices, processes and
    accumulated parts.

    Attributes:
      smoothing: share of the target that is spread over all classes.
      weights: of the classes, index by index; empty gives each the same.
      multi_label: labels are a yes or no for each class, and the loss is that of
        `vidjax.training.sigmoid_loss`, without weights.
    """

    smoothing: float = 0.0
    weights: tuple[float, ...] = ()
    multi_label: bool = False

    def targets(self, label: jax.Array, num_classes: int) -> jax.Array:
        """Targets float32 `[B, K]` of labels int32 `[B]`, or float32 `[B, K]` of several."""
        if self.multi_label:
            return smoothed(label, self.smoothing)
        return optax.smooth_labels(jax.nn.one_hot(label, num_classes), self.smoothing)

    def divisor(self, batch: Mapping[str, jax.Array], clips: jax.Array) -> jax.Array:
        """What the sum over a whole batch is divided by: the weights of its readable clips.

        Args:
          batch: with `label` int32 `[B]` and `mask` bool `[B]`.
          clips: number of its readable clips, or 1 if there is none; the result without weights.
        """
        if not self.weights:
            return clips
        total = jnp.sum(jnp.asarray(self.weights)[batch["label"]], where=batch["mask"])
        return jnp.where(total > 0, total, 1)

    def summed(self, logits: jax.Array, targets: jax.Array, mask: jax.Array) -> jax.Array:
        """The sum over clips, a scalar.

        Args:
          logits: `[B, K]`.
          targets: `[B, K]`.
          mask: bool `[B]`, which clips were readable.
        """
        if self.multi_label:
            return jnp.sum(sigmoid_cross_entropy(logits, targets), where=mask)
        if self.weights:
            targets = targets * jnp.asarray(self.weights)
        return jnp.sum(optax.softmax_cross_entropy(logits, targets), where=mask)
