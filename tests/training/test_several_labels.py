"""Tests the training step on multi-label data against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.training.test_step import MEAN, STD, batch, make
from vidjax.methods.cutmix import cutmix
from vidjax.training.bad_videos import BadVideos, BadVideosError
from vidjax.training.metric_writer import progress_text
from vidjax.training.sigmoid_loss import hits, sigmoid_cross_entropy, smoothed

RNG = np.random.default_rng(5)


def several(masked=()):
    return batch(masked) | {"label": RNG.integers(0, 2, (8, 3)).astype(np.float32)}


def logits_of(model, state, clip):
    x = (clip / 255 - np.array(MEAN)) / np.array(STD)
    variables = {"params": state.params, "batch_stats": state.batch_stats}
    logits, _ = model.apply(variables, jnp.float32(x), train=True, mutable=["batch_stats"])
    return np.asarray(logits, np.float64)


def by_definition(logits, targets):
    """Computes -t log(p) - (1 - t) log(1 - p), averaged over classes."""
    p = 1 / (1 + np.exp(-logits))
    return -(targets * np.log(p) + (1 - targets) * np.log(1 - p)).mean(axis=1)


def moved(before, after):
    """Returns the classifier bias's gradient: its change in a step of plain SGD at rate 1."""
    bias = "Dense_1"
    return np.asarray(before.params[bias]["bias"] - after.params[bias]["bias"], np.float64)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_loss_gradient_and_hits_follow_the_definition(smoothing):
    step, state, model = make(rate=1.0, label_smoothing=smoothing, multi_label=True)
    data = several(masked=(1, 6))
    after, metrics = step(state, data)
    logits, keep = logits_of(model, state, data["clip"]), data["mask"]
    targets = np.where(data["label"] > 0, 1 - smoothing / 2, smoothing / 2)
    assert float(metrics["loss"]) == pytest.approx(
        by_definition(logits, targets)[keep].mean(), rel=1e-5
    )
    # The gradient of the logits is (p - t) / C; the bias's gradient sums it over clips.
    gradient = ((1 / (1 + np.exp(-logits)) - targets) / 3)[keep].mean(axis=0)
    np.testing.assert_allclose(moved(state, after), gradient, atol=1e-6)
    right = data["label"][np.arange(8), logits.argmax(axis=1)] > 0
    assert float(metrics["hit1"]) == pytest.approx(right[keep].mean())
    assert "top1" not in metrics


def test_masked_clips_do_not_count():
    step, state, _ = make(multi_label=True)
    data = several(masked=(3,))
    label = data["label"].copy()
    label[3] = 1 - label[3]
    for one, two in zip(
        jax.tree.leaves(step(state, data)),
        jax.tree.leaves(step(state, data | {"label": label})),
        strict=True,
    ):
        np.testing.assert_array_equal(one, two)


def test_gradient_accumulation_equals_the_whole_batch():
    data = several(masked=(0,))
    whole, state, _ = make(multi_label=True)
    parts, _, _ = make(multi_label=True, accumulate=4)
    one, numbers = whole(state, data)
    apart = [0, 2, 4, 6, 1, 3, 5, 7]
    two, others = parts(state, {key: value[apart] for key, value in data.items()})
    for name in ("loss", "hit1"):
        assert float(numbers[name]) == pytest.approx(float(others[name]), rel=1e-5)
    for a, b in zip(jax.tree.leaves(one.params), jax.tree.leaves(two.params), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_cutmix_mixes_the_targets_of_each_class():
    step, state, model = make(rate=1.0, multi_label=True, mix=1.0)
    data = several(masked=(2,))
    after, metrics = step(state, data)
    key = jax.random.fold_in(jax.random.wrap_key_data(state.seed), state.step)
    clip, targets = cutmix(
        jax.random.fold_in(key, 2), data["clip"], jnp.asarray(data["label"]), data["mask"]
    )
    targets = np.asarray(targets, np.float64)
    assert ((targets > 0) & (targets < 1)).any()
    logits, keep = logits_of(model, state, np.asarray(clip)), data["mask"]
    assert float(metrics["loss"]) == pytest.approx(
        by_definition(logits, targets)[keep].mean(), rel=1e-5
    )
    gradient = ((1 / (1 + np.exp(-logits)) - targets) / 3)[keep].mean(axis=0)
    np.testing.assert_allclose(moved(state, after), gradient, atol=1e-6)


def test_the_loss_is_exact_for_saturated_probabilities():
    """At these logits float32 probabilities are 0 and 1, and their logarithms would be infinite."""
    logits = jnp.array([[200.0, -200.0, 30.0]])
    loss = sigmoid_cross_entropy(logits, jnp.array([[0.0, 1.0, 1.0]]))
    np.testing.assert_allclose(loss, [400 / 3], rtol=1e-6)
    gradient = jax.grad(lambda x: sigmoid_cross_entropy(x, jnp.array([[0.0, 1.0, 1.0]])).sum())
    np.testing.assert_allclose(gradient(logits), [[1 / 3, -1 / 3, 0]], atol=1e-6)


def test_label_smoothing_keeps_the_sum_of_yes_and_no():
    targets = jnp.array([[1.0, 0.0]])
    np.testing.assert_allclose(smoothed(targets, 0.1), [[0.95, 0.05]], rtol=1e-6)
    other = smoothed(1 - targets, 0.1)
    np.testing.assert_allclose(smoothed(targets, 0.1) + other, 1, rtol=1e-6)


def test_a_clip_without_labels_is_never_correct():
    logits = jnp.array([[2.0, 1.0], [2.0, 1.0], [1.0, 2.0]])
    label = jnp.array([[1.0, 1.0], [0.0, 0.0], [1.0, 0.0]])
    assert hits(logits, label).tolist() == [True, False, False]


def test_the_progress_line_names_its_metric():
    text = progress_text(40, 960, {"loss": 0.25, "hit1": 0.125}, 60.0, ", about 4:05 left")
    assert text == "step 40/960  loss 0.250  hit@1 12.5%  60.0 clips/s, about 4:05 left"


def test_an_unreadable_clip_counts_once_for_any_labels():
    label = np.zeros((50, 3), np.float32)
    label[:5, :2] = 1
    mask = np.ones(50, bool)
    mask[[0, 1, 7]] = False
    bad = BadVideos(("carry", "sit", "walk"), 0.07)
    bad.note({"label": label, "mask": mask})
    assert bad.unreadable == 3
    again = BadVideos(("carry", "sit", "walk"), 0.03, dict(bad.counts))
    assert again.unreadable == 3
    with pytest.raises(BadVideosError, match=r"6 of 100 .*'carry': 4, 'sit': 4, '\(unknown\)': 2"):
        again.note({"label": label, "mask": mask})
