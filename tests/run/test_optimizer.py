import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from configs import demo
from vidjax.run.config import ConfigError, from_mapping
from vidjax.run.optimizer import decayed, make_optimizer, optimizers

RATE = optax.linear_schedule(0.05, 0.01, 3)
DECAY = 0.1
PARAMS = {
    "conv": {"kernel": jnp.linspace(0.5, 1.5, 24).reshape(1, 1, 2, 3, 4)},
    "norm": {"scale": jnp.ones(4), "bias": jnp.full(4, 0.2)},
    "head": {"kernel": jnp.linspace(-1, 1, 8).reshape(4, 2), "bias": jnp.zeros(2)},
}
# What optax's documentation of each says that the settings are there.
PLAIN = {
    "adam": lambda: optax.adam(RATE, b1=0.9),
    "adagrad": lambda: optax.adagrad(RATE),
    "rmsprop": lambda: optax.rmsprop(RATE, momentum=0.9),
    "radam": lambda: optax.radam(RATE, b1=0.9),
    "novograd": lambda: optax.novograd(RATE, b1=0.9),
    "signum": lambda: optax.signum(RATE, beta=0.9),
}
BESIDE = {
    "lamb": lambda mask: optax.lamb(RATE, b1=0.9, weight_decay=DECAY, mask=mask),
    "lion": lambda mask: optax.lion(RATE, b1=0.9, weight_decay=DECAY, mask=mask),
    "adan": lambda mask: optax.adan(RATE, b1=0.9, weight_decay=DECAY, mask=mask),
    "contrib.muon": lambda mask: optax.contrib.muon(
        RATE, beta=0.9, weight_decay=DECAY, weight_decay_mask=mask, nesterov=False
    ),
    "lars": lambda mask: optax.lars(
        RATE, weight_decay=DECAY, weight_decay_mask=True if mask is None else mask, momentum=0.9
    ),
}


def made(**fields):
    raw = demo.get_config()
    raw.optimizer.update({"momentum": 0.9, "weight_decay": DECAY, **fields})
    return make_optimizer(from_mapping(raw).optimizer, RATE)


def run(optimizer, steps=3):
    params, state = PARAMS, optimizer.init(PARAMS)

    @jax.jit
    def step(params, state):
        updates, state = optimizer.update(jax.tree.map(jnp.sin, params), state, params)
        return optax.apply_updates(params, updates), state

    for _ in range(steps):
        params, state = step(params, state)
    return params


def assert_same(found, expected):
    jax.tree.map(np.testing.assert_array_equal, found, expected)


QUICK = {"adam", "rmsprop", "novograd", "lamb", "lars", "contrib.muon"}


def all_of(names):
    """Names for a test, of which those that are like others are slow."""
    slow = pytest.mark.slow
    return [pytest.param(name, marks=() if name in QUICK else slow) for name in names]


@pytest.mark.parametrize("name", all_of(PLAIN))
def test_an_optimiser_that_takes_no_mask_gets_the_decay_of_kernels_in_its_gradient(name):
    expected = optax.chain(optax.add_decayed_weights(DECAY, decayed), PLAIN[name]())
    assert_same(run(made(name=name)), run(expected))


@pytest.mark.parametrize("name", all_of(BESIDE))
def test_an_optimiser_that_takes_a_mask_decays_kernels_itself(name):
    assert_same(run(made(name=name)), run(BESIDE[name](decayed)))


def test_all_parameters_are_decayed_on_request():
    assert_same(run(made(name="lion", decay_norm_and_bias=True)), run(BESIDE["lion"](None)))
    assert_same(run(made(name="lars", decay_norm_and_bias=True)), run(BESIDE["lars"](None)))


def test_sgd_and_adamw_have_the_state_that_earlier_runs_have_saved():
    sgd = optax.chain(optax.add_decayed_weights(DECAY, decayed), optax.sgd(RATE, 0.9, True))
    adamw = optax.chain(
        optax.clip_by_global_norm(0.5), optax.adamw(RATE, 0.9, weight_decay=DECAY, mask=None)
    )
    ours = (
        made(name="sgd", nesterov=True),
        made(name="adamw", clip_norm=0.5, decay_norm_and_bias=True),
    )
    for optimizer, expected in zip(ours, (sgd, adamw), strict=True):
        assert_same(run(optimizer), run(expected))
        structure = jax.tree.structure(expected.init(PARAMS))
        assert jax.tree.structure(optimizer.init(PARAMS)) == structure


def test_options_go_to_the_optimiser():
    options = {"b2": 0.5, "eps": 1e-3, "mu_dtype": "bfloat16"}
    expected = optax.adam(RATE, 0.9, 0.5, 1e-3, mu_dtype=jnp.bfloat16, nesterov=True)
    ours = made(name="adam", options=options, nesterov=True, weight_decay=0.0)
    assert_same(run(ours), run(expected))
    pair = made(name="contrib.prodigy", options={"betas": [0.8, 0.99]}, weight_decay=0.0)
    assert_same(run(pair), run(optax.contrib.prodigy(RATE, betas=(0.8, 0.99))))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "adma"}, "optimizer.name = 'adma' is no optimiser of optax: did you mean 'ada"),
        ({"name": "contrib.muonn"}, "did you mean 'contrib.muon'"),
        ({"name": "scale_by_adam"}, "is no optimiser of optax"),
        ({"name": "adam", "options": {"b3": 0.5}}, "optax.adam does not take: did you mean 'b2'"),
        ({"name": "adam", "options": {"b1": 0.5}}, "'b1', which optimizer.momentum says"),
        ({"name": "adam", "options": {"learning_rate": 1}}, "which optimizer.lr says"),
        ({"name": "lion", "options": {"mask": 1}}, "which optimizer.decay_norm_and_bias says"),
        ({"name": "novograd", "options": {"weight_decay": 1}}, "optimizer.weight_decay says"),
        ({"name": "adam", "options": {"b2": 1.5}}, r"options.b2 = 1.5: must be a number in \[0, 1"),
        ({"name": "adam", "options": {"eps": "x"}}, "options.eps = 'x': must be a number"),
        ({"name": "rmsprop", "options": {"centered": 1}}, "options.centered = 1: must be one of"),
        ({"name": "adam", "options": {"mu_dtype": "float17"}}, "cannot be used: .*float17"),
        ({"name": "adagrad", "nesterov": True}, "nesterov = True has no effect, because optax.ada"),
        ({"name": "adagrad", "momentum": 0.5}, "momentum = 0.5 has no effect"),
        ({"name": "lbfgs"}, "'lbfgs' cannot be used: .*value"),
        ({"name": "contrib.dpsgd"}, "needs optimizer.options with l2_norm_clip, noise_mult"),
    ],
)
def test_what_an_optimiser_cannot_do_with_is_refused_in_one_line(fields, message):
    with pytest.raises(ConfigError, match=message) as error:
        made(**fields)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_each_optimiser_of_optax_trains_or_is_refused_in_one_line():
    refused = set()
    for name in optimizers():
        try:
            optimizer = made(name=name)
        # Those that warn that they are about to go are refused here, where warnings are errors.
        except ConfigError as error:
            refused.add((name, "\n" in str(error)))
            continue
        moved = run(optimizer, steps=2)
        assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(moved)), name
        assert not np.array_equal(moved["head"]["kernel"], PARAMS["head"]["kernel"]), name
    assert {("lbfgs", False), ("sm3", False), ("rprop", False)} <= refused
    assert not any(broken for _, broken in refused)
    assert not {name for name, _ in refused} & {"sgd", "adamw", *PLAIN, *BESIDE}
