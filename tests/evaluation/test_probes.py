"""Tests probes of features against brute force and equations in NumPy."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from vidjax.evaluation import knn, linear_probe

RNG = np.random.default_rng(0)
CLASSES = np.array(["jump", "run", "walk"])


def clouds(count, spread, seed=0, width=6):
    """Returns features around one point per class, and labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    centres = 4 * np.eye(3, width)
    return centres[labels] + spread * rng.normal(size=(count, width)), CLASSES[labels]


def cosine_votes(train, labels, test, k, temperature):
    """Computes the votes of Wu et al. (2018), section 3.4, in plain loops."""
    scores = np.zeros((len(test), len(CLASSES)))
    for row, feature in enumerate(test):
        similar = [
            feature @ other / np.linalg.norm(feature) / np.linalg.norm(other) for other in train
        ]
        for index in sorted(range(len(train)), key=lambda i: -similar[i])[:k]:
            scores[row, CLASSES.tolist().index(labels[index])] += np.exp(
                similar[index] / temperature
            )
    return scores / scores.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(("k", "temperature"), [(1, 0.07), (7, 0.07), (30, 0.5), (500, 10.0)])
def test_neighbours_vote_as_in_the_paper(k, temperature):
    train, labels = clouds(40, 3.0)
    test, truth = clouds(300, 3.0, seed=1)
    found = knn(train, labels, test, truth, k=k, temperature=temperature)
    expected = cosine_votes(train, labels, test, k, temperature)
    np.testing.assert_allclose(found.scores, expected, atol=1e-10)
    assert found.predicted.tolist() == CLASSES[expected.argmax(axis=1)].tolist()
    if k > 20:
        assert found.top1 == np.mean(CLASSES[expected.argmax(axis=1)] == truth)
    assert found.k == min(k, 40)


def objective(weights, bias, c, train, labels):
    """Returns the objective of L2-regularised multinomial logistic regression and its gradients."""
    logits = train @ weights.T + bias
    chances = np.exp(logits - logits.max(axis=1, keepdims=True))
    chances /= chances.sum(axis=1, keepdims=True)
    hot = labels[:, None] == CLASSES
    loss = -c * np.log(chances[hot]).sum() + (weights**2).sum() / 2
    return loss, c * (chances - hot).T @ train + weights, c * (chances - hot).sum(axis=0)


@pytest.mark.parametrize("width", [6, 60])
def test_a_linear_probe_minimises_its_objective(width):
    """Also with more features than rows, where the solution is found in a smaller space."""
    train, labels = clouds(30, 2.0, width=width)
    test, truth = clouds(90, 2.0, seed=1, width=width)
    found = linear_probe(train, labels, test, truth, strengths=[0.05])
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    standard = (train - mean) / deviation
    weights, bias = np.zeros((3, width)), np.zeros(3)
    for _ in range(4000):
        _, by_weights, by_bias = objective(weights, bias, 0.05, standard, labels)
        weights, bias = weights - 0.05 * by_weights, bias - 0.05 * by_bias
    assert max(abs(by_weights).max(), abs(by_bias).max()) < 1e-6
    logits = (test - mean) / deviation @ weights.T + bias
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found.scores, chances, atol=2e-3)
    assert found.c == 0.05
    assert np.isnan(found.validated)


@pytest.mark.parametrize("probe", [linear_probe, knn])
def test_separate_clusters_are_classified_and_shuffled_labels_give_chance(probe):
    train, labels = clouds(60, 0.1)
    test, truth = clouds(60, 0.1, seed=1)
    found = probe(train, labels, test, truth)
    assert (found.top1, found.top5) == (1.0, 1.0)
    assert found.predicted.tolist() == truth.tolist()
    np.testing.assert_allclose(found.scores.sum(axis=1), 1)
    noise = RNG.normal(size=(900, 5))
    drawn = CLASSES[RNG.integers(3, size=900)]
    found = probe(noise[:450], drawn[:450], noise[450:], drawn[450:])
    # Four standard deviations of 450 guesses.
    assert abs(found.top1 - found.chance) < 4 * np.sqrt(1 / 3 * 2 / 3 / 450)


def test_labels_may_be_numbers():
    train, labels = clouds(30, 0.1)
    indices = np.searchsorted(CLASSES, labels)
    assert linear_probe(train, indices, train, indices).predicted.tolist() == indices.tolist()


