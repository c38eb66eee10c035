import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from vidjax.layers.norm import BatchNorm
from vidjax.methods.temporal_gates import TemporalGate, openness
from vidjax.run.setting_groups import MeshConfig
from vidjax.run.sharding import make_mesh
from vidjax.run.state import init_state
from vidjax.training.meter import Meter, NonFiniteError
from vidjax.training.step import Step, quantities

RNG = np.random.default_rng(0)
MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.3, 0.25)


class Small(nn.Module):
    group: int = 2
    num_classes: int = 3

    @nn.compact
    def __call__(self, x, *, train):
        x = nn.tanh(BatchNorm(group_size=self.group)(nn.Dense(5)(x), train=train))
        return nn.Dense(3)(x.mean((1, 2, 3)))


def batch(masked=()):
    mask = np.ones(8, bool)
    mask[list(masked)] = False
    return {
        "clip": RNG.integers(0, 255, (8, 2, 4, 4, 3), dtype=np.uint8),
        "label": RNG.integers(0, 3, 8).astype(np.int32),
        "mask": mask,
    }


def make(rate=0.1, ema=0.0, **fields):
    model, optimizer = Small(), optax.sgd(rate, momentum=0.9)
    mesh = make_mesh(MeshConfig(-1, 1))
    state, _ = (
        init_state(model, optimizer, (1, 2, 4, 4, 3), seed=0, ema=ema > 0, mesh=mesh)
        if jax.device_count() == 1
        else (None, None)
    )
    return jax.jit(Step(model, optimizer, MEAN, STD, ema=ema, **fields)), state, model


def loss_of(model, state, data, smoothing):
    """Computes the loss in NumPy from the module's logits."""
    x = (data["clip"] / 255 - np.array(MEAN)) / np.array(STD)
    variables = {"params": state.params, "batch_stats": state.batch_stats}
    logits, _ = model.apply(variables, jnp.float32(x), train=True, mutable=["batch_stats"])
    logits = np.asarray(logits, np.float64)
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    target = np.eye(3)[data["label"]] * (1 - smoothing) + smoothing / 3
    keep = data["mask"]
    hits = (logits.argmax(1) == data["label"])[keep]
    return -(target * log_p).sum(1)[keep].mean(), hits.mean()


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_loss_and_top1_are_means_over_readable_clips(smoothing):
    step, state, model = make(label_smoothing=smoothing)
    data = batch(masked=(1, 6))
    _, metrics = step(state, data)
    loss, top1 = loss_of(model, state, data, smoothing)
    assert float(metrics["loss"]) == pytest.approx(loss, rel=1e-5)
    assert float(metrics["top1"]) == pytest.approx(top1)
    assert int(metrics["clips"]) == 6


def test_masked_clips_do_not_affect_the_gradient():
    step, state, _ = make()
    data = batch(masked=(3,))
    other = data | {"label": np.where(data["mask"], data["label"], (data["label"] + 1) % 3)}
    for one, two in zip(
        jax.tree.leaves(step(state, data)), jax.tree.leaves(step(state, other)), strict=True
    ):
        np.testing.assert_array_equal(one, two)


