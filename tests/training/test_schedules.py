import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import demo
from vidjax.run.config import from_mapping
from vidjax.run.optimizer import decayed, make_optimizer
from vidjax.training.plan import Plan
from vidjax.training.schedules import learning_rate


def config(schedule=None, optimizer=None, **train):
    raw = demo.get_config()
    raw.schedule.update(schedule or {})
    raw.optimizer.update(optimizer or {})
    raw.train.update(train)
    return from_mapping(raw)


def rates(config, total=100):
    schedule = learning_rate(config, total=total, steps_per_epoch=10.0)
    return np.array([float(schedule(step)) for step in range(total)])


def test_cosine_after_a_linear_warm_up():
    values = rates(config({"name": "cosine", "warmup": "20 steps"}, {"lr": 0.4}))
    np.testing.assert_allclose(values[:20], 0.4 * np.arange(20) / 20, rtol=1e-5)
    cosine = 0.2 * (1 + np.cos(np.pi * np.arange(80) / 80))
    np.testing.assert_allclose(values[20:], cosine, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("warmup", [1, 20, 60])
def test_a_warm_up_rises_to_the_cosine_of_the_whole_run(warmup):
    """Thesis, 5.4.1: lr_n = lr_0 0.5 (cos(n / n_max pi) + 1), with a warm-up for the first n."""
    schedule = {"name": "cosine", "warmup": f"{warmup} steps", "cosine_over": "run"}
    values = rates(config(schedule, {"lr": 1.16}))
    printed = 1.16 * 0.5 * (np.cos(np.arange(100) / 100 * np.pi) + 1)
    np.testing.assert_allclose(values[warmup:], printed[warmup:], rtol=1e-4, atol=1e-6)
    rise = printed[warmup] * np.arange(warmup) / warmup
    np.testing.assert_allclose(values[:warmup], rise, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("over", ["rest", "run"])
def test_the_cosine_does_not_jump_after_the_warm_up(over):
    """The increase into the cosine equals each increase of the warm-up."""
    schedule = {"name": "cosine", "warmup": "20 steps", "cosine_over": over}
    values = rates(config(schedule, {"lr": 0.4}))
    rise = np.diff(values)[:20]
    np.testing.assert_allclose(rise, rise[0], rtol=1e-3)
    assert values.argmax() == 20
    assert np.abs(np.diff(values)[20:]).max() < 0.4 * np.pi / 2 / 80 * 1.01


def test_without_a_warm_up_the_schedule_covers_the_run():
    rest, run = (
        rates(config({"name": "cosine", "warmup": "0 steps", "cosine_over": over}))
        for over in ("rest", "run")
    )
    np.testing.assert_array_equal(rest, run)


def test_step_schedules_drop_at_the_given_steps():
    schedule = {"name": "step", "warmup": "0 steps", "boundaries": ("4 epochs", "70%")}
    values = rates(config(schedule | {"factor": 0.1}, {"lr": 1.0}))
    assert values[40 - 1] == pytest.approx(1.0)
    assert values[41] == pytest.approx(0.1)
    assert values[71] == pytest.approx(0.01)


def test_linear_scaling_with_the_batch():
    one = rates(config({"name": "constant", "warmup": "0 steps"}, {"lr": 0.1}))
    optimizer = {"lr": 0.1, "reference_batch": 8}
    scaled = rates(config({"name": "constant", "warmup": "0 steps"}, optimizer, batch_size=32))
    np.testing.assert_allclose(scaled, 4 * one, rtol=1e-6)


def test_an_unknown_schedule_is_named():
    with pytest.raises(ValueError, match="schedule.name = 'linear'"):
        rates(config({"name": "linear"}))


@pytest.mark.parametrize(
    ("schedule", "optimizer", "message"),
    [
        (
            {"name": "constant", "cosine_over": "run"},
            {},
            "schedule.cosine_over = 'run' has no effect, because schedule.name = 'constant'",
        ),
        (
            {},
            {"decay_recurrent": True, "decay_norm_and_bias": True},
            "optimizer.decay_recurrent = True has no effect, because .*decay_norm_and_bias = True",
        ),
    ],
)
def test_settings_without_effect_are_refused_by_name(schedule, optimizer, message):
    with pytest.raises(ValueError, match=message):
        config(schedule, optimizer)


PARAMS = {
    "conv": {"kernel": jnp.full((2,), 3.0)},
    "norm": {"scale": jnp.ones(2), "bias": jnp.ones(2)},
}


def sgd(params, grads_of, steps, rate, momentum, nesterov, decay, decays, clip):
    """Computes SGD in NumPy as PyTorch documents it."""
    velocity = {key: np.zeros(2) for key in params}
    for _ in range(steps):
        grads = {key: grads_of(value) for key, value in params.items()}
        norm = np.sqrt(sum((g**2).sum() for g in grads.values()))
        for key, value in params.items():
            grad = grads[key] * (min(1.0, clip / norm) if clip else 1.0)
            grad = grad + (decay * value if decays(key) else 0.0)
            velocity[key] = momentum * velocity[key] + grad
            update = grad + momentum * velocity[key] if nesterov else velocity[key]
            params[key] = value - rate * update
    return params


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"nesterov": True},
        {"decay_norm_and_bias": True},
        {"clip_norm": 0.5},
    ],
)
def test_sgd_has_momentum_and_decays_kernels(fields):
    settings = config(optimizer={"momentum": 0.9, "weight_decay": 0.1, **fields}).optimizer
    optimizer = make_optimizer(settings, lambda step: 0.05)
    params, state = PARAMS, optimizer.init(PARAMS)
    for _ in range(3):
        updates, state = optimizer.update(jax.tree.map(jnp.sin, params), state, params)
        params = jax.tree.map(jnp.add, params, updates)
    flat = {"kernel": np.full(2, 3.0), "scale": np.ones(2), "bias": np.ones(2)}
    everything = fields.get("decay_norm_and_bias", False)
    expected = sgd(
        flat,
        np.sin,
        3,
        0.05,
        0.9,
        fields.get("nesterov", False),
        0.1,
        lambda key: everything or key == "kernel",
        fields.get("clip_norm", 0.0),
    )
    np.testing.assert_allclose(params["conv"]["kernel"], expected["kernel"], rtol=1e-5)
    np.testing.assert_allclose(params["norm"]["scale"], expected["scale"], rtol=1e-5)
    assert jax.tree.leaves(decayed(PARAMS)) == [True, False, False]