def test_c_is_chosen_by_cross_validation_without_the_test_part():
    """Compares with scikit-learn's own cross-validation."""
    train, labels = clouds(90, 4.0, width=100)
    test, truth = clouds(30, 4.0, seed=1, width=100)
    strengths, right = [1e-2, 1e-5, 1e-3], {}
    for c in strengths:
        fit = make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=1000))
        folds = StratifiedKFold(5, shuffle=True, random_state=0)
        right[c] = np.mean(cross_val_predict(fit, train, labels, cv=folds) == labels)
    assert len(set(right.values())) > 1
    found = linear_probe(train, labels, test, truth, strengths=strengths)
    assert found.validated == pytest.approx(max(right.values()))
    assert found.c == min(c for c in strengths if right[c] == max(right.values()))
    again = linear_probe(train, labels, test, np.roll(truth, 1), strengths=strengths)
    assert again.c == found.c
    np.testing.assert_array_equal(again.scores, found.scores)


def test_groups_stay_together_when_c_is_chosen():
    """A feature that identifies the group does not generalise to other groups, which C reflects."""
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(15), 4)
    labels = CLASSES[rng.integers(3, size=15)[group]]
    features = 5 * np.eye(15)[group] + 0.1 * rng.normal(size=(60, 15))
    given = features, labels, features, labels
    apart, mixed = linear_probe(*given, groups=group), linear_probe(*given)
    assert mixed.validated == 1.0
    assert apart.validated < 0.6


def test_a_class_within_one_group_is_accepted():
    train, labels = clouds(30, 0.5)
    group = np.where(labels == "walk", "anna", np.arange(30).astype(str))
    assert linear_probe(train, labels, train, labels, groups=group).top1 == 1.0


GOOD = clouds(12, 0.1)
HOLE = np.where(np.arange(72).reshape(12, 6) == 31, np.nan, GOOD[0])


@pytest.mark.parametrize("probe", [linear_probe, knn])
@pytest.mark.parametrize(
    ("train", "labels", "test", "truth", "words"),
    [
        (np.ones((12, 6)), GOOD[1], *GOOD, "the training features are all equal"),
        (HOLE, GOOD[1], *GOOD, "training features are not finite in 1 rows; the first is row 5"),
        (*GOOD, HOLE, GOOD[1], "test features are not finite"),
        (
            *GOOD,
            GOOD[0],
            np.full(12, "skip"),
            "the class 'skip', which the training part lacks .1 such",
        ),
        (GOOD[0], np.full(12, "run"), *GOOD, "the training part has only one class, 'run'"),
        (*GOOD, GOOD[0][:, :5], GOOD[1], "have 6 dimensions, test features 5"),
        (GOOD[0], GOOD[1][:11], *GOOD, r"\[12, 6\] and labels \[11\]: pass \[N, C\] and \[N\]"),
        (*GOOD, GOOD[0][:0], GOOD[1][:0], "test features have shape"),
    ],
)
def test_invalid_features_are_refused_in_one_line(probe, train, labels, test, truth, words):
    with pytest.raises(ValueError, match=words) as error:
        probe(train, labels, test, truth)
    assert "\n" not in str(error.value)


def test_settings_have_ranges():
    with pytest.raises(ValueError, match="k = 0: must be a whole number"):
        knn(*GOOD, *GOOD, k=0)
    with pytest.raises(ValueError, match="temperature = 0.0: must be a number"):
        knn(*GOOD, *GOOD, temperature=0.0)
    with pytest.raises(ValueError, match=r"groups have shape \[3\], but labels have \[12\]"):
        linear_probe(*GOOD, *GOOD, groups=np.arange(3))
    with pytest.raises(
        ValueError, match="all training features belong to one group; give one value"
    ):
        linear_probe(*GOOD, *GOOD, groups=np.zeros(12))
    single = np.array(["run"] * 11 + ["walk"])
    with pytest.raises(ValueError, match="a class has only one training feature"):
        linear_probe(GOOD[0], single, GOOD[0], single)


@pytest.mark.slow
def test_scikit_learn_is_imported_only_when_used():
    code = "import sys, vidjax.evaluation; sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
