"""Tests MixUp against its equations in NumPy, with the draws read from the mixed targets."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.quickly import UNOPTIMIZED
from vidjax.methods.mixup import mixup

BATCH, DRAWS = 6, 400
RNG = np.random.default_rng(0)
CLIP = RNG.integers(0, 256, (BATCH, 2, 3, 4, 3), dtype=np.uint8)
# Targets are one-hot, so a mixed target shows the partners and their weights.
ONE_HOT = np.eye(BATCH, dtype=np.float32)
EVERY = np.ones(BATCH, bool)
READABLE = np.array([True, True, False, True, True, False])


@functools.cache
def many(alpha: float, chance: float):
    draws = functools.partial(mixup, alpha=alpha, chance=chance)
    draws = jax.vmap(draws, in_axes=(0, None, None, None))
    draws = jax.jit(draws, compiler_options=UNOPTIMIZED)
    return functools.partial(draws, jax.random.split(jax.random.key(7), DRAWS))


def mix(clip=CLIP, targets=ONE_HOT, mask=EVERY, alpha=1.0, chance=1.0):
    return tuple(map(np.asarray, many(alpha, chance)(clip, targets, mask)))


def shares(targets):
    """Returns the weight of each clip's own target, masked if it has no partner."""
    own = targets[:, np.arange(BATCH), np.arange(BATCH)]
    return np.ma.masked_equal(own, 1)


@pytest.mark.parametrize("mask", [EVERY, READABLE], ids=["all", "some"])
def test_pixels_and_targets_are_the_same_weighted_means(mask):
    clips, targets = mix(mask=mask)
    # The targets form the mixing matrix of the clips.
    expected = np.einsum("nij,j...->ni...", targets.astype(np.float64), CLIP.astype(np.float64))
    np.testing.assert_allclose(clips, expected, atol=1e-3)
    np.testing.assert_allclose(targets.sum(axis=2), 1, atol=1e-6)
    assert ((targets > 0).sum(axis=2) <= 2).all()


def test_one_lambda_and_one_permutation_for_the_batch():
    _, targets = mix()
    own = shares(targets)
    assert (own.max(axis=1) - own.min(axis=1)).max() < 1e-6
    partners = np.where(own.mask, np.arange(BATCH), _others(targets).argmax(axis=2))
    np.testing.assert_array_equal(np.sort(partners, axis=1), np.tile(np.arange(BATCH), (DRAWS, 1)))
    # Every clip has every other as its partner equally often, within five standard errors.
    frequency = (partners[:, :, None] == np.arange(BATCH)).mean(axis=0)
    assert np.abs(frequency - 1 / BATCH).max() < 5 * np.sqrt(5 / 36 / DRAWS)


def _others(targets):
    return np.where(np.eye(BATCH, dtype=bool), 0, targets)


@pytest.mark.parametrize("alpha", [0.3, 1.0, 8.0])
def test_lambda_follows_the_beta_distribution(alpha):
    own = shares(mix(alpha=alpha)[1]).mean(axis=1).compressed()
    expected = np.random.default_rng(1).beta(alpha, alpha, 20_000)
    for part in (0.1, 0.3, 0.5, 0.7, 0.9):
        rank = (own <= np.quantile(expected, part)).mean()
        assert abs(rank - part) < 5 * 0.5 / np.sqrt(len(own))


def test_unreadable_clips_are_unchanged_and_not_mixed_in():
    poisoned = np.where(READABLE[:, None, None, None, None], CLIP, np.nan).astype(np.float32)
    targets = np.where(READABLE[:, None], ONE_HOT, np.nan).astype(np.float32)
    clips, mixed = mix(poisoned, targets, READABLE)
    assert np.isfinite(clips[:, READABLE]).all()
    assert np.isfinite(mixed[:, READABLE]).all()
    assert np.isnan(clips[:, ~READABLE]).all()
    assert not np.isclose(mixed[:, READABLE], ONE_HOT[READABLE]).all()


@pytest.mark.parametrize("chance", [0.0, 0.3, 1.0])
def test_batches_are_mixed_with_the_given_probability(chance):
    clips, targets = mix(chance=chance)
    moved = (targets != ONE_HOT).any(axis=(1, 2))
    assert abs(moved.mean() - chance) <= 5 * np.sqrt(chance * (1 - chance) / DRAWS) + 0.01
    assert (clips[~moved] == CLIP).all()


@pytest.mark.parametrize(
    ("given", "expected"),
    [(jnp.uint8, jnp.float32), (jnp.float32, jnp.float32), (jnp.bfloat16, jnp.bfloat16)],
)
def test_bytes_become_float32(given, expected):
    clip = jax.ShapeDtypeStruct(CLIP.shape, given)
    mixed = jax.eval_shape(mixup, jax.random.key(0), clip, ONE_HOT, READABLE)
    wanted = (jax.ShapeDtypeStruct(CLIP.shape, expected), jnp.asarray(ONE_HOT))
    chex.assert_trees_all_equal_shapes_and_dtypes(mixed, wanted)


def test_gradients_are_those_of_the_weighted_mean():
    key, clip = jax.random.key(3), CLIP.astype(np.float32)
    weights = RNG.normal(size=CLIP.shape).astype(np.float32)
    _, targets = mixup(key, clip, ONE_HOT, READABLE)

    def total(clip):
        return jnp.sum(weights * mixup(key, clip, ONE_HOT, READABLE)[0])

    expected = np.einsum("ij,i...->j...", np.asarray(targets, np.float64), weights)
    np.testing.assert_allclose(jax.grad(total)(clip), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"alpha": 0.0}, "mixup alpha = 0.0"), ({"chance": 1.2}, "mixup chance = 1.2")],
)
def test_invalid_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        mixup(jax.random.key(0), CLIP, ONE_HOT, EVERY, **settings)
