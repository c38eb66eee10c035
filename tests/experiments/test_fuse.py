"""Tests `vidjax fuse` on stored evaluations and predictions."""

import csv
import json

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from tests.commands import refusal, run_command
from vidjax.evaluation.report import write_report
from vidjax.evaluation.score_files import ScoreTable, read_score_table, write_scores

CLASSES = ["jump", "run", "walk"]
VIDEOS = 60


def chances(seed, split):
    rng = np.random.default_rng([seed, len(split)])
    values = np.exp(rng.normal(size=(VIDEOS, 3)) + 1.2 * np.eye(3)[np.arange(VIDEOS) % 3])
    return values / values.sum(axis=1, keepdims=True)


def evaluated(run, seed, split="test", views=(2, 3)):
    """Writes a run that was evaluated with --scores."""
    clips, crops = views
    write_report(
        run / "eval",
        f"{split}-{clips}x{crops}-step20",
        videos=[f"{split}/{number}.mp4" for number in range(VIDEOS)],
        scores=chances(seed, split),
        labels=np.arange(VIDEOS) % 3,
        classes=CLASSES,
        facts={"split": split, "views": {"clips": clips, "crops": crops}},
        keep_scores=True,
    )
    return run


def fused(*arguments):
    return run_command("experiments.fuse", *arguments)


def top1(scores):
    return float(np.mean(scores.argmax(axis=1) == np.arange(VIDEOS) % 3))


@pytest.fixture
def runs(tmp_path):
    return evaluated(tmp_path / "rgb", 0), evaluated(tmp_path / "flow", 1)


def test_two_runs_are_fused_into_an_evaluation_that_can_be_compared(runs, tmp_path):
    done = fused(*runs, "--weights=1,1.5", f"--output={tmp_path / 'fused'}")
    assert done.returncode == 0, done.stderr
    rgb, flow = (chances(seed, "test").astype(np.float32).astype(float) for seed in (0, 1))
    expected = (rgb + 1.5 * flow) / 2.5
    files = sorted(file.name for file in (tmp_path / "fused/eval").iterdir())
    ends = ("-confusion.png", "-confusions.csv", "-predictions.csv", "-scores.npz", ".json")
    assert files == [f"test-2x3-step0{end}" for end in ends]
    stored = read_score_table(tmp_path / "fused/eval/test-2x3-step0-scores.npz")
    np.testing.assert_allclose(stored.scores, expected, atol=1e-7)
    report = json.loads((tmp_path / "fused/eval/test-2x3-step0.json").read_text())
    assert report["top1"] == top1(expected)
    assert [part["weight"] for part in report["fused"]] == [1, 1.5]
    # Each alone, and all together.
    cells = [line.split("│")[-2].strip() for line in done.stdout.splitlines() if "│" in line]
    assert cells == [f"{top1(scores):.1%}" for scores in (rgb, flow, expected)]
    best = runs[int(top1(flow) > top1(rgb))]
    assert f"Compared with {best}, the best single one" in done.stdout
    again = run_command("experiments.compare", best, tmp_path / "fused")
    assert again.returncode == 0, again.stderr
    p_values = [line.rpartition("p = ")[2].split(" ")[0] for line in (again.stdout, done.stdout)]
    assert f"p = {p_values[0]}" in done.stdout
    with (tmp_path / "fused/eval/test-2x3-step0-predictions.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["predicted"] for row in rows] == [CLASSES[k] for k in expected.argmax(axis=1)]


def test_files_without_labels_are_fused_into_scores_only(tmp_path):
    files = [tmp_path / "a.npz", tmp_path / "b.npz"]
    for seed, file in enumerate(files):
        names = [f"{number}.mp4" for number in range(VIDEOS + seed)][seed:]
        write_scores(file, ScoreTable.of(names, chances(seed, "test"), CLASSES, [""] * VIDEOS))
    output = f"--output={tmp_path / 'fused'}"
    error = refusal(fused(*files, output))
    assert "a.npz lacks 1 videos that others have, such as '60.mp4'; --common" in error
    assert not (tmp_path / "fused").exists()
    done = fused(*files, output, "--common", "--mean=geometric")
    assert done.returncode == 0, done.stderr
    assert f"left out 1 videos of {files[0]} that others lack: '0.mp4'" in done.stdout
    assert "no label is known, so there is no report" in done.stdout
    (file,) = (tmp_path / "fused/eval").iterdir()
    product = np.sqrt(chances(0, "test")[1:] * chances(1, "test")[:-1])
    expected = product / product.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(read_score_table(file).scores, expected, rtol=1e-4)


def test_multi_label_scores_are_ranked_by_mean_average_precision(tmp_path):
    rng = np.random.default_rng(0)
    labels = rng.random((VIDEOS, 3)) < 0.4
    scores = [np.clip(0.3 * labels + 0.7 * rng.random((VIDEOS, 3)), 0, 1) for _ in range(2)]
    for name, each in zip("ab", scores, strict=True):
        write_report(
            tmp_path / name / "eval",
            "test-1x1-step4",
            videos=[f"{number}.mp4" for number in range(VIDEOS)],
            scores=each,
            labels=labels,
            classes=CLASSES,
            facts={"split": "test", "views": {"clips": 1, "crops": 1}},
            keep_scores=True,
        )
    done = fused(tmp_path / "a", tmp_path / "b", f"--output={tmp_path / 'fused'}")
    assert done.returncode == 0, done.stderr
    mean = np.mean([each.astype(np.float32) for each in scores], axis=0, dtype=float)
    expected = average_precision_score(labels, mean, average="macro")
    report = json.loads((tmp_path / "fused/eval/test-1x1-step0.json").read_text())
    assert report["map"] == pytest.approx(expected)
    cells = [line.split("│")[-2].strip() for line in done.stdout.splitlines() if "│" in line]
    assert cells[-1] == f"{expected:.1%}"
    assert "McNemar" not in done.stdout


def test_weights_are_chosen_on_another_split(runs, tmp_path):
    for seed, run in enumerate(runs):
        evaluated(run, seed, "val")
    given = (*runs, f"--output={tmp_path / 'fused'}", "--protocol=test-2x3")
    assert "--search=test is the split that is reported" in refusal(fused(*given, "--search=test"))
    done = fused(*given, "--search=val")
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "fused/eval/test-2x3-step0.json").read_text())
    weights = [part["weight"] for part in report["fused"]]
    rgb, flow = chances(0, "val"), chances(1, "val")
    best = max(top1((k * rgb + (10 - k) * flow) / 10) for k in range(11))
    assert top1(weights[0] * rgb + weights[1] * flow) == best
    assert report["split"] == "test"
    assert report["searched"]["split"] == "val"


def test_incompatible_inputs_are_refused_in_one_line(runs, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "there/eval").mkdir(parents=True)
    other = evaluated(tmp_path / "other", 2, views=(1, 1))
    cases = {
        "one is given twice": (runs[0], runs[0]),
        "--weights=1,x: numbers are expected": (*runs, "--weights=1,x"),
        "empty has no scores of all classes; vidjax evaluate --scores writes them": (
            runs[0],
            tmp_path / "empty",
        ),
        "share no protocols": (runs[0], other),
    }
    for message, arguments in cases.items():
        assert message in refusal(fused(*arguments, f"--output={tmp_path / 'out'}"))
        assert not (tmp_path / "out").exists()
    error = refusal(fused(*runs, f"--output={tmp_path / 'there'}"))
    assert "there/eval exists already; choose another" in error
