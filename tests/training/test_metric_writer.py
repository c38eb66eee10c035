import json

import numpy as np
import pytest

from configs import demo
from vidjax.progress import duration
from vidjax.run import workdir as workdirs
from vidjax.run.checkpoint import CheckpointError, Checkpoints
from vidjax.run.config import ConfigError, from_mapping
from vidjax.training.bad_videos import BadVideos, BadVideosError
from vidjax.training.metric_writer import MetricWriter, progress_text


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_lines_after_the_checkpoint_are_moved_aside(tmp_path):
    writer = MetricWriter(tmp_path)
    for step in (5, 10, 15):
        writer.write(step, "train", {"loss": 1.0 / step})
    writer.close()
    path = tmp_path / "metrics.jsonl"
    path.write_text(path.read_text() + '{"step": 20, "spl')
    writer = MetricWriter(tmp_path, step=10)
    assert [line["step"] for line in lines(path)] == [5, 10]
    assert writer.has(10, "train")
    assert not writer.has(10, "test")
    writer.write_timing(15, "train", {"clips_per_second": 2.0})
    writer.close()
    aside = (tmp_path / "metrics-interrupted.jsonl").read_text().splitlines()
    assert json.loads(aside[0])["step"] == 15
    assert aside[1] == '{"step": 20, "spl'
    assert lines(tmp_path / "timing.jsonl")[0]["clips_per_second"] == 2.0


def test_nan_is_written_as_null_and_runs_resume_from_it(tmp_path):
    """Without clips there is no mean, and JSON has no NaN."""
    writer = MetricWriter(tmp_path)
    writer.write(5, "train", {"loss": float("nan"), "top1": 0.5, "rate": float("inf")})
    writer.close()
    assert lines(tmp_path / "metrics.jsonl") == [
        {"step": 5, "split": "train", "loss": None, "top1": 0.5, "rate": None}
    ]
    writer = MetricWriter(tmp_path, step=5)
    assert writer.has(5, "train")
    writer.close()


def test_the_progress_line_contains_step_loss_top1_speed_and_eta():
    text = progress_text(40, 960, {"loss": 2.5, "top1": 0.125}, 60.0, ", about 4:05 left")
    assert text == "step 40/960  loss 2.500  top-1 12.5%  60.0 clips/s, about 4:05 left"
    assert duration(3753) == "1:02:33"


def config(**changes):
    raw = demo.get_config()
    for path, value in changes.items():
        group, key = path.split("__")
        raw[group][key] = value
    return from_mapping(raw)


def test_a_run_older_than_a_setting_resumes_with_its_default(tmp_path):
    workdirs.claim(tmp_path / "run", config(), ["a", "b"])
    file = tmp_path / "run" / "config.json"
    old = json.loads(file.read_text())
    del old["augment"]["chain"], old["eval"]["short_side"]
    file.write_text(json.dumps(old))
    (tmp_path / "run" / "metrics.jsonl").touch()
    with pytest.raises(ConfigError, match="augment.chain is 0.0 there, 0.5 here"):
        workdirs.claim(tmp_path / "run", config(augment__chain=0.5), ["a", "b"])
    workdirs.claim(tmp_path / "run", config(), ["a", "b"])


def test_a_missing_convolution_table_leaves_no_work_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("VIDJAX_CONVOLUTIONS", str(tmp_path / "none.csv"))
    with pytest.raises(ValueError, match="no such table"):
        workdirs.claim(tmp_path / "run", config(), ["a", "b"])
    assert not (tmp_path / "run").exists()
    monkeypatch.delenv("VIDJAX_CONVOLUTIONS")
    workdirs.claim(tmp_path / "run", config(), ["a", "b"])
    assert json.loads((tmp_path / "run" / "environment.json").read_text())["convolutions"] is None


def test_a_work_directory_belongs_to_one_configuration(tmp_path):
    workdirs.claim(tmp_path / "run", config(), ["a", "b"])
    workdirs.claim(tmp_path / "run", config(data__threads=7), ["a", "b"])
    # Nothing has started: a run refused for its settings leaves the folder free.
    workdirs.claim(tmp_path / "run", config(optimizer__lr=0.2), ["a", "b"])
    workdirs.claim(tmp_path / "run", config(), ["a", "b"])
    (tmp_path / "run" / "metrics.jsonl").touch()
    with pytest.raises(ConfigError, match="optimizer.lr is 0.05 there, 0.5 here"):
        workdirs.claim(tmp_path / "run", config(optimizer__lr=0.5), ["a", "b"])
    assert workdirs.read_classes(tmp_path / "run") == ("a", "b")
    workdirs.claim(tmp_path / "run", config(augment__flip_sided=True), ["a", "b"])
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    with pytest.raises(ConfigError, match="is not empty and holds no config.json"):
        workdirs.claim(tmp_path / "other", config(), [])
    with pytest.raises(ConfigError, match="no run in"):
        workdirs.read_config(tmp_path / "nowhere")


def test_unreadable_clips_are_counted_per_class_up_to_a_limit():
    bad = BadVideos(["walk", "run"], budget=0.1)
    batch = {"label": np.array([0, 1] * 8), "mask": np.ones(16, bool)}
    broken = batch | {"mask": np.arange(16) != 3}
    for _ in range(6):
        bad.note(broken)
    assert bad.unreadable == 6
    assert bad.counts["run"] == 6
    later = BadVideos(["walk", "run"], budget=0.1, state=dict(bad.counts))
    later.note(batch)
    with pytest.raises(BadVideosError, match=r"per class: \{'walk': 8, 'run': 14\}"):
        later.note(batch | {"mask": np.zeros(16, bool)})


def test_recent_and_best_checkpoints_are_kept(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=2)
    assert checkpoints.best_step() is None
    for step in (10, 20, 30, 40):
        checkpoints.save(step, {"x": np.full(3, step, np.float32)}, {"seconds": step})
        if step == 10:
            checkpoints.mark_best(10, 0.9)
    checkpoints.wait()
    assert checkpoints.steps() == [10, 30, 40]
    state, run = checkpoints.restore(10, like={"x": np.zeros(3, np.float32)})
    assert state["x"].tolist() == [10, 10, 10]
    assert run == {"seconds": 10}
    assert [checkpoints.resolve(which) for which in ("best", "last", "30")] == [10, 40, 30]
    for which in ("20", "newest"):
        with pytest.raises(CheckpointError, match=f"'{which}'"):
            checkpoints.resolve(which)
    checkpoints.close()


def test_leftovers_of_a_killed_save_are_removed(tmp_path):
    leftover = tmp_path / "50.orbax-checkpoint-tmp"
    leftover.mkdir()
    (leftover / "part").write_text("half")
    Checkpoints(tmp_path).close()
    assert not leftover.exists()
