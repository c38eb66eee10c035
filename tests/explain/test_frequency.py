import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

import vidjax
from tests.quickly import UNOPTIMIZED
from vidjax.explain.frequency import Point, points_of, scaled_parts, settings_of
from vidjax.methods.random_mean_scaling import RandomScaling

X = np.random.default_rng(0).normal(size=(2, 4, 5, 6, 3)).astype(np.float32)
CLIP = jax.random.normal(jax.random.key(1), (2, 2, 32, 32, 3))
# Programs run once or twice, so most of the time would go into compiling them.


def local_mean(x, window=(3, 3, 3), axis_weights=None, border="clip"):
    """Returns the weighted mean of a window by SciPy; with `clip`, of the positions inside."""
    kernel = np.ones(())
    for size in window:
        weights = np.ones(size) if axis_weights is None else np.asarray(axis_weights)
        kernel = np.multiply.outer(kernel, weights / weights.sum())
    kernel = kernel[None, ..., None]
    total = ndimage.correlate(x.astype(np.float64), kernel, mode="constant")
    inside = ndimage.correlate(np.ones(x.shape), kernel, mode="constant")
    return total / inside if border == "clip" else total


def scaled_module(x, low, high, **settings):
    with scaled_parts(low, high):
        return RandomScaling(**settings).apply({}, x, train=False)


@pytest.mark.parametrize(
    ("settings", "filtering"),
    [
        ({}, {}),
        ({"window": (1, 3, 3)}, {"window": (1, 3, 3)}),
        ({"border": "zero"}, {"border": "zero"}),
        (
            {"low_pass": "gaussian", "std": 0.8},
            {"axis_weights": [np.exp(-1 / 1.28), 1, np.exp(-1 / 1.28)]},
        ),
    ],
)
@pytest.mark.parametrize(("low", "high"), [(0.3, 1.0), (1.0, 0.0), (0.5, 1.75)])
def test_parts_are_those_of_scipys_filter(settings, filtering, low, high):
    mean = local_mean(X, **filtering)
    expected = low * mean + high * (X - mean)
    np.testing.assert_allclose(scaled_module(X, low, high, **settings), expected, atol=1e-5)


@pytest.mark.parametrize("own", ["mean", "gaussian"])
def test_a_filter_other_than_the_networks_can_be_chosen(own):
    """Also for a network without a filter, which scales its features as a whole."""
    weights = {"mean": None, "gaussian": [np.exp(-1 / 0.32), 1, np.exp(-1 / 0.32)]}
    for asked, axis_weights in weights.items():
        mean = local_mean(X, axis_weights=axis_weights)
        for settings in ({"low_pass": own}, {"target": "input"}):
            with scaled_parts(0.3, 1.0, asked):
                result = RandomScaling(**settings).apply({}, X, train=False)
            np.testing.assert_allclose(result, 0.3 * mean + X - mean, atol=1e-5)
    refused = pytest.raises(ValueError, match="low_pass = 'median': must be")
    with refused, scaled_parts(1, 1, "median"):
        pass


def test_outputs_of_scaling_modules_are_split():
    own = X - 0.5 * local_mean(X)
    expected = 0.2 * local_mean(own) + 1.5 * (own - local_mean(own))
    result = scaled_module(X, 0.2, 1.5, distribution=("uniform", 0.0, 1.0))
    np.testing.assert_allclose(result, expected, atol=1e-5)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_factors_of_one_are_bit_exact(dtype):
    x = jnp.asarray(X, dtype)
    result = jax.jit(scaled_module)(x, 1.0, 1.0)
    assert result.dtype == dtype
    np.testing.assert_array_equal(result, x)


def make(name="slowonly_34", **options):
    depths = options.pop("depths", (0, 0, 1, 0))
    return vidjax.create_model(name, num_classes=3, width=4, depths=depths, dropout=0.0, **options)


