"""Tests score files: NumPy reads them without pickles, and damaged ones are refused."""

import json

import numpy as np
import pytest

from vidjax.evaluation.report import write_report
from vidjax.evaluation.score_files import ScoresError, ScoreTable, read_score_table, write_scores

CLASSES = ["jump", "run", "sit"]
NAMES = ["a.mp4", "a.mp4@1.5-4", "vidéo.mp4"]


def scores():
    values = np.random.default_rng(0).random((3, 3))
    return (values / values.sum(axis=1, keepdims=True)).astype(np.float32)


def table(**changes):
    given = {"names": NAMES, "scores": scores(), "classes": CLASSES, "labels": ["run", "", "sit"]}
    return ScoreTable.of(**{**given, **changes}, split="test", about={"views": {"clips": 2}})


def test_numpy_reads_the_arrays_without_pickles(tmp_path):
    write_scores(tmp_path / "s.npz", table())
    with np.load(tmp_path / "s.npz", allow_pickle=False) as stored:
        assert stored["names"].tolist() == NAMES
        assert stored["labels"].tolist() == ["run", "", "sit"]
        assert stored["classes"].tolist() == CLASSES
        assert stored["scores"].dtype == np.float32
        np.testing.assert_array_equal(stored["scores"], scores())
        assert str(stored["split"]) == "test"
        assert json.loads(str(stored["about"])) == {"views": {"clips": 2}}


def test_read_scores_equal_written_ones(tmp_path):
    write_scores(tmp_path / "s.npz", table())
    found = read_score_table(tmp_path / "s.npz")
    for name, value in vars(table()).items():
        np.testing.assert_array_equal(getattr(found, name), value)


def test_files_written_by_numpy_are_read(tmp_path):
    arrays = vars(table()) | {"about": json.dumps({"multi_label": True})}
    np.savez(tmp_path / "s.npz", **arrays)
    assert read_score_table(tmp_path / "s.npz").multi_label


DAMAGED = {
    "its scores are not all probabilities": {"scores": scores() - 1},
    "in [0, 1]": {"scores": scores() * np.float32(np.nan)},
    "its scores are float32 [3, 2] for 3 names and 3 classes": {"scores": scores()[:, :2]},
    "its scores are float64": {"scores": scores().astype(float)},
    "its array 'scores' is <U1": {"scores": np.array([["1"] * 3] * 3)},
    "its names are not unique": {"names": np.array(["a", "a", "b"])},
    "its classes are not unique": {"classes": np.array(["a", "a", "b"])},
    "it has 2 labels for 3 names": {"labels": np.array(["run", "sit"])},
    "names.npy claims object": {"names": np.array(NAMES, object)},
    "it has no text 'about'": {"about": np.array([1])},
    "it must be an object": {"about": np.array("[]")},
}


@pytest.mark.parametrize("message", DAMAGED)
def test_damaged_files_are_refused_in_a_line_that_names_the_file(tmp_path, message):
    file = tmp_path / "s.npz"
    arrays = {**vars(table()), "about": np.array("{}"), **DAMAGED[message]}
    np.savez(file, **arrays)
    with pytest.raises(ScoresError) as refused:
        read_score_table(file)
    assert message in str(refused.value)
    assert str(refused.value).startswith(f"{file}: ")
    assert len(str(refused.value).splitlines()) == 1


def test_other_files_are_refused(tmp_path):
    (tmp_path / "s.npz").write_bytes(b"text")
    np.savez(tmp_path / "other.npz", features=scores())
    np.savez_compressed(tmp_path / "packed.npz", **vars(table()) | {"about": "{}"})
    for name, message in {
        "s.npz": "it is damaged",
        "other.npz": "it has no text 'split'",
        "packed.npz": "it is compressed",
        "gone.npz": "the file of scores does not exist",
    }.items():
        with pytest.raises(ScoresError, match=message):
            read_score_table(tmp_path / name)


def evaluate(folder, **changes):
    facts = {"split": "test", "views": {"clips": 1}, "manifest": "m", "step": 4}
    return write_report(
        folder,
        "test-1x1-step4",
        videos=NAMES,
        scores=scores().astype(np.float64),
        labels=np.array([1, 0, 2]),
        classes=CLASSES,
        facts=facts | changes.pop("facts", {}),
        **changes,
    )


def test_an_evaluation_keeps_all_scores_only_on_request(tmp_path):
    assert len(evaluate(tmp_path)) == len(list(tmp_path.iterdir())) == 4
    *_, file = evaluate(tmp_path, keep_scores=True)
    found = read_score_table(file)
    assert found.labels.tolist() == ["run", "jump", "sit"]
    assert found.split == "test"
    assert found.about["views"] == {"clips": 1}
    np.testing.assert_array_equal(found.scores, scores())


def test_scores_of_other_views_are_set_aside_with_their_report(tmp_path):
    *_, file = evaluate(tmp_path, keep_scores=True)
    before = file.read_bytes()
    evaluate(tmp_path, facts={"views": {"clips": 2}})
    assert not file.exists()
    assert (tmp_path / "test-1x1-step4-earlier-scores.npz").read_bytes() == before
