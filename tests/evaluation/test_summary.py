"""Tests the scores of an evaluation against scikit-learn."""

import csv
import json
import warnings

import numpy as np
import pytest
from sklearn import metrics as sk

from vidjax.evaluation import metrics
from vidjax.evaluation.average_precision import (
    average_precision,
    binary_cross_entropy,
    f1,
    mean_average_precision,
)
from vidjax.evaluation.paired_bootstrap import paired_bootstrap
from vidjax.evaluation.report import (
    MultiLabelScores,
    Scores,
    describe,
    read_scores,
    summarize,
    write_report,
)
from vidjax.evaluation.score_files import ScoresError, ScoreTable
from vidjax.evaluation.summary import as_text, main_score, numbers_of
from vidjax.evaluation.true_labels import true_labels
from vidjax.records import RecordError

RNG = np.random.default_rng(2)
CLASSES = ("carry", "sit", "talk", "walk", "never")


def several(videos=40):
    """Returns probabilities with many ties, and labels; no video has the last class."""
    positive = RNG.random((videos, 5)) < (0.5, 0.1, 0.3, 0.9, 0)
    positive[0, :4] = True
    scores = np.round(0.6 * RNG.random((videos, 5)) + 0.4 * positive * RNG.random((videos, 5)), 1)
    return scores, positive


def one(videos=60, classes=7):
    """Returns probabilities and labels; the last class has no video."""
    return RNG.dirichlet(np.ones(classes), videos), RNG.integers(0, classes - 1, videos)


@pytest.mark.parametrize("videos", [1, 2, 9, 200])
def test_average_precision_is_that_of_scikit_learn(videos):
    scores, positive = several(videos)
    found = average_precision(scores, positive)
    for place in range(4):
        expected = sk.average_precision_score(positive[:, place], scores[:, place])
        if positive[:, place].any():
            assert found[place] == pytest.approx(expected, rel=1e-12)
        else:
            assert np.isnan(found[place])
    assert np.isnan(found[4])
    known = positive.any(axis=0)
    expected = sk.average_precision_score(positive[:, known], scores[:, known], average="macro")
    assert mean_average_precision(found) == pytest.approx(expected, rel=1e-12)


def test_constant_scores_get_the_share_of_the_class_in_any_order():
    positive = np.zeros((10, 1), bool)
    positive[:3] = True
    assert average_precision(np.full((10, 1), 0.5), positive) == pytest.approx(0.3)
    assert average_precision(np.full((10, 1), 0.5), positive[::-1]) == pytest.approx(0.3)


def test_without_any_label_the_mean_is_undefined():
    with pytest.raises(ValueError, match="no video has a label"):
        mean_average_precision(np.full(3, np.nan))


def test_f1_and_loss_of_several_labels_are_those_of_scikit_learn():
    scores, positive = several()
    known = positive.any(axis=0)
    micro, macro = f1(scores, positive)
    said = scores >= 0.5
    assert micro == pytest.approx(sk.f1_score(positive, said, average="micro"))
    expected = sk.f1_score(positive[:, known], said[:, known], average="macro", zero_division=0)
    assert macro == pytest.approx(expected)
    inner = scores.clip(0.01, 0.99)
    columns = zip(inner.T, positive.T, strict=True)
    losses = [sk.log_loss(there, p, labels=[False, True]) for p, there in columns]
    assert binary_cross_entropy(inner, positive) == pytest.approx(np.mean(losses))


def test_certain_but_wrong_answers_have_a_large_finite_loss():
    sure = np.array([[1.0, 0.0]])
    # The cost of a certain but wrong yes is 25 bits; that of a certain but wrong no is the smallest
    # float32.
    assert binary_cross_entropy(sure, np.array([[False, False]])) == pytest.approx(
        25 * np.log(2) / 2
    )
    assert binary_cross_entropy(sure, np.array([[True, True]])) == pytest.approx(
        126 * np.log(2) / 2
    )
    assert metrics.cross_entropy(sure, np.array([1])) == pytest.approx(126 * np.log(2))
    assert metrics.cross_entropy(sure, np.array([0])) == 0


