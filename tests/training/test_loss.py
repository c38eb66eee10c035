"""Tests the weighted loss against PyTorch's documented equations in NumPy, and in the step."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.quickly import quickly
from tests.training.test_step import MEAN, STD, batch, make
from vidjax.data.transforms import normalize
from vidjax.training.loss import Loss
from vidjax.training.mixing import Mixing

RNG = np.random.default_rng(4)
WEIGHTS = (0.25, 3.0, 1.5)
LOGITS = RNG.normal(size=(7, 3)) * 2
LABELS = np.array([0, 1, 2, 2, 1, 0, 0])
MASK = np.array([True, True, False, True, True, True, False])


def by_pytorch(logits, labels, weights, smoothing):
    """Computes `torch.nn.CrossEntropyLoss(weight, label_smoothing)` for class indices, following
    its documentation and `cross_entropy_loss_label_smoothing`."""
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    weights = np.array(weights)
    own = weights[labels]
    nll = -(log_p[np.arange(len(labels)), labels] * own).sum()
    smooth = -(log_p * weights).sum()
    return ((1 - smoothing) * nll + smoothing / log_p.shape[1] * smooth) / own.sum()


def ours(logits, labels, mask, loss):
    data = {"label": jnp.asarray(labels), "mask": jnp.asarray(mask)}
    divisor = loss.divisor(data, jnp.maximum(jnp.sum(data["mask"]), 1))
    return loss.summed(logits, loss.targets(data["label"], 3), data["mask"]) / divisor


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weights", [WEIGHTS, (1.0, 1.0, 1.0), (0.0, 1.0, 2.0)])
def test_the_loss_equals_pytorchs_over_readable_clips(weights, smoothing):
    expected = by_pytorch(LOGITS[MASK], LABELS[MASK], weights, smoothing)
    loss = Loss(smoothing, weights)
    assert float(ours(LOGITS, LABELS, MASK, loss)) == pytest.approx(expected, rel=1e-5)


def test_equal_class_weights_have_no_effect():
    one, two = (ours(LOGITS, LABELS, MASK, Loss(0.1, w)) for w in ((), (5.0, 5.0, 5.0)))
    assert float(one) == pytest.approx(float(two), rel=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_gradient_equals_finite_differences(smoothing):
    ahead, step = RNG.normal(size=LOGITS.shape), 1e-6
    ends = (
        by_pytorch((LOGITS + way * step * ahead)[MASK], LABELS[MASK], WEIGHTS, smoothing)
        for way in (1, -1)
    )
    expected = -np.diff(list(ends))[0] / (2 * step)
    loss = Loss(smoothing, WEIGHTS)
    gradient = jax.grad(lambda logits: ours(logits, LABELS, MASK, loss))(LOGITS)
    assert (np.asarray(gradient)[~MASK] == 0).all()
    slope = float((np.asarray(gradient)[MASK] * ahead[MASK]).sum())
    # Masked rows have no effect.
    assert slope == pytest.approx(expected, rel=1e-4)


def test_batches_without_weight_have_zero_loss():
    loss = Loss(0.0, (0.0, 1.0, 1.0))
    for labels, mask in (
        (LABELS * 0, MASK),
        (LABELS, MASK & False),
        (LABELS * 0 - 1, MASK & False),
    ):
        value, gradient = jax.value_and_grad(ours)(LOGITS, labels, mask, loss)
        assert float(value) == 0
        assert (np.asarray(gradient) == 0).all()


def test_accumulated_weighted_loss_equals_that_of_the_whole_batch():
    data = batch(masked=(0,))
    whole, state, model = make(class_weights=WEIGHTS, label_smoothing=0.1)
    one, numbers = whole(state, data)
    variables = {"params": state.params, "batch_stats": state.batch_stats}
    x = normalize(data["clip"], MEAN, STD)
    logits, _ = model.apply(variables, x, train=True, mutable=["batch_stats"])
    keep = data["mask"]
    expected = by_pytorch(np.float64(logits)[keep], data["label"][keep], WEIGHTS, 0.1)
    assert float(numbers["loss"]) == pytest.approx(expected, rel=1e-5)
    parts, _, _ = make(class_weights=WEIGHTS, label_smoothing=0.1, accumulate=4)
    # Each part takes every fourth row, so the two rows of a norm group are four apart.
    apart = [0, 2, 4, 6, 1, 3, 5, 7]
    two, others = parts(state, {key: value[apart] for key, value in data.items()})
    assert float(others["loss"]) == pytest.approx(expected, rel=1e-5)
    for a, b in zip(jax.tree.leaves(one.params), jax.tree.leaves(two.params), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_mixed_labels_have_their_own_class_weights():
    data = batch(masked=(2,))
    step, state, model = make(class_weights=WEIGHTS, mixup=1.0)
    _, metrics = step(state, data)
    key = jax.random.fold_in(jax.random.wrap_key_data(state.seed), state.step)
    hot = np.eye(3, dtype=np.float32)[data["label"]]
    key = jax.random.fold_in(key, 2)
    mixing = quickly(Mixing(mixup=1.0))
    clip, targets = mixing(key, data["clip"], hot, data["mask"])
    variables = {"params": state.params, "batch_stats": state.batch_stats}
    logits, _ = model.apply(
        variables, normalize(clip, MEAN, STD), train=True, mutable=["batch_stats"]
    )
    log_p = np.asarray(jax.nn.log_softmax(logits), np.float64)
    keep, weights = data["mask"], np.array(WEIGHTS)
    each = -(log_p * np.asarray(targets) * weights).sum(axis=1)
    expected = each[keep].sum() / weights[data["label"]][keep].sum()
    assert float(metrics["loss"]) == pytest.approx(expected, rel=1e-5)
    # All weights are present, because the pairs are a permutation.
    total = (np.asarray(targets) * weights).sum(axis=1)
    readable = np.ones(8, bool)
    _, whole = mixing(key, data["clip"], hot, readable)
    assert (np.asarray(whole) * weights).sum() == pytest.approx(weights[data["label"]].sum())
    assert total[~keep] == pytest.approx(weights[data["label"]][~keep])