def test_gradient_accumulation_equals_the_whole_batch():
    data = batch(masked=(0,))
    whole, state, _ = make()
    parts, _, _ = make(accumulate=4)
    one, numbers = whole(state, data)
    # A part takes every fourth row: the rows of a norm group of two go four apart.
    apart = [0, 2, 4, 6, 1, 3, 5, 7]
    two, others = parts(state, {key: value[apart] for key, value in data.items()})
    assert float(numbers["loss"]) == pytest.approx(float(others["loss"]), rel=1e-5)
    for a, b in zip(jax.tree.leaves(one.params), jax.tree.leaves(two.params), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


class Gated(nn.Module):
    """Has a gate that is open in the first step and later closed for these clips."""

    num_classes: int = 3

    @nn.compact
    def __call__(self, x, *, train):
        x = TemporalGate("hard", gate_warmup_steps=1, layers=1, name="layer1")(x, train=train)
        return nn.Dense(3)(x.mean((1, 2, 3)))


@pytest.mark.parametrize("accumulate", [1, 4])
def test_gate_warm_up_counts_optimiser_steps(accumulate):
    model, optimizer = Gated(), optax.sgd(0.1)
    mesh = make_mesh(MeshConfig(-1, 1))
    state, _ = init_state(model, optimizer, (1, 4, 4, 4, 3), seed=0, ema=False, mesh=mesh)
    step = jax.jit(Step(model, optimizer, MEAN, STD, accumulate=accumulate, reading=openness))
    # Equal frames: all match the first.
    clip = np.repeat(RNG.integers(0, 255, (8, 1, 4, 4, 3), dtype=np.uint8), 4, axis=1)
    fractions = []
    for number in (1, 2, 3):
        state, metrics = step(state, batch() | {"clip": clip})
        assert float(state.batch_stats["layer1"]["steps"]) == number
        fractions.append(float(metrics["open/layer1"]))
    assert fractions == [1, 0, 0]


def test_the_moving_average_follows_the_parameters():
    step, state, _ = make(ema=0.75)
    start = jax.tree.leaves(state.params)
    after, _ = step(state, batch())
    for old, new, mean in zip(
        start, jax.tree.leaves(after.params), jax.tree.leaves(after.ema), strict=True
    ):
        np.testing.assert_allclose(mean, 0.75 * old + 0.25 * new, atol=1e-6)
    assert after.variables["params"] is after.ema


def test_the_gradient_norm_equals_the_updates():
    step, state, _ = make(rate=1.0)
    after, metrics = step(state, batch())
    moved = [
        np.asarray(a - b, np.float64)
        for a, b in zip(jax.tree.leaves(state.params), jax.tree.leaves(after.params), strict=True)
    ]
    norm = np.sqrt(sum((m**2).sum() for m in moved))
    assert float(metrics["grad_norm"]) == pytest.approx(norm, rel=1e-4)


def test_the_first_quantity_that_is_not_finite_is_named():
    step, state, _ = make()
    meter = Meter(quantities(state.params))
    good, metrics = step(state, batch())
    meter.add(1, metrics)
    params = dict(good.params)
    params["Dense_1"] = {**params["Dense_1"], "kernel": params["Dense_1"]["kernel"] * jnp.nan}
    _, metrics = step(good.replace(params=params), batch())
    meter.add(2, metrics)
    with pytest.raises(NonFiniteError, match="step 2: the loss is not finite") as caught:
        meter.averages()
    assert (caught.value.step, caught.value.quantity) == (2, "loss")
    names = quantities(state.params)
    flags = np.ones(len(names), bool)
    flags[names.index("gradient of Dense_0/kernel")] = False
    meter = Meter(names)
    meter.add(7, {"loss": 0.0, "top1": 0.0, "grad_norm": 0.0, "finite": flags})
    with pytest.raises(NonFiniteError, match="step 7: the gradient of Dense_0/kernel"):
        meter.sums()


def test_a_meter_continues_from_its_sums():
    def numbers(value):
        metrics = {"loss": value, "top1": value / 2, "grad_norm": 1.0, "clips": 8}
        return metrics | {"finite": np.ones(1, bool)}

    whole, first = Meter(["loss"]), Meter(["loss"])
    for step, value in enumerate((0.1, 0.7, 0.25)):
        whole.add(step, numbers(value))
    first.add(0, numbers(0.1))
    second = Meter(["loss"], first.sums())
    second.add(1, numbers(0.7))
    second.add(2, numbers(0.25))
    assert (
        second.averages()
        == whole.averages()
        == {
            "loss": (0.1 + 0.7 + 0.25) / 3,
            "top1": (0.05 + 0.35 + 0.125) / 3,
            "grad_norm": 1.0,
        }
    )
