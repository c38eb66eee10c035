"""Tests downsampling against NumPy, golden frames and gradients."""

import functools

import flax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.quickly import UNOPTIMIZED
from vidjax.layers.downsampling import Downsampling

RNG = np.random.default_rng(0)
X = (RNG.normal(size=(3, 8, 5, 7, 4)) + RNG.normal(size=(3, 8, 1, 1, 4))).astype(np.float32)
LAST = (0, 2, 3, 4, 1)
POOLED = {"frames": "pooled"}
ALL = [
    {},
    {"pool": "average"},
    {"pool": "max"},
    {"pool": "stochastic"},
    {"choose": "highest"},
    {"squared": True},
    {"choose": "highest", "squared": True, "edge": "single"},
    {"edge": "single"},
    {"odd": "replicate"},
    {"odd": "replicate", "pool": "max", "choose": "highest"},
    POOLED,
    {"pool": "average", **POOLED},
    {"pool": "max", **POOLED},
    {"pool": "stochastic", "odd": "replicate", **POOLED},
]


def weights(values, pool):
    """Returns the weights of a window's values, `[..., K]`, as in evaluation."""
    if pool == "soft":
        shares = np.exp(values - values.max(-1, keepdims=True))
    elif pool == "max":
        shares = np.float64(values == values.max(-1, keepdims=True))
    else:
        shares = np.maximum(values, 0) if pool == "stochastic" else np.ones_like(values)
        shares = np.where(shares.sum(-1, keepdims=True) > 0, shares, 1)
    return shares / shares.sum(-1, keepdims=True)


