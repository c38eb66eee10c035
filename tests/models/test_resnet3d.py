import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import vidjax
from vidjax.layers.lowering import force_lowering

CLIP = jnp.asarray(np.random.default_rng(0).normal(size=(4, 8, 32, 32, 3)), jnp.float32)


def make(**options):
    shape = {"depths": (1, 1, 1, 1), "stem_kernel": (3, 5, 5), "width": 4}
    return vidjax.create_model("r3d_18", num_classes=4, **shape, **options)


@pytest.fixture(scope="module")
def tiny():
    model = make()
    with force_lowering("lax"):
        return model, jax.jit(lambda x: model.init(jax.random.key(0), x, train=False))(CLIP)


def test_strides_halve_time_and_space_as_in_the_paper(tiny):
    model, variables = tiny
    run = functools.partial(model.apply, train=False, mutable=["intermediates"])
    _, state = jax.eval_shape(run, variables, CLIP)
    sown = state["intermediates"]
    sizes = {name: value[0].shape[1:4] for name, value in sown.items() if name != "pre_logits"}
    assert sizes == {
        "stem": (4, 8, 8),
        "stage1": (4, 8, 8),
        "stage2": (2, 4, 4),
        "stage3": (1, 2, 2),
        "stage4": (1, 1, 1),
    }


def test_every_parameter_learns_and_a_batch_can_be_learned(tiny):
    model, variables = tiny
    labels = jnp.arange(4)
    optimizer = optax.sgd(0.05, momentum=0.9)

    def loss_fn(params, stats):
        logits, updated = model.apply(
            {"params": params, "batch_stats": stats}, CLIP, train=True, mutable=["batch_stats"]
        )
        loss = optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
        return loss, updated["batch_stats"]

    @jax.jit
    def step(params, stats, state):
        (loss, stats), grads = jax.value_and_grad(loss_fn, has_aux=True)(params, stats)
        updates, state = optimizer.update(grads, state)
        return optax.apply_updates(params, updates), stats, state, loss, grads

    params, stats = variables["params"], variables["batch_stats"]
    state, losses = optimizer.init(params), []
    for number in range(12):
        params, stats, state, loss, grads = step(params, stats, state)
        losses.append(float(loss))
        if number == 0:
            assert all(float(jnp.abs(leaf).max()) > 0 for leaf in jax.tree.leaves(grads))
    assert losses[-1] < 0.1 < losses[0]


def test_evaluation_does_not_depend_on_the_rest_of_the_batch(tiny):
    model, variables = tiny
    run = jax.jit(lambda x: model.apply(variables, x, train=False))
    np.testing.assert_allclose(run(CLIP)[1:2], run(CLIP[1:2]), atol=1e-5)


def test_dropout_is_active_only_in_training(tiny):
    _, variables = tiny
    model = make(dropout=0.9)

    @functools.partial(jax.jit, static_argnums=1)
    def run(key, train):
        rngs = {"dropout": jax.random.key(key)}
        return model.apply(variables, CLIP, train=train, rngs=rngs, mutable=["batch_stats"])[0]

    np.testing.assert_array_equal(run(0, False), run(1, False))
    assert not np.allclose(run(0, True), run(1, True))