def test_loss_and_mean_over_classes_are_those_of_scikit_learn():
    scores, labels = one()
    summary = summarize(scores, labels, [f"c{k}" for k in range(7)])
    assert summary["loss"] == pytest.approx(sk.log_loss(labels, scores, labels=range(7)))
    # scikit-learn warns about predicted classes without videos.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        expected = sk.balanced_accuracy_score(labels, scores.argmax(axis=1))
    assert summary["mean_class"] == pytest.approx(expected)
    assert summary["per_class"]["c6"] is None
    assert summary["top5"] == pytest.approx(
        sk.top_k_accuracy_score(labels, scores, k=5, labels=range(7))
    )


def test_top5_is_reported_only_with_more_than_five_classes():
    for classes in (5, 6):
        scores, labels = one(classes=classes)
        summary = summarize(scores, labels, [str(k) for k in range(classes)])
        assert ("top5" in summary) == ("top-5" in as_text(summary)) == (classes > 5)


def test_the_text_has_the_available_values():
    scores = {"top1": 0.5, "top5": 0.75, "videos": 8}
    # As earlier versions wrote it.
    assert as_text(scores) == "top-1 50.0%, top-5 75.0% of 8 videos"
    now = scores | {"mean_class": 0.25, "loss": 1.2345}
    assert as_text(now) == (
        "top-1 50.0%, top-5 75.0% of 8 videos (mean over classes 25.0%, loss 1.234)"
    )
    assert as_text(now | {"clip_top1": 0.125}).endswith("loss 1.234, single clips 12.5%)")
    several = {"map": 0.5, "videos": 8, "f1_micro": 0.25, "f1_macro": 0.125, "loss": 0.5}
    assert as_text(several) == "mAP 50.0% of 8 videos (micro F1 25.0%, loss 0.500)"
    assert list(numbers_of(now)) == ["top1", "top5", "videos", "mean_class", "loss"]
    assert (main_score(now), main_score(several)) == (0.5, 0.5)


def write(folder, scores, labels, classes):
    return write_report(
        folder,
        "test-1x1",
        videos=[f"v{k}.mp4" for k in range(len(labels))],
        scores=scores,
        labels=labels,
        classes=classes,
        facts={"step": 5},
    )


def test_a_report_of_several_labels_holds_every_video_and_class(tmp_path):
    scores, positive = several()
    files = write(tmp_path, scores, positive, CLASSES)
    assert [file.name for file in files] == [
        "test-1x1.json",
        "test-1x1-predictions.csv",
        "test-1x1-classes.png",
        "test-1x1-classes.csv",
    ]
    summary = json.loads(files[0].read_text())
    expected = sk.average_precision_score(positive[:, :4], scores[:, :4])
    assert summary["map"] == pytest.approx(expected)
    assert summary["per_class"]["never"] is None
    with files[1].open() as stream:
        rows = list(csv.DictReader(stream))
    for row, own, said in zip(rows, positive, scores >= 0.5, strict=True):
        for text, answers in ((row["labels"], own), (row["predicted"], said)):
            names = set(text.split(";")) - {"(none)"}
            assert names == {name for name, has in zip(CLASSES, answers, strict=True) if has}
        best = [float(row[f"score{k}"]) for k in range(1, 6)]
        assert best == sorted(best, reverse=True)
    assert files[2].read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    with files[3].open() as stream:
        classes = list(csv.DictReader(stream))
    assert [row["class"] for row in classes][-1] == "never"
    for row in classes[:-1]:
        place = CLASSES.index(row["class"])
        found = sk.average_precision_score(positive[:, place], scores[:, place])
        assert float(row["average_precision"]) == pytest.approx(found)
        assert int(row["videos"]) == positive[:, place].sum()
        assert float(row["chance"]) == pytest.approx(positive[:, place].mean())
    assert describe(files[0]).startswith(f"test-1x1: mAP {expected:.1%} of 40 videos (micro F1 ")
    with pytest.raises(RecordError, match="'top1' is absent"):
        read_scores(files[0])