@functools.cache
def variables_of(name="slowonly_34", depths=(0, 0, 1, 0)):
    """Returns variables without random_scaling; statistics as after training, not 0 and 1."""
    init = functools.partial(make(name, depths=depths).init, train=False)
    variables = jax.jit(init, compiler_options=UNOPTIMIZED)(jax.random.key(0), CLIP)
    statistics = jax.tree.map(lambda x: x + 0.3, variables["batch_stats"])
    return {**variables, "batch_stats": statistics}


def logits(model, factors=None, variables=None):
    """Computes the logits of a network in one program; factors, if any, scale its parts."""

    def run(given, factors):
        if factors is None:
            return model.apply(given, CLIP, train=False)
        with scaled_parts(*factors):
            return model.apply(given, CLIP, train=False)

    compiled = jax.jit(run, compiler_options=UNOPTIMIZED)
    return compiled(variables or variables_of(), factors)


def test_factors_of_one_equal_the_trained_network():
    plain = logits(make())
    np.testing.assert_array_equal(logits(make(random_scaling={}), (1.0, 1.0)), plain)
    assert np.abs(logits(make(random_scaling={}), (0.0, 1.0)) - plain).max() > 1e-3


@pytest.mark.parametrize(("target", "factors"), [("mean", (0.4, 1.0)), ("residual", (1.0, 0.4))])
def test_a_scaled_network_equals_one_with_this_expected_factor(target, factors):
    """RMS paper, eq. 3: in evaluation, a network scales by the expected factor."""
    always = {"target": target, "distribution": ("normal", 0.4, 0.0)}
    expected = logits(make(random_scaling=always))
    result = logits(make(random_scaling={}), factors)
    np.testing.assert_allclose(result, expected, atol=1e-5)


def test_blocks_that_are_compiled_once_are_scaled_too():
    depths = (0, 0, 3, 0)
    variables = variables_of("slowonly_50", depths)
    results = [
        logits(
            make("slowonly_50", depths=depths, random_scaling={}, scan=scan), (0.3, 1.2), variables
        )
        for scan in (False, True)
    ]
    np.testing.assert_allclose(*results, atol=1e-5)


def test_one_program_serves_all_scales():
    traces = []

    @jax.jit
    def run(x, factors):
        traces.append(factors)
        return scaled_module(x, *factors)

    results = [run(X, setting.factors) for setting in settings_of([0.0, 0.5, 1.0, 2.0])]
    assert len(traces) == 1
    assert len({np.asarray(result).tobytes() for result in results}) == 7  # (1, 1) appears twice


def test_nothing_is_scaled_outside_of_the_context():
    scaled_module(X, 0.0, 0.0)
    np.testing.assert_array_equal(RandomScaling().apply({}, X, train=False), X)


def test_a_network_without_a_place_is_refused():
    with pytest.raises(ValueError, match="apply a network with random_scaling in its blocks"):
        jax.eval_shape(lambda: logits(make(), (0.5, 1.0)))
    with pytest.raises(ValueError, match="stage 4 has no blocks"):
        make(random_scaling={"stages": (4,)})


def test_another_error_inside_is_not_hidden():
    with pytest.raises(ZeroDivisionError), scaled_parts(0.5, 1.0):
        _ = 1 / 0


def test_settings_scale_one_part_at_a_time():
    settings = settings_of([0.0, 2.0])
    assert [dataclasses.astuple(setting) for setting in settings] == [
        ("low", 0.0),
        ("low", 2.0),
        ("high", 0.0),
        ("high", 2.0),
    ]
    assert [setting.factors for setting in settings] == [(0, 1), (2, 1), (1, 0), (1, 2)]


def test_points_contain_numbers_of_videos():
    labels = np.array([0, 1, 2])
    right, one_right = np.eye(3), np.eye(3)[[0, 0, 0]]
    points = points_of("a", settings_of([0.5]), np.stack([one_right, right]), labels)
    assert points == [Point("a", "low", 0.5, 1 / 3, 1, 3), Point("a", "high", 0.5, 1.0, 3, 3)]
