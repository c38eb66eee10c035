"""Tests late fusion against NumPy, with videos and classes in any order."""

import itertools

import numpy as np
import pytest

from vidjax.evaluation.fusion import align, fuse, search
from vidjax.evaluation.score_files import ScoresError, ScoreTable

CLASSES = np.array(["jump", "run", "sit", "walk"])
NAMES = np.array([f"v{number}.mp4" for number in range(12)])
LABELS = np.arange(12) % 4


def probabilities(seed, sharpness=1.0):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(12, 4)) + sharpness * np.eye(4)[LABELS]
    values = np.exp(logits)
    return (values / values.sum(axis=1, keepdims=True)).astype(np.float32)


def table(scores, rows=slice(None), columns=slice(None), labels=True, **changes):
    known = CLASSES[LABELS][rows] if labels else [""] * len(NAMES[rows])
    given = (NAMES[rows], scores[rows][:, columns], CLASSES[columns], known)
    return ScoreTable.of(*given, **{"split": "test", "about": {}, **changes})


def test_videos_and_classes_are_matched_by_name():
    one, two = probabilities(0), probabilities(1)
    shuffled = np.random.default_rng(2).permutation(12)
    other = table(two, shuffled, [2, 0, 3, 1], labels=False)
    found = align([table(one), other], ["a", "b"])
    assert found[1].names.tolist() == NAMES.tolist()
    assert found[1].classes.tolist() == CLASSES.tolist()
    np.testing.assert_array_equal(found[1].scores, two)
    # A label that one table knows is known.
    assert found[1].labels.tolist() == CLASSES[LABELS].tolist()


@pytest.mark.parametrize("weights", [(1, 1), (1, 1.5), (0, 3), (1e-300, 1e300)])
def test_means_are_those_of_the_equations(weights):
    p, q = probabilities(0).astype(float), probabilities(1).astype(float)
    a, b = weights[0] / max(weights), weights[1] / max(weights)
    tables = [table(probabilities(0)), table(probabilities(1))]
    np.testing.assert_allclose(
        fuse(tables, weights, "arithmetic"), (a * p + b * q) / (a + b), rtol=1e-12
    )
    product = p ** (a / (a + b)) * q ** (b / (a + b))
    expected = product / product.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(fuse(tables, weights, "geometric"), expected, rtol=1e-12)


def test_the_geometric_mean_of_sigmoids_is_that_of_their_logits():
    logits = np.random.default_rng(3).normal(size=(2, 12, 4))
    sigmoids = (1 / (1 + np.exp(-logits))).astype(np.float32)
    tables = [table(each, about={"multi_label": True}) for each in sigmoids]
    expected = 1 / (1 + np.exp(-(0.25 * logits[0] + 0.75 * logits[1])))
    np.testing.assert_allclose(fuse(tables, [1, 3], "geometric"), expected, rtol=1e-5)


def test_a_class_that_one_excludes_stays_finite():
    sure = np.eye(4, dtype=np.float32)[LABELS]
    found = fuse([table(sure), table(np.roll(sure, 1, axis=1))], [1, 1], "geometric")
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_videos_missing_from_a_table_are_refused_or_left_out():
    tables = [table(probabilities(0), slice(0, 10)), table(probabilities(1), slice(2, 12))]
    with pytest.raises(ScoresError, match=r"^a lacks 2 videos that others have, such as 'v10.mp4'"):
        align(tables, ["a", "b"])
    found = align(tables, ["a", "b"], common=True)
    assert found[0].names.tolist() == found[1].names.tolist() == NAMES[2:10].tolist()
    np.testing.assert_array_equal(found[1].scores, probabilities(1)[2:10])
    apart = [table(probabilities(0), slice(0, 5)), table(probabilities(1), slice(5, 12))]
    with pytest.raises(ScoresError, match="a, b have no video in common"):
        align(apart, ["a", "b"], common=True)


def relabelled():
    found = table(probabilities(1))
    found.labels[3] = "jump"
    return found


UNFIT = {
    "do not have the same classes: 1 differ, such as 'walk'": lambda: ScoreTable.of(
        NAMES, probabilities(1)[:, :3], CLASSES[:3], [""] * 12
    ),
    "'v3.mp4' is 'walk' in a and 'jump' in b": relabelled,
    "a has the split 'test', b has 'val'": lambda: table(probabilities(1), split="val"),
    "only one of a and b has multi-label scores": lambda: table(
        probabilities(1), about={"multi_label": True}
    ),
}


@pytest.mark.parametrize("message", UNFIT)
def test_incompatible_scores_are_refused(message):
    with pytest.raises(ScoresError, match=message):
        align([table(probabilities(0)), UNFIT[message]()], ["a", "b"])


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1], "weights = 1: give 2 weights"),
        ([1, -1], "weights = 1,-1: each must be a number of at least 0"),
        ([1, float("nan")], "each must be a number"),
        ([0, 0], "weights = 0,0: at least one must be more than 0"),
    ],
)
def test_invalid_weights_are_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        fuse([table(probabilities(0)), table(probabilities(1))], weights, "arithmetic")


def test_the_search_finds_the_best_of_all_tenths():
    tables = [table(probabilities(seed, sharpness)) for seed, sharpness in ((0, 0), (1, 1), (5, 2))]
    found = search(tables, LABELS, "arithmetic")

    def right(parts):
        mixed = sum(
            p / 10 * each.scores.astype(float) for p, each in zip(parts, tables, strict=True)
        )
        return (mixed.argmax(axis=1) == LABELS).sum()

    tenths = [parts for parts in itertools.product(range(11), repeat=3) if sum(parts) == 10]
    most = max(map(right, tenths))
    assert most > min(map(right, tenths))
    assert right([10 * share for share in found]) == most
    # No equally good combination is nearer to equal weights.
    spread = min(sum(p**2 for p in parts) for parts in tenths if right(parts) == most)
    assert sum((10 * share) ** 2 for share in found) == pytest.approx(spread)
