"""Tests the commands on multi-label data: real videos that a CSV lists."""

import csv
import json
import re
import shutil

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from tests.attributes import CLASSES, write_attributed
from tests.commands import refusal, run_command

WIDTH = "--config=configs/folder.py:width=4"


def call(name, *arguments):
    return run_command(f"experiments.{name}", *arguments)


def settings(table, workdir, **changes):
    given = {
        "data.manifest": table,
        "data.data_dir": workdir.parent / "data",
        "data.multi_label": "true",
        "data.short_side": 32,
        "data.workers": 1,
        "model.options.stem_kernel": "(1,3,3)",
        "model.options.depths": "(1,0,0,0)",
        "clip.frames": 4,
        "clip.size": 32,
        "eval.size": 32,
        "eval.crops": 1,
        "train.batch_size": 8,
        "train.cutmix": 1.0,
        "train.duration": "4 steps",
        "every.log": "2 steps",
        "every.checkpoint": "2 steps",
        "every.evaluate": "2 steps",
    } | {name.replace("__", "."): value for name, value in changes.items()}
    flags = (f"--config.{name}={value}" for name, value in given.items())
    return (f"--workdir={workdir}", WIDTH, *flags)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_attributed(tmp_path_factory.mktemp("videos"), train=3, test=1)


