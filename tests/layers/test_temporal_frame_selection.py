"""Tests temporal frame selection against golden files, and its equations in float64."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.quickly import UNOPTIMIZED
from vidjax.layers.temporal_frame_selection import redundancy, temporal_frame_selection

GOLDEN = {"paper": {}, "ref": {"choose": "highest", "squared": True}}
RNG = np.random.default_rng(0)
X = (RNG.normal(size=(3, 7, 3, 2, 5)) + RNG.normal(size=(3, 7, 1, 1, 5))).astype(np.float32)
A, B = np.eye(2, dtype=np.float32)
jit = functools.partial(jax.jit, compiler_options=UNOPTIMIZED)
select = jit(temporal_frame_selection, static_argnames=("count", "choose", "squared", "edge"))
similar = jit(redundancy, static_argnames=("squared", "edge"))


def cosines(x):
    means = np.float64(x).mean((2, 3))
    means /= np.linalg.norm(means, axis=-1, keepdims=True)
    return (means[:, :-1] * means[:, 1:]).sum(-1)


def account(x, squared=False, edge="never"):
    """Computes equations 5.6 and 5.7."""
    pairs = cosines(x) ** 2 if squared else cosines(x)
    triplets = pairs[:, :-1] + pairs[:, 1:]
    if edge == "never":
        return triplets
    return np.concatenate([2 * pairs[:, :1], triplets, 2 * pairs[:, -1:]], 1)


def numbers_of(x, count, choose="lowest", squared=False, edge="never"):
    sums = account(x, squared, edge).round(9)
    order = np.argsort(sums if choose == "lowest" else -sums, axis=1, kind="stable")
    return np.sort(order[:, :count], 1) + (edge == "never")


def frames_of(x, numbers):
    return np.stack([clip[chosen] for clip, chosen in zip(x, np.asarray(numbers), strict=True)])


def clip_of(vectors):
    """Makes one clip of 1x1 frames."""
    return np.stack(vectors)[None, :, None, None]


@pytest.fixture
def golden(shared):
    return np.load(shared / "golden/triplet_cosine.npz")


def golden_results(x):
    forms = {form: temporal_frame_selection(x, **settings) for form, settings in GOLDEN.items()}
    return forms, redundancy(x), redundancy(x, squared=True), redundancy(x, edge="single")


def test_golden_frames_numbers_and_redundancies(golden):
    cases = [name.removesuffix("_x") for name in golden if name.endswith("_x")]
    assert cases
    for case in cases:
        same = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5, err_msg=case)
        x, pairs = np.moveaxis(golden[f"{case}_x"], 1, -1), golden[f"{case}_cos"]
        forms, triplets, squares, single = jit(golden_results)(x)
        for form, (frames, numbers) in forms.items():
            np.testing.assert_array_equal(numbers, golden[f"{case}_idx_{form}"], err_msg=case)
            same(frames, np.moveaxis(golden[f"{case}_y_{form}"], 1, -1))
        same(triplets, golden[f"{case}_triplet"])
        same(squares, pairs[:, :-1] ** 2 + pairs[:, 1:] ** 2)
        same(single[:, 1:-1], triplets)
        same(single[:, [0, -1]], 2 * pairs[:, [0, -1]])


@pytest.mark.parametrize("edge", ["never", "single"])
@pytest.mark.parametrize("squared", [False, True])
def test_redundancy_is_that_of_the_equations(squared, edge):
    for dtype in (jnp.float32, jnp.bfloat16):
        x = jnp.asarray(X, dtype)
        found = similar(x, squared=squared, edge=edge)
        assert found.dtype == jnp.float32
        np.testing.assert_allclose(found, account(x, squared, edge), atol=1e-5)


def test_redundancy_depends_only_on_directions():
    scales = 2.0 ** np.random.default_rng(1).integers(-8, 9, (3, 7, 1, 1, 1))
    np.testing.assert_allclose(similar(np.float32(X * scales)), account(X), atol=1e-5)
    spread = X + np.float32([[[[[3]], [[-3]]]]]).reshape(1, 1, 1, 2, 1)
    np.testing.assert_allclose(similar(spread), account(X), atol=1e-5)


@pytest.mark.parametrize("count", [None, 1, 5])
@pytest.mark.parametrize("edge", ["never", "single"])
@pytest.mark.parametrize("choose", ["lowest", "highest"])
def test_it_chooses_the_frames_of_the_equations(choose, edge, count):
    settings = {"choose": choose, "edge": edge}
    frames, numbers = select(X, count, **settings)
    expected = numbers_of(X, 3 if count is None else count, **settings)
    assert numbers.dtype == jnp.int32
    np.testing.assert_array_equal(numbers, expected)
    np.testing.assert_array_equal(frames, frames_of(X, expected))


@pytest.mark.parametrize(("length", "expected"), [(1, [0]), (2, [0, 1]), (3, [1]), (4, [1, 2])])
def test_short_clips_leave_no_choice(length, expected):
    for settings in GOLDEN.values():
        frames, numbers = select(X[:, :length], **settings)
        assert numbers.dtype == jnp.int32
        np.testing.assert_array_equal(numbers, [expected] * len(X))
        np.testing.assert_array_equal(frames, X[:, expected])


def test_at_the_edges_the_single_cosine_counts_twice():
    clip = clip_of([A, B, B, A, A])
    np.testing.assert_allclose(similar(clip, edge="single"), [[0, 1, 1, 1, 2]], atol=1e-6)
    assert select(clip, 1, edge="single")[1].tolist() == [[0]]
    assert select(clip, 1, choose="highest", edge="single")[1].tolist() == [[4]]
    assert select(clip, 5, edge="single")[1].tolist() == [[0, 1, 2, 3, 4]]


@pytest.mark.parametrize("choose", ["lowest", "highest"])
def test_the_earliest_of_equal_frames_are_selected(choose):
    same, turns = clip_of([A] * 8), clip_of([A, A, B, B, A, A, B, B])
    for clip in (same, turns):
        assert select(clip, choose=choose)[1].tolist() == [[1, 2, 3, 4]]
    # Redundancies of frames 1 to 6 are 1 2 1 0 1 2.
    mixed = clip_of([A, B, B, B, A, B, B, B])
    expected = {"lowest": [1, 3, 4, 5], "highest": [1, 2, 3, 6]}
    np.testing.assert_allclose(similar(mixed), [[1, 2, 1, 0, 1, 2]], atol=1e-6)
    assert select(mixed, choose=choose)[1].tolist() == [expected[choose]]


def test_squared_cosines_treat_opposites_as_similar():
    # Redundancies of frames 1 to 3 are -2 -1 0, squared 2 1 0.
    clip = clip_of([A, -A, A, B, A])
    assert select(clip, 1)[1].tolist() == [[1]]
    assert select(clip, 1, squared=True)[1].tolist() == [[3]]


def test_selected_frames_are_distinct_and_in_temporal_order():
    x = np.random.default_rng(1).normal(size=(16, 9, 1, 1, 4)).astype(np.float32)
    _, numbers = select(x)
    assert (np.diff(numbers, axis=1) > 0).all()
    assert 0 < np.min(numbers) <= np.max(numbers) < 8
    assert len({tuple(row) for row in np.asarray(numbers)}) > 1


def test_a_clip_does_not_depend_on_the_batch_or_on_jit():
    frames, numbers = select(X)
    chex.assert_trees_all_equal(temporal_frame_selection(X), (frames, numbers))
    for clip in range(len(X)):
        alone = select(X[clip : clip + 1])
        chex.assert_trees_all_equal(alone, (frames[clip : clip + 1], numbers[clip : clip + 1]))
    turned = select(X[::-1].copy())
    chex.assert_trees_all_equal(turned, (frames[::-1], numbers[::-1]))


@pytest.mark.parametrize("settings", GOLDEN.values(), ids=GOLDEN)
def test_the_gradient_goes_only_to_the_chosen_frames(settings):
    upstream = np.random.default_rng(1).normal(size=(3, 3, 3, 2, 5)).astype(np.float32)

    @jit
    def gradient(x):
        return jax.grad(lambda x: (temporal_frame_selection(x, **settings)[0] * upstream).sum())(x)

    numbers = numbers_of(X, 3, **settings)
    expected = np.einsum("bkt,bkhwc->bthwc", np.eye(7)[numbers], upstream)
    np.testing.assert_allclose(gradient(X), expected, rtol=1e-6)
    np.testing.assert_array_equal(jit(jax.grad(lambda x: redundancy(x).sum()))(X), 0)


def test_bfloat16_frames_are_copied_and_chosen_in_float32():
    x = jnp.asarray(X, jnp.bfloat16)
    frames, numbers = select(x)
    np.testing.assert_array_equal(numbers, numbers_of(x, 3))
    assert frames.dtype == jnp.bfloat16
    np.testing.assert_array_equal(frames, frames_of(np.asarray(x), numbers))
    gradient = jit(jax.grad(lambda x: temporal_frame_selection(x)[0].astype(jnp.float32).sum()))
    assert gradient(x).dtype == jnp.bfloat16


def test_frames_of_zeros_and_huge_values_are_handled():
    for x in (np.zeros_like(X), X * np.float32([0, 1, 1, 0, 0, 1, 0])[:, None, None, None]):
        assert np.isfinite(similar(x)).all()
        frames, numbers = select(x)
        np.testing.assert_array_equal(frames, frames_of(x, numbers))
        assert (np.diff(numbers, axis=1) > 0).all()
    np.testing.assert_allclose(similar(X * np.float32(1e4)), account(X), atol=1e-5)


@pytest.mark.parametrize(
    ("length", "settings", "message"),
    [
        (7, {"count": 6}, "6.*5"),
        (7, {"count": 8, "edge": "single"}, "8.*7"),
        (2, {"count": 1}, "1.*0"),
        (7, {"choose": "best"}, "choose = 'best': must be one of .*lowest.*highest"),
        (7, {"edge": "both"}, "edge = 'both': must be one of .*never.*single"),
    ],
)
def test_invalid_selections_are_refused_in_one_line(length, settings, message):
    with pytest.raises(ValueError, match=message) as caught:
        temporal_frame_selection(X[:, :length], **settings)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("length", "count", "expected"),
    [(8, None, [1, 3, 5, 7]), (7, None, [1, 3, 5]), (9, 3, [1, 4, 7]), (5, 5, [0, 1, 2, 3, 4])],
)
def test_strided_frames_are_equidistant_for_any_content(length, count, expected):
    x = np.random.default_rng(5).normal(size=(2, length, 2, 2, 3)).astype(np.float32)
    frames, numbers = temporal_frame_selection(x, count, choose="strided")
    np.testing.assert_array_equal(numbers, [expected, expected])
    np.testing.assert_array_equal(frames, x[:, expected])


def test_more_strided_frames_than_there_are_is_refused():
    with pytest.raises(ValueError, match="6 frames of 5"):
        temporal_frame_selection(np.zeros((1, 5, 2, 2, 3), np.float32), 6, choose="strided")
