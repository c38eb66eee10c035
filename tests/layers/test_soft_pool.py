"""Tests SoftPool against golden files, and against its equation in float64."""

import functools
import itertools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.quickly import UNOPTIMIZED
from vidjax.layers.soft_pool import soft_pool

FORMS = {"full": "dx_full", "weights": "dx_detached"}
RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 4, 5, 7, 3)).astype(np.float32) * 2
UPSTREAM = RNG.normal(size=(2, 4, 2, 3, 3)).astype(np.float32)


def account(x, upstream=None, window=(1, 2, 2), strides=None, gradient="full"):
    """Computes the output, or the gradient for an upstream one, window by window in float64."""
    x, strides = np.float64(x), strides or window
    steps = list(zip(window, strides, x.shape[1:4], strict=True))
    sizes = [(length - size) // stride + 1 for size, stride, length in steps]
    y, dx = np.zeros((len(x), *sizes, x.shape[-1])), np.zeros_like(x)
    for place in itertools.product(*map(range, sizes)):
        spans = zip(place, window, strides, strict=True)
        inside = (slice(None), *(slice(i * s, i * s + k) for i, k, s in spans))
        at = (slice(None), *place)
        weights = np.exp(x[inside] - x[inside].max((1, 2, 3), keepdims=True))
        weights /= weights.sum((1, 2, 3), keepdims=True)
        y[at] = (weights * x[inside]).sum((1, 2, 3))
        if upstream is not None:
            factor = 1 + x[inside] - y[at][:, None, None, None] if gradient == "full" else 1
            dx[inside] += weights * factor * upstream[at][:, None, None, None]
    return y if upstream is None else dx


@functools.partial(jax.jit, static_argnums=(2, 3), compiler_options=UNOPTIMIZED)
def run(x, upstream, window=(1, 2, 2), strides=None):
    """Returns output and gradient for each kind of gradient, and for the default."""
    forms = {form: {"gradient": form} for form in FORMS} | {"default": {}}
    found = {}
    for form, settings in forms.items():
        pooled = functools.partial(soft_pool, window=window, strides=strides, **settings)
        y, pull = jax.vjp(pooled, x)
        found[form] = y, pull(upstream)[0]
    return found


def channels_last(x):
    """Moves channels last; images become clips of one frame."""
    return np.moveaxis(x if x.ndim == 5 else x[:, :, None], 1, -1)


@pytest.fixture
def golden(shared):
    return np.load(shared / "golden/softpool.npz")


def test_golden_outputs_and_gradients(golden):
    cases = [name.removesuffix("_x") for name in golden if name.endswith("_x")]
    assert cases
    for case in cases:
        x, upstream, expected = (channels_last(golden[f"{case}_{key}"]) for key in ("x", "g", "y"))
        window = tuple(int(n) for n in np.floor_divide(x.shape[1:4], expected.shape[1:4]))
        found = run(x, upstream, window)
        for form, key in FORMS.items():
            dx = channels_last(golden[f"{case}_{key}"])
            for result, wanted in zip(found[form], (expected, dx), strict=True):
                np.testing.assert_allclose(result, wanted, rtol=1e-5, atol=1e-5, err_msg=case)


@pytest.mark.parametrize(
    ("window", "strides"),
    [((1, 2, 2), None), ((2, 2, 2), (2, 2, 2)), ((2, 3, 3), (1, 2, 1)), ((1, 2, 2), (2, 3, 3))],
)
def test_outputs_and_gradients_are_those_of_the_equation(window, strides):
    expected = account(X, window=window, strides=strides)
    upstream = np.random.default_rng(1).normal(size=expected.shape).astype(np.float32)
    found = run(X, upstream, window, strides)
    for form in FORMS:
        y, dx = found[form]
        np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)
        expected_dx = account(X, upstream, window, strides, form)
        np.testing.assert_allclose(dx, expected_dx, rtol=1e-5, atol=1e-5)


def test_the_full_gradient_is_the_derivative_and_the_default():
    direction = np.random.default_rng(1).normal(size=X.shape)
    ahead, back = (account(X + step * direction) for step in (1e-6, -1e-6))
    slope = (UPSTREAM * (ahead - back)).sum() / 2e-6
    found = run(X, UPSTREAM)
    for form in ("full", "default"):
        dx = np.float64(found[form][1])
        assert (dx * direction).sum() == pytest.approx(slope, rel=1e-5)
    assert not np.allclose(found["weights"][1], found["full"][1])