@pytest.fixture(scope="module")
def run(table, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs") / "several"
    done = call("train", *settings(table, workdir))
    assert done.returncode == 0, done.stderr
    return workdir, done


def labels_of(table):
    with table.open() as stream:
        rows = csv.DictReader(stream)
        return {
            row["path"]: {name.strip() for name in row["labels"].split(";")} - {"(none)"}
            for row in rows
        }


def test_training_prints_and_writes_mean_average_precision(run):
    workdir, done = run
    assert "hit@1" in done.stderr
    assert "step 4: test-1x1 mAP " in done.stderr
    assert "top-1" not in done.stderr
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    assert {"loss", "hit1"} <= lines[0].keys()
    evaluations = [line for line in lines if line["split"] == "test-1x1"]
    assert [line["step"] for line in evaluations] == [2, 4]
    assert {"map", "loss", "f1_micro", "f1_macro", "videos"} <= evaluations[0].keys()
    best = json.loads((workdir / "checkpoints" / "best.json").read_text())
    assert best["score"] == max(line["map"] for line in evaluations)


def test_a_report_has_the_labels_and_their_average_precision(run, table):
    workdir, _ = run
    report = json.loads((workdir / "eval" / "test-1x1-step4.json").read_text())
    with (workdir / "eval" / "test-1x1-step4-predictions.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    truth, scores, losses = labels_of(table), [], []
    for row in rows:
        known = {row[f"class{k}"]: float(row[f"score{k}"]) for k in (1, 2)}
        scores.append([known[name] for name in CLASSES])
        assert set(row["labels"].split(";")) - {"(none)"} == truth[row["video"]]
        losses += [
            -np.log(known[name] if name in truth[row["video"]] else 1 - known[name])
            for name in CLASSES
        ]
    positive = [[name in truth[row["video"]] for name in CLASSES] for row in rows]
    assert len(rows) == report["videos"] == 4
    assert report["loss"] == pytest.approx(np.mean(losses), rel=1e-4)
    for place, name in enumerate(CLASSES):
        expected = average_precision_score(np.array(positive)[:, place], np.array(scores)[:, place])
        assert report["per_class"][name] == pytest.approx(expected)
    assert report["map"] == pytest.approx(np.mean(list(report["per_class"].values())))


@pytest.mark.slow
def test_a_resumed_run_ends_like_an_uninterrupted_one(run, table, tmp_path):
    """Restores the state after two steps, and continues with the same labels."""
    workdir, _ = run
    copy = tmp_path / "several"
    shutil.copytree(workdir, copy)
    shutil.rmtree(copy / "checkpoints" / "4")
    done = call("train", *settings(table, copy, **{"data.data_dir": workdir.parent / "data"}))
    assert done.returncode == 0, done.stderr
    assert "resuming after step 2" in done.stderr
    assert (copy / "metrics.jsonl").read_bytes() == (workdir / "metrics.jsonl").read_bytes()


def test_evaluation_prints_the_scores_and_lists_the_files(run):
    workdir, _ = run
    done = call("evaluate", f"--workdir={workdir}", "--checkpoint=best", "--config.eval.clips=2")
    assert done.returncode == 0, done.stderr
    assert "test-2x1-step" in done.stdout
    assert " mAP " in done.stdout
    assert "-classes.png" in done.stdout
    assert "confusion" not in done.stdout


def test_prediction_gives_each_class_a_probability_of_its_own(run, table, tmp_path):
    workdir, _ = run
    video = table.parent / "test" / "bright_moving_0.mp4"
    done = call("predict", f"--workdir={workdir}", f"--video={video}")
    assert done.returncode == 0, done.stderr
    shares = {name: share for share, name in map(str.split, done.stdout.splitlines())}
    assert set(shares) == set(CLASSES)
    with (workdir / "eval" / "test-1x1-step4-predictions.csv").open() as stream:
        rows = {row["video"]: row for row in csv.DictReader(stream)}
    row = rows["test/bright_moving_0.mp4"]
    for k in (1, 2):
        said = float(shares[row[f"class{k}"]].rstrip("%"))
        assert said == pytest.approx(100 * float(row[f"score{k}"]), abs=0.02)
    output = tmp_path / "predictions.csv"
    done = call(
        "predict", f"--workdir={workdir}", f"--video={table}", f"--output={output}"
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    truth = labels_of(table)
    with output.open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len(truth) == 16
    for row in rows:
        own = truth[row["video"]]
        assert row["label"] == (";".join(sorted(own)) or "(none)")
        assert row["correct"] == (str(int(row["predicted"] in own)) if own else "")
    right = sum(row["correct"] == "1" for row in rows)
    assert f"{right} of 12 are right" in done.stdout


@pytest.mark.slow
def test_contact_sheets_and_verdicts_support_several_labels(run, table, tmp_path):
    workdir, _ = run
    sheet, verdicts = tmp_path / "batch.png", tmp_path / "verdicts.csv"
    given = [each for each in settings(table, workdir) if not each.startswith("--workdir")]
    done = call("contact_sheet", *given, f"--output={sheet}")
    assert done.returncode == 0, done.stderr
    assert sheet.read_bytes()[:4] == b"\x89PNG"
    done = call("check_videos", table, f"--output={verdicts}")
    assert done.returncode == 0, done.stderr
    done = call(
        "prepare", "--dataset=video_folder", f"--manifest={table}", "--multi_label",
        f"--data_dir={tmp_path / 'data'}", "--short_side=32", f"--verdicts={verdicts}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    # Two classes and twelve videos, none missing, excluded or broken.
    assert re.search(r"train\W+2\W+12\W+0\W+0\W+0\W+12\b", done.stdout)
    assert "of each set of labels" in done.stdout


@pytest.mark.slow
def test_two_runs_are_compared_by_class_and_fused(run, tmp_path):
    workdir, _ = run
    runs = [tmp_path / name for name in "ab"]
    for copy, step in zip(runs, (2, 4), strict=True):
        shutil.copytree(workdir, copy)
        done = call("evaluate", f"--workdir={copy}", f"--checkpoint={step}", "--scores")
        assert done.returncode == 0, done.stderr
    table = tmp_path / "differences.csv"
    done = call("compare", *runs, "--protocol=test-1x1", f"--output={table}")
    assert done.returncode == 0, done.stderr
    with table.open() as stream:
        rows = {row["class"]: row for row in csv.DictReader(stream)}
    for copy, step, name in zip(runs, (2, 4), "AB", strict=True):
        report = json.loads((copy / "eval" / f"test-1x1-step{step}.json").read_text())
        for label in CLASSES:
            assert float(rows[label][name]) == pytest.approx(report["per_class"][label], abs=1e-6)
    assert re.search(r"p = [0-9.e-]+ \(paired bootstrap\)", done.stdout)
    fused = tmp_path / "fused"
    done = call("fuse", *runs, "--protocol=test-1x1", f"--output={fused}")
    assert done.returncode == 0, done.stderr
    (report,) = (fused / "eval").glob("*.json")
    (scores,) = (fused / "eval").glob("*.npz")
    with np.load(scores) as kept:
        positive = [[name in text.split(";") for name in CLASSES] for text in kept["labels"]]
        expected = average_precision_score(positive, kept["scores"])
    assert json.loads(report.read_text())["map"] == pytest.approx(expected)
    assert "mAP" in done.stdout


def test_unsupported_operations_are_refused_in_one_line(run):
    workdir, _ = run
    for command, arguments, why in (
        ("compare", (workdir, workdir, "--protocol=test-1x1"), "has no scores of all classes"),
        (
            "evaluate",
            (f"--workdir={workdir}", "--config.data.multi_label=false"),
            "data.multi_label = False: the run in",
        ),
    ):
        assert why in refusal(call(command, *arguments)), command


@pytest.mark.slow
def test_settings_that_contradict_the_csv_are_refused_in_one_line(run, table, tmp_path):
    workdir, _ = run
    single = table.with_name("single.csv")
    single.write_text("path,label,split\ntrain/bright_0.mp4,bright,train\n")
    new, seen = tmp_path / "new", tmp_path / "seen"
    for command, arguments, why in (
        ("train", settings(single, new), "has the column 'label', but not 'labels'"),
        ("train", settings(table, new, data__multi_label="false"), "set data.multi_label=True"),
        ("train", settings(table, new, data__multi_label="3"), "data.multi_label"),
        ("train", settings(table, new, train__class_weights="balanced"), "train.class_weights"),
        ("train", settings(table, new, train__sampling="balanced"), "train.sampling"),
        (
            "explain",
            (f"--workdir={workdir}", "--method=frequency", f"--output={seen}"),
            "has several labels per video",
        ),
    ):
        assert why in refusal(call(command, *arguments)), command
    assert not new.exists()
    assert not seen.exists()


@pytest.mark.slow
def test_two_independent_attributes_are_both_learnt(tmp_path):
    table = write_attributed(tmp_path / "videos", train=12, test=6, seed=1)
    changes = {
        "train.duration": "150 steps",
        "train.cutmix": 0.0,
        "augment.color": 0.0,
        "augment.scale": "(0.8,1.0)",
        "model.options.depths": "(1,1,1,1)",
        "model.options.stem_kernel": "(3,3,3)",
        "clip.stride": 1,
        "every.evaluate": "150 steps",
        "every.checkpoint": "150 steps",
    }
    workdir = tmp_path / "run"
    done = call("train", *settings(table, workdir, **changes))
    assert done.returncode == 0, done.stderr
    report = json.loads((workdir / "eval" / "test-1x1-step150.json").read_text())
    # Half of the videos have each attribute, so constant scores give 0.5.
    assert report["videos"] == 24
    assert min(report["per_class"].values()) > 0.9
    assert report["map"] > 0.95
    assert report["f1_macro"] > 0.8


@pytest.mark.slow
def test_features_are_extracted_and_refused_by_a_probe(run, table, tmp_path):
    workdir, _ = run
    output = tmp_path / "features.npz"
    done = call("features", f"--workdir={workdir}", f"--output={output}")
    assert done.returncode == 0, done.stderr
    with np.load(output) as features:
        found = dict(zip(features["video"].tolist(), features["label"].tolist(), strict=True))
    truth = labels_of(table)
    assert found == {name: ";".join(sorted(own)) or "(none)" for name, own in truth.items()}
    assert "has videos with several labels" in refusal(call("probe", f"--features={output}"))


@pytest.mark.slow
def test_an_export_states_that_classes_are_independent(run, tmp_path):
    workdir, _ = run
    output = tmp_path / "exported"
    done = call("export", f"--workdir={workdir}", "--format=stablehlo", f"--output={output}")
    assert done.returncode == 0, done.stderr
    card = json.loads((output / "card.json").read_text())
    assert card["output"]["probabilities"] == "sigmoid"
    assert "their sigmoid is the" in (output / "README.txt").read_text()