def pooled(x, pool, window, odd):
    """Pools each window to one value; an axis of length 1 stays."""
    window = [min(size, length) for size, length in zip(window, x.shape[1:4], strict=True)]
    for axis, size in enumerate(window, start=1):
        if odd == "replicate" and axis > 1 and x.shape[axis] % size:
            x = np.concatenate([x, x.take([-1], axis)], axis)
        x = x.take(range(x.shape[axis] // size * size), axis)
    b, t, h, w, c = x.shape
    i, j, k = window
    values = x.reshape(b, t // i, i, h // j, j, w // k, k, c).transpose(0, 1, 3, 5, 7, 2, 4, 6)
    values = values.reshape(b, t // i, h // j, w // k, c, i * j * k)
    return (values * weights(values, pool)).sum(-1)


def chosen(x, choose="lowest", squared=False, edge="never"):
    """Returns the indices of the selected half of the frames of clips `[B, T, H, W, C]`."""
    length, means = x.shape[1], x.mean((2, 3))
    if length <= 2:
        return np.tile(np.arange(length), (len(x), 1))
    means = means / np.linalg.norm(means, axis=-1, keepdims=True)
    cosines = (means[:, :-1] * means[:, 1:]).sum(-1)
    cosines = cosines**2 if squared else cosines
    triplets = cosines[:, :-1] + cosines[:, 1:]
    if edge == "single":
        triplets = np.concatenate([2 * cosines[:, :1], triplets, 2 * cosines[:, -1:]], 1)
    order = np.argsort(triplets if choose == "lowest" else -triplets, axis=1, kind="stable")
    return np.sort(order[:, : length // 2], axis=1) + (edge == "never")


def account(x, pool="soft", frames="selected", odd="floor", **selection):
    """Computes the downsampling of the text in float64."""
    x = np.float64(x)
    if frames == "pooled":
        return pooled(x, pool, (2, 2, 2), odd)
    x = pooled(x, pool, (1, 2, 2), odd)
    return np.take_along_axis(x, chosen(x, **selection)[..., None, None, None], 1)


@functools.cache
def compiled(module, train, factors=False):
    """Returns the output; with `factors`, the gradient of its product with them."""

    def apply(x, rngs):
        return module.apply({}, x, train=train, rngs=rngs)

    gradient = jax.grad(lambda x, factors: (factors * apply(x, None)).sum())
    return jax.jit(gradient if factors else apply, compiler_options=UNOPTIMIZED)


def run(x=X, train=False, rngs=None, **settings):
    return compiled(Downsampling(**settings), train)(x, rngs)


@pytest.mark.parametrize("settings", ALL, ids=str)
def test_it_equals_the_numpy_reference(settings) -> None:
    for x in (X, X[:2, :7, :4, :1]):
        expected = account(x, **settings)
        np.testing.assert_allclose(run(x, **settings), expected, rtol=1e-5, atol=1e-5)


def test_training_equals_evaluation_without_random_draws() -> None:
    for settings in ({}, {"pool": "max", **POOLED}):
        np.testing.assert_array_equal(run(train=True, **settings), run(**settings))


def test_each_setting_changes_the_output() -> None:
    results = [account(X, **settings) for settings in ALL]
    for number, a in enumerate(results):
        for b in results[:number]:
            assert a.shape != b.shape or abs(a - b).max() > 1e-3


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5])
def test_short_clips_without_a_choice_of_frames(length) -> None:
    """One and two frames are kept; of three and four the inner ones are the only candidates."""
    y = run(X[:, :length])
    frames = pooled(np.float64(X[:, :length]), "soft", (1, 2, 2), "floor")
    if forced := {1: [0], 2: [0, 1], 3: [1], 4: [1, 2]}.get(length):
        np.testing.assert_allclose(y, frames[:, forced], atol=1e-5)
    assert y.shape == (3, {1: 1, 2: 2, 3: 1, 4: 2, 5: 2}[length], 2, 3, 4)


def test_sizes_halve_and_single_frames_rows_and_columns_stay() -> None:
    sizes = {
        ("floor", "selected"): (3, 2, 3),
        ("replicate", "selected"): (3, 3, 4),
        ("floor", "pooled"): (3, 2, 3),
    }
    for (odd, frames), size in sizes.items():
        assert run(X[:, :6], odd=odd, frames=frames).shape == (3, *size, 4)
        assert run(X[:, :1, :1, :1], odd=odd, frames=frames).shape == (3, 1, 1, 1, 4)


def test_the_earlier_of_equally_redundant_frames_are_selected() -> None:
    """Marks that cancel in a frame's mean identify the frames."""
    marks = np.arange(8).reshape(1, 8, 1, 1, 1)
    x = np.concatenate([4 + marks, 4 - marks], 2).repeat(2, 2).repeat(2, 3) * np.ones(2)
    y = run(np.float32(x), pool="average")
    np.testing.assert_array_equal(y[0, :, 0, 0, 0], 4 + np.array([1, 2, 3, 4]))


def test_clips_are_independent() -> None:
    for settings in ({}, POOLED):
        alone = [run(clip[None], **settings) for clip in X]
        np.testing.assert_allclose(run(**settings), np.concatenate(alone), atol=1e-6)


def test_golden_frames_of_both_inputs(shared) -> None:
    golden = np.load(shared / "golden/mtconv_paper.npz")
    cases = {name.split("_")[0] for name in golden if "_idx_" in name}
    assert cases
    for case in cases:
        kernel = golden[f"{case}_w/prolonged/kernel"]
        inputs = {
            "prolonged": golden[f"{case}_x"].transpose(LAST)[..., -kernel.shape[1] :],
            "lateral": golden[f"{case}_local"].transpose(LAST),
        }
        for name, x in inputs.items():
            frames = pooled(np.float64(x), "soft", (1, 2, 2), "floor")
            index = golden[f"{case}_idx_{name}"]
            expected = np.take_along_axis(frames, index[..., None, None, None], 1)
            np.testing.assert_allclose(run(x), expected, rtol=1e-5, atol=1e-5)


def test_golden_frames_of_the_text_and_of_the_released_code(shared) -> None:
    golden = np.load(shared / "golden/mtconv_ref.npz")
    names = [name for name in golden if name.endswith("_lateral_pooled")]
    assert names
    forms = {"paper": {}, "ref": {"choose": "highest", "squared": True}}
    for name in names:
        frames = golden[name].transpose(LAST)
        # The mean of four copies is the value itself.
        x = frames.repeat(2, 2).repeat(2, 3)
        for form, settings in forms.items():
            index = golden[name.replace("pooled", f"idx_{form}")][..., None, None, None]
            expected = np.take_along_axis(frames, index, 1)
            np.testing.assert_allclose(run(x, pool="average", **settings), expected, atol=1e-6)


@pytest.mark.parametrize("settings", [{}, {"pool": "average"}, POOLED], ids=str)
def test_the_gradient_equals_the_references_for_fixed_frames(settings) -> None:
    direction = RNG.normal(size=X.shape)
    ahead, back = np.float64(X) + 1e-6 * direction, np.float64(X) - 1e-6 * direction
    change = (account(ahead, **settings) - account(back, **settings)) / 2e-6
    factors = RNG.normal(size=change.shape)
    gradient = compiled(Downsampling(**settings), True, factors=True)(X, np.float32(factors))
    expected = (factors * change).sum()
    assert float((gradient * direction).sum()) == pytest.approx(expected, rel=1e-4)
    if not settings:
        kept = chosen(pooled(np.float64(X), "soft", (1, 2, 2), "floor"))
        touched = np.abs(gradient).max((2, 3, 4)) > 0
        np.testing.assert_array_equal(np.nonzero(touched)[1].reshape(kept.shape), kept)


@pytest.mark.parametrize("frames", ["selected", "pooled"])
def test_stochastic_draws_use_the_stream_noise_only_in_training(frames) -> None:
    settings = {"pool": "stochastic", "frames": frames}
    x = X[:, :4]

    def draw(seed):
        return run(x, True, {"noise": jax.random.key(seed)}, **settings)

    np.testing.assert_array_equal(draw(0), draw(0))
    assert not np.array_equal(draw(0), draw(1))
    assert np.isin(draw(0), X).all()
    assert np.isfinite(run(x, **settings)).all()
    with pytest.raises(flax.errors.InvalidRngError, match="noise"):
        run(x, True, **settings)


def test_it_has_no_parameters_and_keeps_the_dtype() -> None:
    variables = jax.eval_shape(
        functools.partial(Downsampling().init, train=False), jax.random.key(0), X
    )
    assert not jax.tree.leaves(variables)
    for settings in ({}, {"pool": "average"}, POOLED):
        x = jnp.asarray(X[:, :4], jnp.bfloat16)
        y = run(x, **settings)
        assert y.dtype == jnp.bfloat16
        # Two roundings of values whose mean may be near zero.
        largest = float(jnp.abs(x).max())
        atol = float(jnp.finfo(jnp.bfloat16).eps) * largest
        np.testing.assert_allclose(np.float64(y), account(x, **settings), atol=atol)


@pytest.mark.parametrize("name", ["pool", "frames", "choose", "edge", "odd"])
def test_unknown_settings_are_refused(name) -> None:
    with pytest.raises(ValueError, match=f"{name} = 'nonsense'"):
        run(**{name: "nonsense"})


def test_the_first_of_equal_maxima_gets_the_gradient():
    """The gradient is not divided by the number of maxima, which XLA may count as zero."""
    module, x = Downsampling(pool="max", frames="pooled"), jnp.ones((1, 4, 4, 4, 2))
    gradient = jax.grad(lambda x: module.apply({}, x, train=True).sum())(x)
    expected = np.zeros(x.shape)
    expected[:, ::2, ::2, ::2] = 1
    np.testing.assert_array_equal(gradient, expected)