def test_incomplete_windows_are_left_out_and_get_no_gradient():
    changed = X.copy()
    changed[:, :, 4:] = np.nan
    changed[:, :, :, 6:] = np.nan
    found, expected = run(changed, UPSTREAM), run(X, UPSTREAM)
    chex.assert_trees_all_equal(found, expected)
    for y, dx in found.values():
        assert y.shape == (2, 4, 2, 3, 3)
        np.testing.assert_array_equal(dx[:, :, 4:], 0)
        np.testing.assert_array_equal(dx[:, :, :, 6:], 0)


def test_each_channel_has_its_own_weights_and_keeps_its_sign():
    x = X.copy()
    x[..., 1] = -np.abs(x[..., 1]) - 1
    y = run(x, UPSTREAM)["default"][0]
    changed = run(x * np.float32([2, 1, -3]), UPSTREAM)["default"][0]
    np.testing.assert_allclose(changed[..., 1], y[..., 1], rtol=1e-6)
    assert float(y[..., 1].max()) < -1


def test_it_is_between_mean_and_maximum_and_shifts_with_the_input():
    y = run(X, UPSTREAM)["default"][0]
    corners = np.stack([X[:, :, i : i + 3 : 2, j : j + 5 : 2] for i in (0, 1) for j in (0, 1)])
    assert (corners.mean(0) < y).all()
    assert (y < corners.max(0)).all()
    np.testing.assert_allclose(run(X + 16, UPSTREAM)["default"][0], y + 16, atol=1e-5)
    constant = np.full_like(X, -3.7)
    np.testing.assert_allclose(run(constant, UPSTREAM)["default"][0], -3.7, rtol=1e-6)


def test_huge_values_do_not_overflow():
    x = np.sign(X) * 1e4 + np.float32([[[[[0, 1, 0.5]]]]]) * (X > 1)
    found = run(x, UPSTREAM)
    chex.assert_tree_all_finite(found)
    for form in FORMS:
        y, dx = found[form]
        np.testing.assert_allclose(y, account(x), rtol=1e-6)
        # Neighbouring float32 numbers differ by 1e-3 here, and the gradient uses their difference.
        np.testing.assert_allclose(dx, account(x, UPSTREAM, gradient=form), atol=5e-3)


def test_bfloat16_is_computed_in_float32_and_rounded_once():
    x, upstream = jnp.asarray(X, jnp.bfloat16), jnp.asarray(UPSTREAM, jnp.bfloat16)
    found = run(x, upstream)
    once = {"rtol": float(jnp.finfo(jnp.bfloat16).eps) / 2, "atol": 1e-5}
    for form in FORMS:
        y, dx = found[form]
        assert y.dtype == dx.dtype == jnp.bfloat16
        np.testing.assert_allclose(np.float64(y), account(x), **once)
        expected = account(x, np.float64(upstream), gradient=form)
        np.testing.assert_allclose(np.float64(dx), expected, **once)


def test_it_is_the_same_without_jit():
    np.testing.assert_allclose(soft_pool(X), account(X), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"window": (5, 2, 2)}, r"window.*\(5, 2, 2\).*larger"),
        ({"window": (1, 2, 8)}, r"window.*\(1, 2, 8\).*larger"),
        ({"gradient": "half"}, "gradient = 'half': one of full, weights"),
    ],
)
def test_invalid_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        soft_pool(X, **settings)


def test_second_derivatives_are_those_of_the_equation():
    def equation(x):
        inside = x.reshape(1, 2, 2, 2, 2, 2, 3)
        weights = jnp.exp(inside)
        return (weights * inside).sum((3, 5)) / weights.sum((3, 5))

    def second(pool, x):
        def penalty(x):
            return jnp.sum(jax.grad(lambda y: jnp.sum(pool(y) ** 3))(x) ** 2)

        return jax.jit(jax.grad(penalty))(x)

    x = jnp.asarray(X[:1, :2, :4, :4])
    assert equation(x).shape == soft_pool(x).shape
    ours, exact = second(soft_pool, x), second(equation, x)
    np.testing.assert_allclose(ours, exact, atol=1e-4 * float(jnp.abs(exact).max()))
