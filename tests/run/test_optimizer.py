import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax.traverse_util import flatten_dict, unflatten_dict

import vidjax
from configs import demo
from vidjax.layers.lowering import force_lowering
from vidjax.run.config import ConfigError, from_mapping
from vidjax.run.optimizer import decayed, make_optimizer, optimizers

RATE = optax.linear_schedule(0.05, 0.01, 3)
DECAY = 0.1
PARAMS = {
    "conv": {"kernel": jnp.linspace(0.5, 1.5, 24).reshape(1, 1, 2, 3, 4)},
    "norm": {"scale": jnp.ones(4), "bias": jnp.full(4, 0.2)},
    "head": {"kernel": jnp.linspace(-1, 1, 8).reshape(4, 2), "bias": jnp.zeros(2)},
}
# The optax call that corresponds to each configuration, according to optax's documentation.
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
    """Returns names for a test; those that resemble others are marked slow."""
    slow = pytest.mark.slow
    return [pytest.param(name, marks=() if name in QUICK else slow) for name in names]


@pytest.mark.parametrize("name", all_of(PLAIN))
def test_without_a_mask_the_decay_of_kernels_is_added_to_the_gradient(name):
    expected = optax.chain(optax.add_decayed_weights(DECAY, decayed), PLAIN[name]())
    assert_same(run(made(name=name)), run(expected))


@pytest.mark.parametrize("name", all_of(BESIDE))
def test_with_a_mask_the_optimiser_decays_kernels_itself(name):
    assert_same(run(made(name=name)), run(BESIDE[name](decayed)))


def test_all_parameters_are_decayed_on_request():
    assert_same(run(made(name="lion", decay_norm_and_bias=True)), run(BESIDE["lion"](None)))
    assert_same(run(made(name="lars", decay_norm_and_bias=True)), run(BESIDE["lars"](None)))


@functools.cache
def parameters(name, **options):
    """Returns the shapes of a network's parameters by path."""
    model = vidjax.create_model(name, **options)
    clip = jax.ShapeDtypeStruct((1, 4, 32, 32, 3), jnp.float32)
    init = functools.partial(model.init, train=False)
    with force_lowering("lax"):
        params = jax.eval_shape(init, jax.random.key(0), clip)["params"]
    return flatten_dict(params, sep="/")


def reached(params, **fields):
    """Returns the parameters that decay: those that change if all gradients are zero."""
    optimizer = made(**{"momentum": 0.0, **fields})
    tree = unflatten_dict({name: jnp.ones(()) for name in params}, sep="/")
    updates, _ = optimizer.update(jax.tree.map(jnp.zeros_like, tree), optimizer.init(tree), tree)
    return {name for name, moved in flatten_dict(updates, sep="/").items() if moved}


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_recurrent_weights_decay_on_request(name):
    params = parameters("srtg_r3d_34")
    before, after = (reached(params, name=name, decay_recurrent=on) for on in (False, True))
    assert before == {path for path in params if path.endswith("/kernel")}
    cells = {path for path in params if path.endswith("/recurrent_kernel")}
    assert (len(cells), after) == (2 * 16, before | cells)
    # 10 of its 83.9 million parameters: two layers with four gates on all channels in each block.
    channels = [64] * 3 + [128] * 4 + [256] * 6 + [512] * 3
    left_out = sum(params[path].size for path in after - before)
    assert left_out == sum(2 * 4 * width**2 for width in channels)
    assert left_out / 1e6 == pytest.approx(10, abs=0.1)
    # Biases and scales of norms remain.
    rest = set(params) - after
    assert {path.rpartition("/")[2] for path in rest} == {"bias", "scale", "recurrent_bias"}


def test_peepholes_are_recurrent_weights():
    params = parameters("mtnet_s", depths=(1, 0, 0, 0), cell="peephole_lstm")
    more = reached(params, decay_recurrent=True) - reached(params)
    assert {path.rpartition("/")[2] for path in more} == {"recurrent_kernel", "peephole"}


def test_sgd_and_adamw_have_the_state_of_earlier_runs():
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


def test_options_are_passed_to_the_optimiser():
    options = {"b2": 0.5, "eps": 1e-3, "mu_dtype": "bfloat16"}
    expected = optax.adam(RATE, 0.9, 0.5, 1e-3, mu_dtype=jnp.bfloat16, nesterov=True)
    ours = made(name="adam", options=options, nesterov=True, weight_decay=0.0)
    assert_same(run(ours), run(expected))
    pair = made(name="contrib.prodigy", options={"betas": [0.8, 0.99]}, weight_decay=0.0)
    assert_same(run(pair), run(optax.contrib.prodigy(RATE, betas=(0.8, 0.99))))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"name": "adma"},
            "optimizer.name = 'adma' is not an optimiser of optax: did you mean 'ada",
        ),
        ({"name": "contrib.muonn"}, "did you mean 'contrib.muon'"),
        ({"name": "scale_by_adam"}, "is not an optimiser of optax"),
        ({"name": "adam", "options": {"b3": 0.5}}, "optax.adam does not take: did you mean 'b2'"),
        ({"name": "adam", "options": {"b1": 0.5}}, "'b1', which optimizer.momentum sets"),
        ({"name": "adam", "options": {"learning_rate": 1}}, "which optimizer.lr sets"),
        ({"name": "lion", "options": {"mask": 1}}, "which optimizer.decay_norm_and_bias sets"),
        ({"name": "novograd", "options": {"weight_decay": 1}}, "optimizer.weight_decay sets"),
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
def test_invalid_optimiser_settings_are_refused_in_one_line(fields, message):
    with pytest.raises(ConfigError, match=message) as error:
        made(**fields)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_each_optimiser_of_optax_trains_or_is_refused_in_one_line():
    refused = set()
    for name in optimizers():
        try:
            optimizer = made(name=name)
        # Deprecated ones are refused here, because warnings are errors in tests.
        except ConfigError as error:
            refused.add((name, "\n" in str(error)))
            continue
        moved = run(optimizer, steps=2)
        assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(moved)), name
        assert not np.array_equal(moved["head"]["kernel"], PARAMS["head"]["kernel"]), name
    assert {("lbfgs", False), ("sm3", False), ("rprop", False)} <= refused
    assert not any(broken for _, broken in refused)
    assert not {name for name, _ in refused} & {"sgd", "adamw", *PLAIN, *BESIDE}
