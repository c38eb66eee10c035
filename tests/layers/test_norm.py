import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vidjax.layers.norm import BatchNorm

X = np.random.default_rng(0).normal(3.0, 2.0, (6, 2, 3, 3, 4)).astype(np.float32)


def apply(x=X, *, train, variables=None, **fields):
    module = BatchNorm(**fields)
    if variables is None:
        variables = module.init(jax.random.key(0), x, train=False)
    return module.apply(variables, x, train=train, mutable=["batch_stats"])


def normalized(x, axes, epsilon=1e-5):
    x = x.astype(np.float64)
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + epsilon)


def test_whole_batch_statistics_and_their_running_values():
    y, updated = apply(train=True)
    np.testing.assert_allclose(y, normalized(X, (0, 1, 2, 3)), atol=1e-5)
    stats = updated["batch_stats"]
    flat = X.reshape(-1, 4).astype(np.float64)
    np.testing.assert_allclose(stats["mean"], 0.1 * flat.mean(0), rtol=1e-5)
    np.testing.assert_allclose(stats["var"], 0.9 + 0.1 * flat.var(0, ddof=1), rtol=1e-5)


def test_a_momentum_of_0_stores_the_statistics_of_the_batch():
    module = BatchNorm()
    variables = module.init(jax.random.key(0), X, train=False)
    y, updated = module.apply(variables, X, train=True, momentum=0.0, mutable=["batch_stats"])
    flat = X.reshape(-1, 4).astype(np.float64)
    np.testing.assert_allclose(updated["batch_stats"]["mean"], flat.mean(0), rtol=1e-5)
    np.testing.assert_allclose(updated["batch_stats"]["var"], flat.var(0, ddof=1), rtol=1e-5)
    np.testing.assert_array_equal(y, apply(train=True)[0])


@pytest.mark.parametrize("size", [1, 2, 3])
def test_groups_are_normalised_separately(size):
    y, updated = apply(train=True, group_size=size)
    groups = X.reshape(6 // size, -1, 4).astype(np.float64)
    expected = normalized(groups, (1,)).reshape(X.shape)
    np.testing.assert_allclose(y, expected, atol=1e-5)
    stats = updated["batch_stats"]
    np.testing.assert_allclose(stats["mean"], 0.1 * groups.mean((0, 1)), rtol=1e-5)
    variance = groups.var(1, ddof=1).mean(0)
    np.testing.assert_allclose(stats["var"], 0.9 + 0.1 * variance, rtol=1e-5)


def test_a_single_group_is_the_whole_batch():
    np.testing.assert_array_equal(apply(train=True)[0], apply(train=True, group_size=6)[0])


def test_evaluation_uses_running_statistics_and_leaves_them():
    stats = {"mean": jnp.arange(4.0), "var": jnp.arange(1.0, 5.0)}
    params = {"scale": jnp.full(4, 2.0), "bias": jnp.full(4, 0.5)}
    y, updated = apply(train=False, variables={"params": params, "batch_stats": stats})
    expected = (X - np.arange(4)) / np.sqrt(np.arange(1, 5) + 1e-5) * 2 + 0.5
    np.testing.assert_allclose(y, expected, atol=1e-5)
    np.testing.assert_array_equal(updated["batch_stats"]["mean"], stats["mean"])


def test_a_large_mean_does_not_reduce_precision():
    y, _ = apply(X + 3000, train=True)
    np.testing.assert_allclose(y, normalized(X + 3000, (0, 1, 2, 3)), atol=2e-3)


def test_bfloat16_features_keep_float32_statistics():
    y, updated = apply(jnp.asarray(X, jnp.bfloat16), train=True)
    assert y.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(updated)} == {jnp.dtype("float32")}


def test_groups_must_divide_the_batch():
    with pytest.raises(ValueError, match="6 clips is not divisible by norm groups of 4"):
        apply(train=True, group_size=4)


def test_gradient_is_that_of_the_definition():
    def ours(x):
        return jnp.sum(jnp.sin(apply(x, train=True)[0]))

    def definition(x):
        mean, var = x.mean((0, 1, 2, 3)), x.var((0, 1, 2, 3))
        return jnp.sum(jnp.sin((x - mean) / jnp.sqrt(var + 1e-5)))

    np.testing.assert_allclose(jax.grad(ours)(X), jax.grad(definition)(X), atol=1e-5)


@pytest.mark.parametrize("group_size", [None, 2])
def test_the_closed_form_gradient_is_that_of_the_definition(group_size):
    """Also through the statistics, which a loss may use."""
    rng = np.random.default_rng(3)
    x = jnp.asarray(rng.normal(2, 3, size=(4, 2, 3, 3, 5)), jnp.float32)
    scale, bias = (jnp.asarray(rng.normal(size=5), jnp.float32) for _ in range(2))
    weights = jnp.asarray(rng.normal(size=x.shape), jnp.float32)
    stats = {"mean": jnp.zeros(5), "var": jnp.ones(5)}
    norm = BatchNorm(group_size=group_size)

    def ours(x, scale, bias):
        variables = {"params": {"scale": scale, "bias": bias}, "batch_stats": stats}
        y, state = norm.apply(variables, x, train=True, mutable=["batch_stats"])
        return (weights * y).sum() + jnp.sin(state["batch_stats"]["var"]).sum()

    def definition(x, scale, bias):
        grouped = x.reshape(-1, group_size or 4, *x.shape[1:])
        mean = grouped.mean((1, 2, 3, 4), keepdims=True)
        var = ((grouped - mean) ** 2).mean((1, 2, 3, 4), keepdims=True)
        y = ((grouped - mean) / jnp.sqrt(var + 1e-5) * scale + bias).reshape(x.shape)
        count = (group_size or 4) * 18
        running = 0.9 + 0.1 * (var * count / (count - 1)).reshape(-1, 5).mean(0)
        return (weights * y).sum() + jnp.sin(running).sum()

    for result, expected in zip(
        jax.grad(ours, (0, 1, 2))(x, scale, bias),
        jax.grad(definition, (0, 1, 2))(x, scale, bias),
        strict=True,
    ):
        np.testing.assert_allclose(result, expected, rtol=2e-4, atol=2e-5)
