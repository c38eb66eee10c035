"""Fuzzes configurations, records and tables: each mutation is read, or refused in one line."""

import json

import numpy as np
import pytest

from configs import demo
from experiments.compare import read_predictions
from experiments.explain.faithfulness import read_settings
from experiments.explain.resumable_results import ResumableResults
from experiments.reproduce import budget
from experiments.reproduce.plan import read_plan
from experiments.reproduce.tuning import read_choices
from experiments.runs.worker import read_record
from experiments.sweep.plan import planned_split
from tests.faults.fuzz import COUNT, fuzz, refusing
from vidjax import records
from vidjax.data import tables
from vidjax.data.annotations import objects
from vidjax.data.class_list import read_class_list
from vidjax.data.manifest import ManifestError, read_manifest
from vidjax.data.verdicts import COLUMNS, Verdict, read_verdicts
from vidjax.evaluation.report import read_scores, write_report
from vidjax.explain.class_feature_pyramids import KeptLayer, Pyramid
from vidjax.explain.map_measurements import Compared, Measured
from vidjax.explain.pyramid_json import from_json, to_json
from vidjax.run import workdir
from vidjax.run.checkpoint import read_best
from vidjax.run.config import from_mapping
from vidjax.trained.exporting.load import read_card
from vidjax.training.metric_writer import read_metrics
from vidjax.training.writers.csv import Metrics
from vidjax.training.writers.wandb import run_id

QUICK = 200
# Memory for reading a small file, including Python's own growth between readings.
MEMORY = 128 * 2**20
CARD = {
    "format": "stablehlo",
    "classes": ["walk", "sit"],
    "input": {"shape": ["batch", 2, 8, 8, 3]},
    "output": {"shape": ["batch", 3]},
    "files": {"network.stablehlo": {"bytes": 3, "sha256": "0" * 64}},
}


def read_config(folder):
    with refusing(ValueError):
        from_mapping(workdir.read_config(folder))


def read_run(folder):
    with refusing(ValueError):
        classes = workdir.read_classes(folder)
        assert all(isinstance(name, str) for name in classes)
        step, score = read_best(folder / "best.json")
        assert step >= 0
        assert np.isfinite(score)
        assert all(line["step"] >= 0 for line in read_metrics(folder / "metrics.jsonl"))


def read_kept(folder):
    with refusing(ValueError):
        assert all(config.train.duration for config in workdir.earlier_configs(folder))
        assert len(run_id(folder)) <= 64
        Metrics(folder, 5).write(6, "train", {"loss": 0.5})


def read_videos(folder):
    with refusing(ManifestError):
        read_manifest(folder / "videos.csv")
    with refusing(ManifestError):
        read_manifest(folder / "several.csv", multi_label=True)


def read_annotations(folder):
    with refusing(ManifestError):
        for _, item in objects(folder / "labels.json", ("id", "label")):
            assert "label" in item


def read_tables(folder):
    with refusing(ValueError):
        for verdict in read_verdicts(folder / "verdicts.csv"):
            assert verdict.frames >= 0
    with refusing(ValueError):
        read_predictions(folder / "test-predictions.csv")
        assert 0 <= read_scores(folder / "test.json").top1 <= 1


def read_lists(folder):
    with refusing(ValueError):
        for name in ("classes.txt", "classes.csv"):
            found = read_class_list(folder / name)
            assert len(found) == len(set(found)) > 0


def read_others(folder):
    with refusing(ValueError):
        pyramid = from_json((folder / "pyramid.json").read_bytes().decode("utf-8", "replace"))
        assert pyramid.layers is not None
        read_plan(folder / "plan.json")
        assert planned_split(folder)
        assert read_record(folder / "record.json")["state"]
        assert all(choice.rate >= 0 for choice in read_choices(folder)["a"].values())
        assert budget.read(folder)
        read_card(folder)


def read_bench(folder):
    with refusing(ValueError):
        assert read_settings(folder / "settings.json").steps >= 0
        for kind in (Measured, Compared):
            with ResumableResults(
                folder / f"{kind.__name__.lower()}.jsonl", kind, lambda own: own.map
            ) as kept:
                assert all(own.video for own in kept)


