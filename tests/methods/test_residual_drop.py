import jax
import jax.numpy as jnp
import numpy as np
import pytest

import vidjax
from tests.quickly import quickly
from vidjax.methods.residual_drop import RandomDrop, ShakeDrop, level_shape

BRANCH = jnp.asarray(np.random.default_rng(0).normal(size=(4, 2, 3, 3, 5)), jnp.float32)


def run(module, seed=0, train=True, x=BRANCH):
    return module.apply({}, x, train=train, rngs={"noise": jax.random.key(seed)})


def factors(module, seeds):
    """Returns the factor of the first element of each clip."""
    apply = jax.jit(jax.vmap(lambda seed: run(module, seed)))
    return (
        np.asarray(apply(jnp.arange(seeds)))[:, :, 0, 0, 0, 0] / np.asarray(BRANCH)[:, 0, 0, 0, 0]
    )


@pytest.mark.parametrize(("depth", "last", "kept"), [(1.0, 0.5, 0.5), (0.5, 0.2, 0.6), (0.1, 1, 1)])
def test_a_branch_is_kept_with_the_probability_of_its_depth(depth, last, kept):
    draws = factors(RandomDrop(depth, last), 2000)[:, 0]
    assert set(np.unique(draws)) <= {0.0, 1.0}
    # Five standard errors of a share.
    assert abs(draws.mean() - kept) <= 5 * np.sqrt(kept * (1 - kept) / 2000)
    np.testing.assert_allclose(run(RandomDrop(depth, last), train=False), kept * BRANCH, rtol=1e-6)


def test_drops_are_drawn_per_batch_or_per_clip():
    batch, clip = (factors(RandomDrop(1.0, level=level), 50) for level in ("batch", "clip"))
    assert (batch == batch[:, :1]).all()
    assert (clip != clip[:, :1]).any()


def test_shakedrop_draws_factors_of_branch_and_gradient_independently():
    module = ShakeDrop(1.0, last=0.01, alpha=(-1.0, 1.0), beta=(0.0, 0.5))
    y, back = jax.vjp(lambda x: run(module, 3, x=x), BRANCH)
    forward, backward = y / BRANCH, back(jnp.ones_like(y))[0]
    assert forward.min() < -0.5 < 0.5 < forward.max()
    assert 0 <= backward.min() < 0.1 < 0.4 < backward.max() <= 0.5
    assert abs(np.corrcoef(np.ravel(forward), np.ravel(backward))[0, 1]) < 0.2


def test_the_papers_setting_drops_forwards_and_shakes_backwards():
    module = ShakeDrop(1.0, last=0.01)
    y, back = jax.vjp(lambda x: run(module, 5, x=x), BRANCH)
    np.testing.assert_array_equal(y, 0)
    assert 0.15 < float(back(jnp.ones_like(y))[0].mean()) < 0.35


def test_an_unchanged_branch_has_an_unchanged_gradient():
    module = ShakeDrop(0.5, last=1.0, alpha=(-1.0, 1.0))
    y, back = jax.vjp(lambda x: run(module, x=x), BRANCH)
    np.testing.assert_array_equal(y, BRANCH)
    np.testing.assert_array_equal(back(BRANCH)[0], BRANCH)


@pytest.mark.parametrize("alpha", [(0.0, 0.0), (0.0, 1.0), (-1.0, 1.0)])
def test_evaluation_is_the_mean_of_training(alpha):
    module = ShakeDrop(1.0, last=0.5, alpha=alpha, level="clip")
    expected = run(module, train=False) / BRANCH
    np.testing.assert_allclose(expected, 0.5 + 0.5 * sum(alpha) / 2, rtol=1e-5)
    assert abs(factors(module, 3000).mean() - float(expected[0, 0, 0, 0, 0])) < 0.03


def test_levels_have_the_shapes_of_their_names():
    shapes = {level: level_shape(BRANCH, level) for level in ("batch", "clip", "channel", "pixel")}
    assert shapes == {
        "batch": (1, 1, 1, 1, 1),
        "clip": (4, 1, 1, 1, 1),
        "channel": (4, 1, 1, 1, 5),
        "pixel": (4, 2, 3, 3, 5),
    }


@pytest.mark.parametrize("name", ["r3d_18", "slowfast_50"])
def test_blocks_know_their_depth(name):
    shape = {"width": 8, "depths": (1, 2, 1, 1), "num_classes": 3}
    seen = []

    class Spy(RandomDrop):
        def __call__(self, branch, *, train):
            seen.append(("/".join(self.path), round(self.depth, 3)))
            return branch

    from vidjax.methods import residual_drop

    drops = dict(residual_drop.DROPS)
    residual_drop.DROPS["random_drop"] = Spy
    try:
        model = vidjax.create_model(name, residual_drop="random_drop", **shape)
        clip = jax.ShapeDtypeStruct((1, 8, 32, 32, 3), jnp.float32)
        jax.eval_shape(lambda x: model.init(jax.random.key(0), x, train=False), clip)
    finally:
        residual_drop.DROPS.update(drops)
    slow = [depth for path, depth in seen if not path.startswith("fast")]
    assert slow == [0.2, 0.4, 0.6, 0.8, 1.0]


@pytest.mark.parametrize("option", ["random_drop", {"name": "shake_drop", "level": "clip"}])
def test_networks_train_with_it_and_keep_their_parameters(option):
    shape = {"width": 4, "depths": (1, 1, 1, 1), "num_classes": 3}
    clip = jax.random.normal(jax.random.key(1), (2, 4, 32, 32, 3))
    plain = vidjax.create_model("r3d_18", **shape)
    dropping = vidjax.create_model("r3d_18", residual_drop=option, **shape)
    variables = quickly(lambda key: plain.init(key, clip, train=False))(jax.random.key(2))

    def trained(network):
        state = {"train": True, "mutable": ["batch_stats"]}
        run = quickly(lambda v, key: network.apply(v, clip, rngs={"noise": key}, **state)[0])
        return run(variables, jax.random.key(3))

    assert not np.allclose(trained(dropping), trained(plain))


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("drop", "residual_drop = 'drop': expected one of random_drop, shake_drop"),
        ({"name": "random_drop", "alpha": 1}, "random_drop has no setting 'alpha'"),
        ({"name": "shake_drop", "level": "frame"}, "level = 'frame': must be one of batch, clip"),
        ({"name": "random_drop", "last": 0.0}, "last = 0.0: must be a probability"),
    ],
)
def test_invalid_settings_are_refused(option, message):
    with pytest.raises(ValueError, match=message):
        vidjax.create_model("r3d_18", residual_drop=option)
