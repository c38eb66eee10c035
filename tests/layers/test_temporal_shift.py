import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vidjax.layers.temporal_shift import TemporalShift, temporal_shift


def clips(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def shifted(x, fraction):
    fold = x.shape[-1] // fraction
    y = x.copy()
    y[..., : 2 * fold] = 0
    for t in range(x.shape[1]):
        if t + 1 < x.shape[1]:
            y[:, t, ..., :fold] = x[:, t + 1, ..., :fold]
        if t > 0:
            y[:, t, ..., fold : 2 * fold] = x[:, t - 1, ..., fold : 2 * fold]
    return y


@pytest.mark.parametrize("frames", [2, 3, 5])
@pytest.mark.parametrize(
    ("channels", "fraction"),
    [(16, 8), (8, 8), (20, 8), (23, 8), (12, 4), (6, 3), (6, 2), (5, 2)],
)
def test_shift_takes_first_channels_from_the_next_frame_and_then_from_the_previous(
    frames, channels, fraction
):
    x = clips(2, frames, 2, 3, channels)
    np.testing.assert_array_equal(temporal_shift(x, fraction), shifted(x, fraction))


def test_shift_takes_an_eighth_each_way_by_default():
    x = clips(1, 4, 2, 2, 24)
    y = np.asarray(temporal_shift(x))
    np.testing.assert_array_equal(y[:, :-1, ..., :3], x[:, 1:, ..., :3])
    np.testing.assert_array_equal(y[:, 1:, ..., 3:6], x[:, :-1, ..., 3:6])
    np.testing.assert_array_equal(y[..., 6:], x[..., 6:])
    assert not y[:, -1, ..., :3].any()
    assert not y[:, 0, ..., 3:6].any()


def test_shift_of_one_frame_leaves_zeros_where_neighbours_would_be():
    x = clips(2, 1, 3, 2, 16)
    y = np.asarray(temporal_shift(x))
    assert not y[..., :4].any()
    np.testing.assert_array_equal(y[..., 4:], x[..., 4:])


def test_shift_of_fewer_channels_than_the_fraction_moves_nothing():
    x = clips(2, 3, 2, 2, 7)
    np.testing.assert_array_equal(temporal_shift(x), x)


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("fraction", [4, 8])
def test_shift_module_is_the_function_without_variables(fraction, train):
    x = clips(2, 4, 2, 2, 16)
    module = TemporalShift(fraction)
    variables = module.init(jax.random.key(0), x, train=False)
    assert not jax.tree.leaves(variables)
    y = module.apply(variables, x, train=train)
    np.testing.assert_array_equal(y, shifted(x, fraction))


def test_shift_module_takes_an_eighth_each_way_by_default():
    x = clips(1, 3, 2, 2, 16)
    np.testing.assert_array_equal(TemporalShift().apply({}, x, train=False), shifted(x, 8))


def test_shift_keeps_bfloat16_values_exactly():
    x = jnp.asarray(clips(1, 3, 2, 2, 16), jnp.bfloat16)
    for y in (temporal_shift(x), TemporalShift().apply({}, x, train=False)):
        assert y.dtype == jnp.bfloat16
        np.testing.assert_array_equal(
            np.float32(y), np.float32(shifted(np.asarray(x), 8)), strict=True
        )


def test_gradients_are_shifted_back():
    x, weight = clips(1, 4, 2, 2, 16), clips(2, 4, 2, 2, 16)[1:]
    gradient = jax.grad(lambda x: jnp.sum(weight * temporal_shift(x)))(x)
    reverse = shifted(weight[:, ::-1], 8)[:, ::-1]
    np.testing.assert_array_equal(gradient, reverse)
