import csv
import json
import shutil

import cv2
import pytest

from configs import synthetic
from tests.commands import refusal, run_command
from vidjax.progress import ProgressLine
from vidjax.run.config import from_mapping
from vidjax.run.workdir import read_config
from vidjax.trained.scoring import evaluate
from vidjax.trained.sources.run import open_run
from vidjax.training.loop import train


def call(*arguments, method="frequency"):
    return run_command("experiments.explain", f"--method={method}", *arguments)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A run of few steps of an imperfect network without random scaling."""
    config = synthetic.get_config()
    config.model.name = "slowonly_34"
    # One block in the third stage, because these tests mostly wait for compilation.
    config.model.options = {"width": 8, "depths": (0, 0, 1, 0), "dropout": 0.0}
    config.data.options = {"num_classes": 5, "videos": 40, "frames": 4, "size": 32}
    config.data.threads = 1
    config.clip.update({"frames": 2, "stride": 1, "size": 32})
    config.eval.update({"size": 32, "batch_size": 16})
    config.optimizer.lr = 0.05
    config.train.update({"duration": "25 steps", "batch_size": 8})
    config.every.update({"log": "25 steps", "checkpoint": "25 steps", "evaluate": "25 steps"})
    workdir = tmp_path_factory.mktemp("runs") / "plain"
    train(from_mapping(config), workdir)
    return workdir


def with_options(run, name, options):
    """A run with the same weights and other options of the network."""
    copy = run.with_name(name)
    shutil.copytree(run, copy)
    config = json.loads((copy / "config.json").read_text())
    config["model"] |= options
    (copy / "config.json").write_text(json.dumps(config))
    return copy


def with_scaling(run, name, settings):
    options = read_config(run)["model"]["options"]
    return with_options(run, name, {"options": {**options, "random_scaling": settings}})


def evaluated(run):
    """Returns the accuracy and number of videos of the run's evaluation."""
    with ProgressLine() as progress:
        report, *_ = evaluate(from_mapping(read_config(run)), open_run(run), run, progress)
    summary = json.loads(report.read_text())
    return summary["top1"], summary["videos"]


@pytest.mark.slow
def test_curves_equal_the_accuracy_of_networks_with_scaled_features(plain, tmp_path):
    own = {"window": [1, 5, 5], "at": ["norm1"]}
    wide = with_scaling(plain, "wide", own)
    output = tmp_path / "new" / "pictures"
    done = call(f"--workdir={plain},{wide}", f"--output={output}", "--scales=4,1")
    assert done.returncode == 0, done.stderr
    assert f"{wide}: 3/3" in done.stderr
    made = ["frequency.csv", "frequency.png", "reliance.csv", "reliance.md", "reliance.png"]
    assert done.stdout.split() == [str(output / name) for name in made]
    with (output / "frequency.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    found = {(r["run"], r["part"], float(r["scale"])): float(r["top1"]) for r in rows}
    assert len(found) == len(rows) == 2 * 2 * 2
    top1, videos = evaluated(plain)
    assert {int(row["videos"]) for row in rows} == {videos}
    assert all(int(r["correct"]) == pytest.approx(float(r["top1"]) * videos) for r in rows)
    for run in (plain, wide):
        assert found[str(run), "low", 1.0] == found[str(run), "high", 1.0] == top1
    # The same weights in a network whose options scale its features.
    for run, part, settings in (
        (plain, "low", {"target": "mean"}),
        (wide, "high", {"target": "residual", **own}),
    ):
        always = {**settings, "distribution": ["normal", 4.0, 0.0]}
        expected, _ = evaluated(with_scaling(plain, f"{run.name}-{part}", always))
        assert found[str(run), part, 4.0] == expected != top1
    picture = cv2.imread(str(output / "frequency.png"))
    assert min(picture.shape[:2]) > 300
    assert picture.std() > 10


@pytest.mark.slow
def test_the_filter_of_the_curves_can_be_chosen(plain, tmp_path):
    output = tmp_path / "gaussian"
    arguments = (f"--workdir={plain}", f"--output={output}", "--scales=4", "--low_pass=gaussian")
    done = call(*arguments)
    assert done.returncode == 0, done.stderr
    with (output / "frequency.csv").open(newline="") as file:
        low, _ = csv.DictReader(file)
    always = {"low_pass": "gaussian", "distribution": ["normal", 4.0, 0.0]}
    expected, _ = evaluated(with_scaling(plain, "gaussian-4", always))
    assert (low["part"], float(low["top1"])) == ("low", expected)


@pytest.mark.slow
def test_recalibrated_batch_statistics_undo_a_scale_of_all_features(plain, tmp_path):
    """With high frequencies scaled by 0, only statistics depend on the low ones' scale."""
    rows = {}
    for clips in (0, 16):
        output = tmp_path / f"{clips}"
        done = call(
            f"--workdir={plain}",
            f"--output={output}",
            "--scales=0.001,1,1000",
            f"--recalibrate={clips}",
        )
        assert done.returncode == 0, done.stderr
        with (output / "frequency.csv").open(newline="") as file:
            rows[clips] = {
                (row["part"], float(row["scale"])): int(row["correct"])
                for row in csv.DictReader(file)
            }
    assert (
        "estimated anew at each scale from 16 training clips"
        in (output / "reliance.md").read_text()
    )
    # Up to a common factor, one part times 1000 is nearly the other part times 0.001.
    estimated = rows[16]
    assert estimated["low", 1000.0] == pytest.approx(estimated["high", 0.001], abs=1)
    assert estimated["high", 1000.0] == pytest.approx(estimated["low", 0.001], abs=1)
    assert rows[0] != rows[16]


def test_invalid_arguments_are_refused_in_one_line(plain, tmp_path):
    i3d = with_options(plain, "i3d", {"name": "i3d", "options": {"width": 8}})
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "frequency.png").touch()
    (tmp_path / "file").touch()
    new = f"--output={tmp_path / 'new'}"
    cases = {
        "error: i3d does not support random_scaling": (f"--workdir={i3d}", new),
        "full/frequency.png exists already; name another --output": (
            f"--workdir={plain}",
            f"--output={tmp_path / 'full'}",
        ),
        "file is a file; name a folder": (f"--workdir={plain}", f"--output={tmp_path / 'file'}"),
        "--scales=0,half: must be numbers": (f"--workdir={plain}", new, "--scales=0,half"),
        "--scales=nan: must be numbers": (f"--workdir={plain}", new, "--scales=nan"),
        "absent: config.json is absent": (f"--workdir={plain},{plain}/absent", new),
        "no checkpoint '7'": (f"--workdir={plain}", new, "--checkpoint=7"),
        "name what to explain: runs with --workdir": ("--workdir=", new),
    }
    for message, arguments in cases.items():
        assert message in refusal(call(*arguments))
    assert not (tmp_path / "new").exists()


def test_the_error_for_an_unknown_method_lists_the_known_ones(tmp_path):
    done = call(f"--workdir={tmp_path}", f"--output={tmp_path}", method="frequncy")
    assert "did you mean 'frequency'? Known: frequency" in refusal(done)


def test_help_has_an_example():
    done = call("--help")
    assert "vidjax explain --workdir=runs/demo" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
