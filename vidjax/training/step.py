"""One training step: loss, gradients, parameter update and metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from vidjax.data.thesis_augmentation.device import apply_on_device
from vidjax.data.thesis_augmentation.parameters import Draw
from vidjax.data.transforms import normalize
from vidjax.layers.step_count import with_counts_of
from vidjax.models.registry import Guesses, Reading
from vidjax.run.freezing import as_in_evaluation, stop_frozen_gradients
from vidjax.run.guesses import right_guesses
from vidjax.run.state import TrainState
from vidjax.training.gradient_squares import sums_of_squares
from vidjax.training.loss import Loss
from vidjax.training.mixing import Mixing
from vidjax.training.sigmoid_loss import hits

Tree = Any
Batch = Mapping[str, jax.Array]
Metrics = dict[str, jax.Array]


@dataclass(frozen=True)
class Step:
    """The pure function `(state, batch) -> (state, metrics)`.

    The batch comes from `vidjax.data.pipeline.train_batches`. If its augmentation is left to the
    device, it is applied first. Metrics are scalars: `loss`, `top1`, `clips` (number of readable
    clips), `grad_norm` and the values of `reading` and `guesses`. `finite` holds a flag for the
    loss and one for each gradient, in the order of `quantities`.

    Attributes:
      model: the network, with its `num_classes`.
      optimizer: transforms gradients into updates.
      mean: mean of the colours, or of flow, in [0, 1].
      std: standard deviation of the colours, or of flow, in [0, 1].
      label_smoothing: share of the target that is spread over all classes.
      accumulate: number of parts of the batch that are computed one after the other. Their
        gradients add up to those of the whole batch, but batch normalisation sees one part at a
        time.
      ema: decay of the moving average of the parameters, if the state has one.
      mix: alpha of CutMix; 0 turns it off.
      mix_chance: probability that a batch is mixed.
      mixup: alpha of MixUp; 0 turns it off.
      class_weights: class weights in the loss; empty weighs all classes equally.
      train_only: the part of the network that is trained; the rest runs as in evaluation. Empty
        trains everything.
      frozen: parts that are not trained and run as in evaluation.
      frozen_batch_norm: batch norms run as in evaluation; their scales and biases are trained.
      partial_batch_norm: as `frozen_batch_norm`, for all batch norms but the first.
      augments: batches come with augmentation draws of `vidjax.data.thesis_augmentation`, which are
        applied here.
      reading: reads values of methods in the network, as in `vidjax.models.registry`.
      guesses: reads the classes that methods in the network predict; the metrics `right/<name>` are
        the shares of right ones.
      multi_label: labels are float32 `[B, C]`, a yes or no for each class. The loss is that of
        `vidjax.training.sigmoid_loss`, and the metric `hit1` replaces `top1`.
    """

    model: nn.Module
    optimizer: optax.GradientTransformation
    mean: tuple[float, ...]
    std: tuple[float, ...]
    label_smoothing: float = 0.0
    accumulate: int = 1
    ema: float = 0.0
    mix: float = 0.0
    mix_chance: float = 1.0
    mixup: float = 0.0
    class_weights: tuple[float, ...] = ()
    train_only: str = ""
    frozen: tuple[str, ...] = ()
    frozen_batch_norm: bool = False
    partial_batch_norm: bool = False
    augments: bool = False
    reading: Reading | None = None
    guesses: Guesses | None = None
    multi_label: bool = False

    def __call__(self, state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        """Computes one step without changing the state or the batch."""
        if self.augments:
            batch = augmented(batch)
        count = jnp.maximum(jnp.sum(batch["mask"]), 1)
        divisor = self._criterion.divisor(batch, count)
        (loss, (stats, sums)), grads = self._gradients(state, batch, divisor)
        # Without it, XLA fuses the computation of a gradient into each reader and repeats it.
        grads = jax.lax.optimization_barrier(grads)
        updates, opt_state = self.optimizer.update(grads, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        # One pass over the gradients serves both the norm and the check.
        squares = sums_of_squares(jax.tree.leaves(grads))
        average = state.ema
        if average is not None:
            # Written like this, unchanged parameters keep their average to the last bit.
            average = jax.tree.map(
                lambda old, new: old + (1 - self.ema) * (new - old), average, params
            )
        metrics = {
            "loss": loss,
            **{name: total / count for name, total in sums.items()},
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

    @property
    def _criterion(self) -> Loss:
        return Loss(self.label_smoothing, self.class_weights, self.multi_label)

    def _gradients(self, state: TrainState, batch: Batch, divisor: jax.Array) -> Any:
        rng = jax.random.fold_in(jax.random.wrap_key_data(state.seed), state.step)
        grad_fn = jax.value_and_grad(self._loss, has_aux=True)
        if self.accumulate == 1:
            return grad_fn(state.params, state.batch_stats, batch, divisor, rng)

        def add(total: Any, part: Any) -> tuple[Any, None]:
            (loss, (stats, sums)), grads = total
            index, clips = part
            key = jax.random.fold_in(rng, index)
            stats = with_counts_of(stats, state.batch_stats)
            (more, (stats, new_sums)), new = grad_fn(state.params, stats, clips, divisor, key)
            sums, grads = jax.tree.map(jnp.add, (sums, grads), (new_sums, new))
            return ((loss + more, (stats, sums)), grads), None

        parts = (jnp.arange(self.accumulate), jax.tree.map(self._split, dict(batch)))
        first = jax.tree.map(lambda rows: rows[0], parts[1])
        shapes = jax.eval_shape(grad_fn, state.params, state.batch_stats, first, divisor, rng)
        (loss, (_, sums)), grads = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
        return jax.lax.scan(add, ((loss, (state.batch_stats, sums)), grads), parts)[0]

    def _loss(
        self, params: Tree, batch_stats: Tree, batch: Batch, divisor: jax.Array, rng: jax.Array
    ) -> tuple[jax.Array, tuple[Tree, Metrics]]:
        clip, label, mask = batch["clip"], batch["label"], batch["mask"]
        noise, dropout = jax.random.split(rng)
        targets = self._criterion.targets(label, self.model.num_classes)
        mixing = Mixing(self.mixup, self.mix, self.mix_chance)
        clip, targets = mixing(jax.random.fold_in(rng, 2), clip, targets, mask)
        if self.train_only or self.frozen:
            params = stop_frozen_gradients(params, self.train_only, self.frozen)
        with as_in_evaluation(
            self.frozen,
            batch_norm=self.frozen_batch_norm,
            all_but_first=self.partial_batch_norm,
        ):
            logits, updated = self.model.apply(
                {"params": params, "batch_stats": batch_stats},
                normalize(clip, self.mean, self.std),
                train=not self.train_only,
                mutable=["batch_stats", *(["intermediates"] if self._reads else [])],
                rngs={"noise": noise, "dropout": dropout},
            )
        loss = self._criterion.summed(logits, targets, mask) / divisor
        values = (
            {"hit1": hits(logits, label)}
            if self.multi_label
            else {"top1": logits.argmax(-1) == label}
        )
        if self.reading:
            values |= self.reading(updated["intermediates"], logits)
        if self.guesses:
            values |= right_guesses(self.guesses(updated["intermediates"]), label)
        sums = {name: jnp.sum(value, where=mask) for name, value in values.items()}
        return loss, (updated.get("batch_stats", {}), sums)

    @property
    def _reads(self) -> bool:
        return self.reading is not None or self.guesses is not None

    def _split(self, rows: jax.Array) -> jax.Array:
        # Strided parts keep each device's rows on that device.
        return rows.reshape(-1, self.accumulate, *rows.shape[1:]).swapaxes(0, 1)


def augmented(batch: Batch) -> Batch:
    """Applies the augmentation draws of a batch to its clips and removes them from the batch."""
    draws = Draw(**{name: batch[name] for name in Draw._fields})
    kept = {name: rows for name, rows in batch.items() if name not in Draw._fields}
    return kept | {"clip": apply_on_device(batch["clip"], draws)}


def quantities(params: Tree) -> list[str]:
    """Returns the names of the flags in `finite` of a step."""
    paths = jax.tree_util.tree_leaves_with_path(params)
    names = ("/".join(str(key.key) for key in path) for path, _ in paths)
    return ["loss", *(f"gradient of {name}" for name in names)]