@pytest.fixture
def run(tmp_path):
    place = tmp_path / "run"
    config = from_mapping(demo.get_config("smoke=true"))
    workdir.claim(place, config, ["walk", "sit down"])
    lines = ({"step": step, "split": "train", "loss": 0.5} for step in range(3))
    (place / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    records.write(place / "best.json", {"step": 20, "score": 0.5})
    return place


@pytest.fixture
def kept(tmp_path, run):
    place = tmp_path / "kept"
    place.mkdir()
    (place / "config-until-step3.json").write_text((run / "config.json").read_text())
    (place / "metrics.csv").write_text("step,split,loss\n1,train,0.5\n2,train,-0.25\n")
    run_id(place)
    return place


@pytest.fixture
def videos(tmp_path):
    place = tmp_path / "videos"
    place.mkdir()
    for name in ("a", "b", "c", "d"):
        (place / f"{name}.mp4").write_bytes(b"x")
    (place / "videos.csv").write_text(
        "path,label,split,start,end,group\na.mp4,walk,train,,,anna\nb.mp4,sit,train,1.5,4,ben\n"
        'c.mp4,"walk",test,0,1e1,cleo\nd.mp4,sit,test,,,\n'
    )
    (place / "several.csv").write_text(
        "path,labels,split\na.mp4,walk; sit,train\nb.mp4,(none),train\nc.mp4,sit,test\n"
    )
    return place


@pytest.fixture
def annotations(tmp_path):
    place = tmp_path / "annotations"
    place.mkdir()
    rows = [{"id": str(number), "label": f"label {number}"} for number in range(6)]
    (place / "labels.json").write_text(json.dumps(rows))
    return place


@pytest.fixture
def written(tmp_path):
    place = tmp_path / "written"
    write_report(
        place,
        "test",
        videos=["a.mp4", "=b.mp4"],
        scores=np.array([[0.9, 0.1], [0.8, 0.2]]),
        labels=np.array([0, 1]),
        classes=["walk", "sit"],
        facts={"views": {"clips": 1, "crops": 1}},
    )
    verdicts = [Verdict("a.mp4", "ok", "", 90, "ff", "h264", "yuv420p", 64, 48, 0, 25.0, 9, 9, 0.3)]
    verdicts += [Verdict("b.mp4", "undecodable", "no frame", 12)]
    with (place / "verdicts.csv").open("w", encoding="utf-8") as stream:
        stream.write(",".join(COLUMNS) + "\n")
        for each in verdicts:
            stream.write(",".join(map(str, tables.cells(vars(each).values()))) + "\n")
    return place


@pytest.fixture
def lists(tmp_path):
    place = tmp_path / "lists"
    place.mkdir()
    (place / "classes.txt").write_text("walk\nsit down\nrun, fast\n")
    (place / "classes.csv").write_text('index,class\n0,walk\n1,"run, fast"\n')
    return place


@pytest.fixture
def others(tmp_path, run):
    place = tmp_path / "others"
    place.mkdir()
    layer = KeptLayer("stage4", 1, np.array([3]), np.array([0.5], np.float32), np.array([2]))
    edges = {("", 1): ((("stage4", 3), 0.5),), ("stage4", 3): ((("stage3", 1), 0.25),)}
    pyramid = Pyramid(1, "layer", 0.6, 2, (16, 32, 32), (layer,), edges)
    (place / "pyramid.json").write_text(to_json(pyramid))
    config = json.loads((run / "config.json").read_text())
    plan = {"table": "4.1", "scale": "smoke", "runs": {"a/b/seed0": config}, "code": "0"}
    # Keys that the plan of a sweep has instead.
    records.write(place / "plan.json", plan | {"split": "val"})
    record = {"state": "finished", "starts": 2, "seconds": 1.5, "step": 4, "cpu_seconds": 2.5}
    records.write(place / "record.json", record)
    choice = {"rate": 0.1, "duration": "4 epochs", "top1": 0.5}
    records.write(place / "tuning.json", {"seed": 100, "chosen": {"a": {"b": choice}}})
    kept = {"hours": 6.0, "workers": 2, "seeds": [0, 1], "rows": ["b"], "estimate": 5.5}
    records.write(place / "budget.json", kept)
    records.write(place / "card.json", CARD)
    return place


@pytest.fixture
def evaluation(tmp_path):
    place = tmp_path / "evaluation"
    place.mkdir()
    records.write(place / "settings.json", {"steps": 2, "runs": {"runs/a": "step 3"}})
    measured = Measured("runs/a", "a.mp4", "cam", "2x4x4", [1, 0.5, 0], [0, 0.5, 1], 3, 0.1, 1, 0.5)
    compared = Compared("runs/a", "a.mp4", "cam", 0, "parameters", "head", -0.5, 0.25)
    for own in (measured, compared):
        with ResumableResults(
            place / f"{type(own).__name__.lower()}.jsonl", type(own), lambda one: one.map
        ) as kept:
            kept.add(own)
    return place


# Readers, the folders that they read, and the files in them that are mutated.
CASES = {
    "config": ("read_config", "run", "config.json"),
    "run": ("read_run", "run", "[bcm]*.json*"),
    "kept": ("read_kept", "kept", "*"),
    "manifest": ("read_videos", "videos", "videos.csv"),
    "manifest of several labels": ("read_videos", "videos", "several.csv"),
    "annotations": ("read_annotations", "annotations", "*"),
    "tables": ("read_tables", "written", "[tv]*.[cj]s*"),
    "lists": ("read_lists", "lists", "*"),
    "others": ("read_others", "others", "*"),
    "evaluation": ("read_bench", "evaluation", "*"),
}


def damage(case, request, tmp_path, count):
    reader, folder, only = CASES[case]
    place = request.getfixturevalue(folder)
    outcome = fuzz(
        f"tests.faults.test_fuzz_records:{reader}",
        place,
        tmp_path,
        count=count,
        memory=MEMORY,
        only=only,
    )
    assert outcome.read > 0
    assert outcome.refused > count // 20
    return outcome


@pytest.mark.parametrize("case", ["config", "manifest"])
def test_some_damaged_files_are_read_or_refused(case, request, tmp_path):
    damage(case, request, tmp_path, QUICK)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "case", ["run", "kept", "annotations", "tables", "lists", "others", "evaluation"]
)
def test_some_more_damaged_files_are_read_or_refused(case, request, tmp_path):
    damage(case, request, tmp_path, COUNT // 5)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("case", ["config", "manifest"])
def test_ten_thousand_damaged_files_are_read_or_refused(case, request, tmp_path):
    damage(case, request, tmp_path, COUNT)
