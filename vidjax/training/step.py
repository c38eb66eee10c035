"""One training step: loss, gradients, update and what to report of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from vidjax.data.transforms import normalize
from vidjax.training.state import TrainState

Tree = Any
Batch = Mapping[str, jax.Array]
Metrics = dict[str, jax.Array]


@dataclass(frozen=True)
class Step:
    """The pure function `(state, batch) -> (state, metrics)`.

    The batch is that of `vidjax.data.pipeline.train_batches`. Metrics are scalars: `loss`,
    `top1`, `clips` (readable ones) and `grad_norm`; and `finite`, a flag for the loss and one
    for each gradient in the order of `quantities`.

    Attributes:
      model: the network.
      optimizer: transforms gradients into updates.
      mean: of the colours, in [0, 1].
      std: of the colours, in [0, 1].
      label_smoothing: share of the target that is spread over all classes.
      accumulate: parts of the batch computed one after the other; their gradients add up to
        those of the whole batch, while batch normalisation sees a part at a time.
      ema: decay of the average of the parameters, where the state keeps one.
    """

    model: nn.Module
    optimizer: optax.GradientTransformation
    mean: tuple[float, ...]
    std: tuple[float, ...]
    label_smoothing: float = 0.0
    accumulate: int = 1
    ema: float = 0.0

    def __call__(self, state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        """Does one step; both the state and the batch are left as they were."""
        count = jnp.maximum(jnp.sum(batch["mask"]), 1)
        (loss, (stats, hits)), grads = self._gradients(state, batch, count)
        # Otherwise XLA fuses what makes a gradient into each of its readers, and makes it anew.
        grads = jax.lax.optimization_barrier(grads)
        updates, opt_state = self.optimizer.update(grads, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        # One pass over each gradient serves both the norm and the check.
        squares = jnp.stack([jnp.vdot(leaf, leaf) for leaf in jax.tree.leaves(grads)])
        average = state.ema
        if average is not None:
            average = optax.incremental_update(params, average, 1 - self.ema)
        metrics = {
            "loss": loss,
            "top1": hits / count,
            "clips": jnp.sum(batch["mask"]),
            "grad_norm": jnp.sqrt(jnp.sum(squares)),
            "finite": jnp.isfinite(jnp.append(loss, squares)),
        }
        state = state.replace(
            step=state.step + 1,
            params=params,
            batch_stats=stats,
            opt_state=opt_state,
            ema=average,
        )
        return state, metrics

    def _gradients(self, state: TrainState, batch: Batch, count: jax.Array) -> Any:
        rng = jax.random.fold_in(jax.random.wrap_key_data(state.seed), state.step)
        grad_fn = jax.value_and_grad(self._loss, has_aux=True)
        if self.accumulate == 1:
            return grad_fn(state.params, state.batch_stats, batch, count, rng)

        def add(total: Any, part: Any) -> tuple[Any, None]:
            (loss, (stats, hits)), grads = total
            index, clips = part
            key = jax.random.fold_in(rng, index)
            (more, (stats, more_hits)), new = grad_fn(state.params, stats, clips, count, key)
            return (
                (loss + more, (stats, hits + more_hits)),
                jax.tree.map(jnp.add, grads, new),
            ), None

        nothing = (jnp.zeros(()), (state.batch_stats, jnp.zeros((), jnp.int32)))
        start = (nothing, jax.tree.map(jnp.zeros_like, state.params))
        parts = (jnp.arange(self.accumulate), jax.tree.map(self._split, dict(batch)))
        return jax.lax.scan(add, start, parts)[0]

    def _loss(
        self, params: Tree, batch_stats: Tree, batch: Batch, count: jax.Array, rng: jax.Array
    ) -> tuple[jax.Array, tuple[Tree, jax.Array]]:
        noise, dropout = jax.random.split(rng)
        logits, updated = self.model.apply(
            {"params": params, "batch_stats": batch_stats},
            normalize(batch["clip"], self.mean, self.std),
            train=True,
            mutable=["batch_stats"],
            rngs={"noise": noise, "dropout": dropout},
        )
        labels = jax.nn.one_hot(batch["label"], logits.shape[-1])
        labels = optax.smooth_labels(labels, self.label_smoothing)
        losses = optax.softmax_cross_entropy(logits, labels)
        loss = jnp.sum(losses, where=batch["mask"]) / count
        hits = jnp.sum((logits.argmax(-1) == batch["label"]) & batch["mask"])
        return loss, (updated.get("batch_stats", {}), hits)

    def _split(self, rows: jax.Array) -> jax.Array:
        # Strided parts keep every device's share of a part on that device.
        return rows.reshape(-1, self.accumulate, *rows.shape[1:]).swapaxes(0, 1)


def quantities(params: Tree) -> list[str]:
    """Names of what the flags `finite` of a step stand for."""
    paths = jax.tree_util.tree_leaves_with_path(params)
    names = ("/".join(str(key.key) for key in path) for path, _ in paths)
    return ["loss", *(f"gradient of {name}" for name in names)]
