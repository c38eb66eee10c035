"""Tests which of MixUp and CutMix mixes a batch, and that the step trains on the mixed batch."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.quickly import quickly
from tests.training.test_step import MEAN, STD, batch, make
from vidjax.data.transforms import normalize
from vidjax.methods.cutmix import cutmix
from vidjax.methods.mixup import mixup
from vidjax.training.mixing import Mixing

BATCH, DRAWS = 6, 300
CLIP = np.random.default_rng(0).integers(0, 256, (BATCH, 1, 12, 12, 3), dtype=np.uint8)
ONE_HOT = np.eye(BATCH, dtype=np.float32)
EVERY = np.ones(BATCH, bool)
KEYS = jax.random.split(jax.random.key(5), DRAWS)


@functools.cache
def draws(mixing):
    many = quickly(jax.vmap(mixing, in_axes=(0, None, None, None)))
    return tuple(map(np.asarray, many(KEYS, CLIP, ONE_HOT, EVERY)))


@pytest.mark.parametrize(
    ("mixing", "method"),
    [
        (Mixing(cutmix=0.7, chance=0.8), functools.partial(cutmix, alpha=0.7, chance=0.8)),
        (Mixing(mixup=0.7, chance=0.8), functools.partial(mixup, alpha=0.7, chance=0.8)),
    ],
)
def test_a_single_active_method_draws_as_it_does_alone(mixing, method):
    mixing, method = quickly(mixing), quickly(method)
    for key in KEYS[:5]:
        ours, theirs = mixing(key, CLIP, ONE_HOT, EVERY), method(key, CLIP, ONE_HOT, EVERY)
        for one, two in zip(ours, theirs, strict=True):
            assert one.dtype == two.dtype
            np.testing.assert_array_equal(one, two)


def test_without_methods_nothing_changes():
    clip, targets = Mixing()(KEYS[0], CLIP, ONE_HOT, EVERY)
    assert clip is CLIP
    assert targets is ONE_HOT


def test_with_both_active_each_mixes_half_of_the_batches():
    clips, targets = draws(Mixing(mixup=0.4, cutmix=1.0, chance=0.7))
    # CutMix only copies pixels; MixUp changes nearly all of them.
    whole = (clips == np.rint(clips)).mean(axis=(1, 2, 3, 4, 5))
    moved = (targets != ONE_HOT).any(axis=(1, 2))
    # Empty boxes and a lambda of 1 change nothing.
    assert abs(moved.mean() - 0.7) < 5 * np.sqrt(0.21 / DRAWS) + 0.03
    by_cutmix = whole[moved] == 1
    # MixUp with a lambda near 0 or 1 is hardly visible.
    assert ((whole[moved] == 1) | (whole[moved] < 0.99)).mean() > 0.97
    assert abs(by_cutmix.mean() - 0.5) < 5 * 0.5 / np.sqrt(moved.sum()) + 0.03
    for is_cut, method in ((True, cutmix), (False, mixup)):
        some = np.flatnonzero(moved)[by_cutmix == is_cut][:3]
        mixed = quickly(functools.partial(method, alpha=1.0 if is_cut else 0.4))
        for draw in some:
            clip, target = mixed(KEYS[draw], CLIP.astype(np.float32), ONE_HOT, EVERY)
            np.testing.assert_allclose(clips[draw], clip, atol=1e-3)
            np.testing.assert_allclose(targets[draw], target, atol=1e-6)


def test_a_step_trains_on_mixed_clips():
    """Loss and gradient equal those of separately mixed clips and targets."""
    step, begun, model = make(rate=1.0, label_smoothing=0.1, mixup=0.8, mix=1.0)
    data, mixing = batch(masked=(2,)), quickly(Mixing(0.8, 1.0))
    hot = 0.9 * np.eye(3, dtype=np.float32)[data["label"]] + 0.1 / 3
    # Boxes are often empty in such small frames: take the first step that mixes.
    for number in range(50):
        state = begun.replace(step=jnp.full_like(begun.step, number))
        key = jax.random.fold_in(jax.random.wrap_key_data(state.seed), state.step)
        clip, targets = mixing(jax.random.fold_in(key, 2), data["clip"], hot, data["mask"])
        if not np.allclose(targets, hot, atol=0.05):
            break
    assert not np.allclose(targets, hot, atol=0.05)
    after, metrics = step(state, data)

    def loss(params):
        variables = {"params": params, "batch_stats": state.batch_stats}
        x = normalize(clip, MEAN, STD)
        logits, _ = model.apply(variables, x, train=True, mutable=["batch_stats"])
        each = -jnp.sum(targets * jax.nn.log_softmax(logits), axis=1)
        return jnp.sum(each * data["mask"]) / data["mask"].sum()

    value, gradient = quickly(jax.value_and_grad(loss))(state.params)
    assert float(metrics["loss"]) == pytest.approx(float(value), rel=1e-5)
    moved = jax.tree.map(lambda old, new: old - new, state.params, after.params)
    for ours, theirs in zip(jax.tree.leaves(moved), jax.tree.leaves(gradient), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)
