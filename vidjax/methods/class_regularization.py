"""Class Regularization: the classifier's weights amplify or damp the activations of a stage.

Stergiou et al., Learning Class Regularized Features for Action Recognition, ICIP 2020, eq. 1 to 3;
Stergiou, thesis, chapter 6, algorithm 1. The classifier's rows are mapped to the channels of a
stage. The row that responds most to the stage's mean activations is the stage's own guess of the
class. Scaled to bounds that the affection rate sets, this row multiplies the channels. The
classifier learns nothing from this: its weights enter as the previous step left them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from vidjax import settings
from vidjax.docstrings import settings_of
from vidjax.layers.broadcast import broadcast_like
from vidjax.layers.conv import kaiming_normal
from vidjax.settings import Kind, Setting, boolean, number, one_of, shown
from vidjax.slots import (
    STAGES,
    AllSlots,
    Option,
    Places,
    insert_module,
    module_factory,
    option_settings,
    pop_stages,
)

SETTINGS: Mapping[str, Kind] = {
    "affection": number(0, 1),
    "bounds": one_of("symmetric", "unit", "printed"),
    "relu": boolean(),
    "level": one_of("sample", "batch"),
    "bias": boolean(),
    "match": one_of("sum", "max"),
    "row": one_of("guess", "random"),
}
NEEDS: Mapping[str, Mapping[str, Kind]] = {
    "match": {"row": Kind("guess", one_of("guess").accepts)},
}
INDEX, FACTORS = "class_index", "factors"
# Lambda of stages 1 to 4 (thesis, table 6.1).
AFFECTION = (0.9, 0.8, 0.7, 0.6)
# Both texts apply it after each stage: table 6.1 of the thesis, and "101 + 4" layers in table 1 of
# the ICIP paper. Section 4 of that paper says "each bottleneck block", which is `after="block"`.
# Only the thesis applies ReLU to mapped weights.
VARIANTS: Mapping[str, Mapping[str, Any]] = {"thesis": {"relu": True}, "icip": {"relu": False}}


class ClassRegularization(nn.Module):
    """Scales channels by the classifier weights of the class that they respond to.

    It sows into `intermediates` the chosen class as `class_index` int32 `[B]`, its share of a
    softmax over the class scores as `class_probability` float32 `[B]`, and the factors of the
    channels as `factors` float32 `[B, C]`. Only the mapping from the classifier's features to the
    channels, `class_reg`, is learnt: F x C parameters. Both texts initialise it as He et al. do
    (Kaiming), but neither states the fan. Here it is the fan out, C, as in all convolutions of the
    networks and in the code published by the thesis' author: normal, with variance 2 / C.

    It costs N F C multiply-adds per batch for N classes, and N C more per clip.

    Attributes:
      affection: lambda (A in the ICIP paper), in [0, 1]; 1 has no effect, except with `printed`.
      bounds: bounds of the factors: `symmetric` around 1, [lambda, 2 - lambda]; `unit`, [lambda,
        1]; or `printed`, eq. 3 taken literally, which is at most a quarter.
      relu: whether ReLU is applied to mapped weights (thesis) or not (ICIP).
      level: whether a class is chosen for each clip (`sample`) or for the `batch`, by its mean
        scores, to which unreadable clips contribute too.
      bias: whether the mapping has a bias; the texts do not say.
      match: score of a class: the `sum` over channels of weight times activation (ICIP, section
        3.1), or their `max` (algorithm 1 taken literally).
      row: the row that scales the channels is that of the stage's `guess`, or, as a control of what
        the guess adds, that of a `random` class.
    """

    affection: float = 0.9
    bounds: str = "symmetric"
    relu: bool = True
    level: str = "sample"
    bias: bool = False
    match: str = "sum"
    row: str = "guess"

    @nn.compact
    def __call__(self, x: jax.Array, classifier: jax.Array, *, train: bool = False) -> jax.Array:
        """Maps features to the same shape, in training as in evaluation.

        Args:
          x: `[B, T, H, W, C]`.
          classifier: kernel of the classifier `[F, num_classes]`; it gets no gradient.
          train: has no effect.

        Raises:
          ValueError: a setting is not allowed.
        """
        del train
        check(self)
        mapping = nn.Dense(
            x.shape[-1],
            use_bias=self.bias,
            precision="highest",
            kernel_init=kaiming_normal,
            name="class_reg",
        )
        rows = mapping(lax.stop_gradient(classifier).T)
        rows = nn.relu(rows) if self.relu else rows
        pooled = jnp.mean(x, axis=(1, 2, 3), dtype=jnp.float32)
        scores = self._scores(pooled, rows)
        if self.row == "random":
            index = random_class(pooled, len(rows), self.level)
        else:
            index = jnp.argmax(scores, axis=-1)
        chosen = jnp.take_along_axis(nn.softmax(scores), index[:, None], axis=-1)[:, 0]
        self.sow("intermediates", INDEX, index)
        self.sow("intermediates", "class_probability", chosen)
        factors = scale(rows[index], self.affection, self.bounds)
        self.sow("intermediates", FACTORS, factors)
        return x * broadcast_like(factors[:, None, None, None], x)

    def _scores(self, pooled: jax.Array, rows: jax.Array) -> jax.Array:
        """Returns the score of each class, `[B, num_classes]`."""
        if self.match == "sum":
            scores = jnp.einsum("bc,nc->bn", pooled, rows, precision="highest")
        else:
            scores = jnp.max(pooled[:, None] * rows, axis=-1)
        if self.level == "batch":
            scores = jnp.broadcast_to(jnp.mean(scores, axis=0), scores.shape)
        return scores


def scale(row: jax.Array, affection: float, bounds: str) -> jax.Array:
    """Computes a class's channel factors from its weights; 1 if all weights are equal.

    Let u be the weights scaled to [0, 1] over the row, and lambda the affection rate. `symmetric`,
    lambda + 2 (1 - lambda) u in [lambda, 2 - lambda], is the only reading of eq. 3 that does what
    the texts say (lambda = 1 has no effect, some features are amplified and others damped). `unit`,
    lambda + (1 - lambda) u in [lambda, 1], adds the one sign that may be missing. `printed`, lambda
    (1 - lambda) u, is eq. 3 taken literally, and at most a quarter.

    Args:
      row: `[..., C]`.
      affection: lambda.
      bounds: `symmetric`, `unit` or `printed`.

    Examples:
      >>> import jax.numpy as jnp
      >>> from vidjax.methods.class_regularization import scale
      >>> scale(jnp.array([-1.0, 0.0, 1.0]), 0.5, "symmetric").tolist()
      [0.5, 1.0, 1.5]
    """
    low = jnp.min(row, axis=-1, keepdims=True)
    span = jnp.max(row, axis=-1, keepdims=True) - low
    # A safe divisor, because the gradient goes through both sides of a `where`.
    u = (row - low) / jnp.where(span > 0, span, 1)
    factors = {
        "symmetric": affection + 2 * (1 - affection) * u,
        "unit": affection + (1 - affection) * u,
        "printed": affection * (1 - affection) * u,
    }
    return jnp.where(span > 0, factors[bounds], 1)


def random_class(pooled: jax.Array, classes: int, level: str = "sample") -> jax.Array:
    """Draws a class for each clip, all equally likely, int32 `[B]`.

    The bits of the clip's mean activations are the seed. So a clip has the same class again where
    it has the same activations to the last bit, and needs no random stream in evaluation.

    Args:
      pooled: mean activations, float32 `[B, C]`.
      classes: number of classes.
      level: `sample`, or `batch` for one class for all clips, from their mean.
    """
    if level == "batch":
        pooled = jnp.broadcast_to(jnp.mean(pooled, axis=0), pooled.shape)
    bits = lax.bitcast_convert_type(lax.stop_gradient(pooled), jnp.uint32)

    def draw(seed: jax.Array) -> jax.Array:
        return jax.random.randint(jax.random.key(seed), (), 0, classes)

    return jax.vmap(draw)(jnp.sum(bits, axis=-1, dtype=jnp.uint32))


def check(module: ClassRegularization) -> None:
    """Refuses settings that are not allowed.

    Raises:
      ValueError: names the setting and what is allowed.
    """
    settings.check(vars(module), SETTINGS, "class_reg ")


def agreement(intermediates: Mapping[str, Any], logits: jax.Array) -> dict[str, jax.Array]:
    """Tells where the class chosen by a stage is the network's prediction.

    Args:
      intermediates: values sown by a network.
      logits: `[B, num_classes]`.

    Returns:
      `agreement/<where>` bool `[B]` for each module, such as `agreement/layer1`,
      `agreement/layer1_block2` or, in I3D, `agreement/stage2`.
    """
    answer = jnp.argmax(logits, axis=-1)
    return {
        "agreement/" + "_".join(where): index == answer for where, index in _chosen(intermediates)
    }


def same_guess(intermediates: Mapping[str, Any]) -> dict[str, jax.Array]:
    """Tells where a stage chooses the class that it chooses most often in the batch.

    A stage that chooses one class whatever the clip scales every clip alike.

    Args:
      intermediates: values sown by a network.

    Returns:
      `same_guess/<where>` bool `[B]` for each module, named as in `agreement`.
    """
    found = {}
    for where, index in _chosen(intermediates):
        alike = jnp.sum(index == index[:, None], axis=-1)
        found["same_guess/" + "_".join(where)] = index == index[jnp.argmax(alike)]
    return found


def readings(intermediates: Mapping[str, Any], logits: jax.Array) -> dict[str, jax.Array]:
    """Returns `agreement` and `same_guess`, which runs log and evaluations report."""
    return {**agreement(intermediates, logits), **same_guess(intermediates)}


def guesses(intermediates: Mapping[str, Any]) -> dict[str, jax.Array]:
    """Returns the class chosen by each stage or block, int `[B]`, named as in `agreement`."""
    return {"_".join(where): index for where, index in _chosen(intermediates)}


def _chosen(
    tree: Mapping[str, Any], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], jax.Array]]:
    """Yields chosen classes and their paths, without names of slots such as `after_stage`."""
    for name, value in tree.items():
        if name == INDEX:
            yield path, value[0]
        elif isinstance(value, Mapping):
            part = name.removeprefix("after_")
            yield from _chosen(value, path if part == "stage" else (*path, part))


_AFTER = one_of("stage", "block")
_VARIANT = one_of(*VARIANTS)


def fill(slots: AllSlots, value: Any, places: Places) -> AllSlots:
    """Inserts it after stages or blocks, with ReLU (thesis) or without (ICIP)."""
    values = option_settings("class_reg", value)
    settings.check(values, {"variant": _VARIANT, "after": _AFTER}, "class_reg ")
    values = {**VARIANTS[values.pop("variant", "thesis")], **values}
    after = values.pop("after", "stage")
    named = values.get("stages", places.stages)
    stages = pop_stages("class_reg", values, places)
    rates = values.pop("affection", tuple(AFFECTION[stage - 1] for stage in named))
    if not isinstance(rates, tuple) or len(rates) != len(named):
        raise ValueError(
            f"class_reg affection = {shown(rates)}: expected {len(named)} numbers, one for each "
            f"of the stages {', '.join(map(str, named))}"
        )
    for stage, rate in zip(named, rates, strict=True):
        own = {**values, "affection": rate}
        make = module_factory("class_reg", ClassRegularization, own, SETTINGS, NEEDS, more=_WHERE)
        if stage in stages:
            slots = insert_module("class_reg", slots, (stage,), f"after_{after}", make)
    return slots


_WHERE: Mapping[str, Setting] = {
    "variant": Setting("thesis", _VARIANT.text, "the text that determines the default of relu"),
    "after": Setting(
        "stage",
        _AFTER.text,
        "where it is applied: after each stage as in both works' tables (101 + 4 layers), or after "
        "each block as in the ICIP paper's section 4",
    ),
    "affection": Setting(
        ...,
        "a tuple of numbers in [0, 1], one for each stage",
        f"lambda of each stage, 1 for no effect; if left out, {AFFECTION} for stages 1 to 4",
    ),
    **STAGES,
}
_RELU = Setting(
    True, SETTINGS["relu"].text, "whether ReLU is applied to mapped weights; off in icip"
)
OPTIONS = (
    Option(
        "class_reg",
        fill,
        "a mapping of settings; {} gives the thesis' values",
        "Class Regularization: the classifier's weights amplify or damp the channels of stages",
        {**settings_of(SETTINGS, ClassRegularization), "relu": _RELU, **_WHERE},
        readings,
        guesses=guesses,
        rank=50,
    ),
)
