import csv
import json

import numpy as np
import pytest

from vidjax.evaluation import metrics
from vidjax.evaluation.protocol import score_videos
from vidjax.evaluation.report import summarize, write_report

RNG = np.random.default_rng(0)


def test_top_k_equals_the_direct_definition():
    scores, labels = RNG.random((50, 8)), RNG.integers(0, 8, 50)
    for k in (1, 3, 8):
        slow = np.mean(
            [
                label in sorted(range(8), key=lambda c: -row[c])[:k]
                for row, label in zip(scores, labels, strict=True)
            ]
        )
        assert metrics.top_k(scores, labels, k) == pytest.approx(slow)


def test_constant_scores_earn_nothing():
    assert metrics.top_k(np.ones((10, 4)), np.zeros(10, int), 1) == 0
    with pytest.raises(ValueError, match="no videos"):
        metrics.top_k(np.ones((0, 4)), np.zeros(0, int), 1)


def test_confusion_counts_and_accuracy_per_class():
    labels, predicted = np.array([0, 0, 1, 3]), np.array([0, 2, 1, 0])
    matrix = metrics.confusion(predicted, labels, 4)
    assert matrix.sum() == 4
    assert matrix[0, 2] == matrix[3, 0] == 1
    accuracy = metrics.per_class(matrix)
    np.testing.assert_array_equal(accuracy, [0.5, 1.0, np.nan, 0.0])


def views(videos, crops, batch_size, order=None):
    """Returns batches over (video, clip) pairs with padding, like those of the pipeline."""
    pairs = [v for v in range(videos) for _ in range(3)]
    pairs = [pairs[k] for k in order] if order is not None else pairs
    for start in range(0, len(pairs), batch_size):
        part = pairs[start : start + batch_size]
        mask = np.arange(batch_size) < len(part)
        video = np.array(part + [0] * (batch_size - len(part)))
        yield {"video": video, "mask": mask, "crops": crops}


@pytest.mark.parametrize("batch_size", [1, 2, 5, 16, 40])
def test_scores_equal_the_direct_average_for_any_batch_size(batch_size):
    table = RNG.random((7, 3, 2, 4))
    seen = np.zeros(7, int)

    def predict(batch):
        scores = np.full((len(batch["video"]), 2, 4), 99.0)
        for row, (video, real) in enumerate(zip(batch["video"], batch["mask"], strict=True)):
            if real:
                scores[row] = table[video, seen[video]]
                seen[video] += 1
        return scores

    scores = score_videos(predict, views(7, 2, batch_size), num_videos=7, num_classes=4)
    np.testing.assert_allclose(scores, table.mean(axis=(1, 2)), rtol=1e-12)


def test_a_video_with_too_few_views_is_refused():
    batches = views(3, 1, 4, order=range(8))
    with pytest.raises(ValueError, match="between 2 and 3 views"):
        score_videos(lambda b: np.ones((4, 1, 2)), batches, num_videos=3, num_classes=2)


def test_the_report_holds_every_video_and_can_be_read_back(tmp_path):
    scores, labels = RNG.dirichlet(np.ones(3), 12), RNG.integers(0, 2, 12)
    names, classes = [f"v{k}.mp4" for k in range(12)], ["a", "b", "c"]
    files = write_report(
        tmp_path / "eval",
        "test-1x1",
        videos=names,
        scores=scores,
        labels=labels,
        classes=classes,
        facts={"step": 5},
    )
    summary = json.loads(files[0].read_text())
    assert summary["top1"] == pytest.approx(np.mean(scores.argmax(1) == labels))
    assert "top5" not in summary  # it is meaningless with three classes
    assert summary["per_class"]["c"] is None
    assert summary["step"] == 5
    with files[1].open() as file:
        rows = list(csv.DictReader(file))
    assert [row["video"] for row in rows] == names
    correct = (scores.argmax(1) == labels).astype(int)
    assert [int(row["correct"]) for row in rows] == correct.tolist()
    assert all(float(row["score1"]) >= float(row["score2"]) for row in rows)
    assert files[2].read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    with files[3].open() as file:
        wrong = list(csv.DictReader(file))
    assert sum(int(row["videos"]) for row in wrong) == 12 - correct.sum()
    assert sorted(file.name for file in (tmp_path / "eval").iterdir()) == sorted(
        file.name for file in files
    )


def test_an_earlier_report_of_other_videos_is_kept(tmp_path):
    said = []

    def write(manifest, top1):
        labels = np.array([0, 1, 1])
        scores = np.eye(2)[labels if top1 else 1 - labels]
        return write_report(
            tmp_path,
            "test-1x1-step8",
            videos=["a", "b", "c"],
            scores=scores,
            labels=labels,
            classes=["x", "y"],
            facts={"manifest": manifest, "views": {"clips": 1}},
            say=said.append,
        )

    own = write("own", top1=True)
    before = [file.read_bytes() for file in own]
    write("own", top1=True)
    assert said == []
    write("other", top1=False)
    write("third", top1=False)
    kept = [tmp_path / file.name.replace("step8", "step8-earlier") for file in own]
    assert [file.read_bytes() for file in kept] == before
    assert (
        json.loads((tmp_path / "test-1x1-step8-earlier-2.json").read_text())["manifest"] == "other"
    )
    assert json.loads(own[0].read_text())["manifest"] == "third"
    assert len(said) == 2
    assert "test-1x1-step8-earlier.json" in said[0]


def test_the_summary_has_top5_with_more_than_five_classes():
    scores = np.eye(8)
    summary = summarize(np.roll(scores, 1, axis=1) + 0.5 * scores, np.arange(8), list("abcdefgh"))
    assert (summary["top1"], summary["top5"]) == (0.0, 1.0)