def test_reports_of_earlier_versions_are_read(tmp_path):
    file = tmp_path / "test.json"
    old = {"protocol": "test-1x1", "top1": 0.5, "top5": 1.0, "videos": 4, "per_class": {"a": 0.5}}
    file.write_text(json.dumps(old))
    assert read_scores(file) == Scores("test-1x1", 0.5, 4, 1.0)
    assert describe(file) == "test-1x1: top-1 50.0%, top-5 100.0% of 4 videos"


@pytest.mark.parametrize(
    "name", sorted({*Scores.__struct_fields__, *MultiLabelScores.__struct_fields__})
)
def test_damaged_scores_are_refused_by_name(tmp_path, name):
    several_labels = (
        name in MultiLabelScores.__struct_fields__ and name not in Scores.__struct_fields__
    )
    scores, labels = several() if several_labels else one(classes=5)
    (file, *_) = write(tmp_path, scores, labels, CLASSES)
    file.write_text(json.dumps(json.loads(file.read_text()) | {name: -1}))
    with pytest.raises(RecordError, match=f"{name} = -1: must be"):
        describe(file)


def test_a_plot_of_many_classes_shows_the_lowest(tmp_path):
    positive = RNG.random((90, 80)) < 0.3
    files = write(tmp_path, RNG.random((90, 80)), positive, [f"class {k}" for k in range(80)])
    from PIL import Image

    with Image.open(files[2]) as picture:
        assert max(picture.size) < 3000
    assert len(files[3].read_text().splitlines()) == 81


def test_the_bootstrap_equals_one_computed_by_hand():
    scores, positive = several(30)
    other = scores + RNG.normal(0, 0.2, scores.shape)
    found = paired_bootstrap(scores, other, positive, samples=200, seed=4)
    rng, differences = np.random.default_rng(4), []
    for _ in range(200):
        rows = np.repeat(np.arange(30), rng.multinomial(30, np.full(30, 1 / 30)))
        known = positive[rows].any(axis=0)
        one, two = (
            sk.average_precision_score(positive[rows][:, known], each[rows][:, known])
            for each in (scores, other)
        )
        differences.append(two - one)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(differences, (0.025, 0.975))))
    rarer = min(np.sum(np.array(differences) <= 0), np.sum(np.array(differences) >= 0))
    assert found.p_value == pytest.approx(min(1, 2 * (rarer + 1) / 201))
    expected = sk.average_precision_score(positive[:, :4], other[:, :4])
    assert found.b == pytest.approx(expected)
    again = paired_bootstrap(other, scores, positive, samples=200, seed=4)
    assert (again.low, again.high) == pytest.approx((-found.high, -found.low))


def test_equal_classifiers_do_not_differ_and_a_better_one_does():
    scores, positive = several(60)
    same = paired_bootstrap(scores, scores, positive, samples=100)
    assert (same.low, same.high, same.p_value) == (0, 0, 1)
    better = paired_bootstrap(scores, positive + 0.1 * scores, positive, samples=100)
    assert better.low > 0
    assert better.p_value == pytest.approx(2 / 101)


def test_true_labels_of_a_table_are_known_or_refused():
    def table(labels):
        names = [f"v{k}" for k in range(len(labels))]
        about = {"multi_label": True}
        return ScoreTable.of(names, np.ones((len(labels), 2)), ("a", "b"), labels, "test", about)

    found = true_labels(table(["a;b", "(none)", "b"]))
    assert found.tolist() == [[True, True], [False, False], [False, True]]
    for labels, why in (
        (["a;c"], "'v0' has the label 'c', which is not a class"),
        (["a", ""], "'v1' has no la"),
    ):
        with pytest.raises(ScoresError, match=why):
            true_labels(table(labels))