def adamw(value, grads_of, steps, rate, beta, nesterov, decay):
    """Computes AdamW (Loshchilov and Hutter, algorithm 2) or NAdamW (Dozat) in NumPy."""
    mean, square = np.zeros(2), np.zeros(2)
    for step in range(1, steps + 1):
        grad = grads_of(value)
        mean, square = beta * mean + (1 - beta) * grad, 0.999 * square + 0.001 * grad**2
        ahead = mean / (1 - beta**step)
        if nesterov:
            ahead = beta * mean / (1 - beta ** (step + 1)) + (1 - beta) * grad / (1 - beta**step)
        update = ahead / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
        value = value - rate * (update + decay * value)
    return value


@pytest.mark.parametrize("nesterov", [False, True])
def test_adamw_decays_kernels_separately_from_the_gradient(nesterov):
    fields = {"name": "adamw", "momentum": 0.8, "weight_decay": 0.1, "nesterov": nesterov}
    optimizer = make_optimizer(config(optimizer=fields).optimizer, lambda step: 0.05)
    params, state = PARAMS, optimizer.init(PARAMS)
    for _ in range(3):
        updates, state = optimizer.update(jax.tree.map(jnp.sin, params), state, params)
        params = jax.tree.map(jnp.add, params, updates)
    kernel = adamw(np.full(2, 3.0), np.sin, 3, 0.05, 0.8, nesterov, 0.1)
    scale = adamw(np.ones(2), np.sin, 3, 0.05, 0.8, nesterov, 0.0)
    np.testing.assert_allclose(params["conv"]["kernel"], kernel, rtol=1e-5)
    np.testing.assert_allclose(params["norm"]["scale"], scale, rtol=1e-5)


def test_the_plan_counts_epochs_and_ends_with_all_actions():
    raw = demo.get_config()
    raw.train.update({"duration": "3 epochs", "batch_size": 16})
    raw.every.update({"log": "4 steps", "checkpoint": "50%", "evaluate": "1 epochs"})
    plan = Plan.of(from_mapping(raw), videos=120)
    assert (plan.total, plan.log, plan.checkpoint, plan.evaluate) == (23, 4, 12, 8)
    assert [step for step in range(1, 24) if plan.logs(step)] == [4, 8, 12, 16, 20, 23]
    assert [step for step in range(1, 24) if plan.evaluates(step)] == [8, 16, 23]
    assert [step for step in range(1, 24) if plan.saves(step)] == [8, 12, 16, 23]
