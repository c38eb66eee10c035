"""Tests invalid settings: each is refused in one line before anything starts."""

import pytest

from configs import synthetic
from tests.commands import refusal, run_command
from vidjax.run.config import from_mapping

SETTINGS = [
    ("seed", -1, "seed = -1: must be a whole number in [0, 4294967295]"),
    ("dtype", "float16", "dtype = 'float16': must be one of float32, bfloat16"),
    ("train.batch_size", 0, "train.batch_size = 0: must be a whole number in [1, "),
    ("train.batch_size", -8, "train.batch_size = -8"),
    ("train.accumulate", 0, "train.accumulate = 0: must be a whole number in [1, "),
    ("train.accumulate", -1, "train.accumulate = -1"),
    ("train.ema", 2.0, "train.ema = 2.0: must be a number in [0, 1)"),
    ("train.label_smoothing", 1.0, "train.label_smoothing = 1.0: must be a number in [0, 1)"),
    ("train.cutmix", float("nan"), "train.cutmix = nan: must be a number in [0, 1000000]"),
    ("train.mixup", -1.0, "train.mixup = -1.0: must be a number in [0, 1000000]"),
    ("train.sampling", "even", "train.sampling = 'even': must be one of uniform, balanced"),
    (
        "train.class_weights",
        "balancd",
        "train.class_weights = 'balancd': must be one of none, balanced, inverse_sqrt, or a CSV",
    ),
    ("train.duration", 5, "train.duration = 5"),
    ("train.duration", "5", "'400 steps'"),
    ("train.duration", "5%", "train.duration = '5%': must be a duration in steps or epochs"),
    ("train.duration", "1.2.3 steps", "train.duration = '1.2.3 steps'"),
    (
        "train.batch_norm",
        0,
        "train.batch_norm = 0: must be 'global', 'per_device' or a number of clips",
    ),
    ("every.keep", 0, "every.keep = 0: must be a whole number in [1, 1000000]"),
    ("every.keep", -1, "every.keep = -1: must be a whole number in [1, 1000000]"),
    ("every.log", "often", "every.log = 'often': must be a duration"),
    ("eval.batch_size", 0, "eval.batch_size = 0"),
    ("eval.batch_size", 100000000, "eval.batch_size = 100000000: must be a whole number in"),
    ("eval.size", 0, "eval.size = 0"),
    ("eval.size", -1, "eval.size = -1"),
    ("eval.size", 1000000000000, "eval.size = 1000000000000: must be a whole number in [1, "),
    ("eval.short_side", 1000000000000, "eval.short_side = 1000000000000"),
    ("eval.clips", 1000000000000, "eval.clips = 1000000000000"),
    ("eval.crops", 2, "eval.crops = 2: must be one of 1, 3, 10"),
    ("mesh.fsdp", 0, "mesh.fsdp = 0: must be a whole number in [1, 1000000] or -1"),
    ("clip.stride", 10**22, "clip.stride = 10000000000000000000000"),
    ("clip.frames", 1000000000000, "clip.frames = 1000000000000"),
    ("augment.color", float("nan"), "augment.color = nan: must be a number in [0, 1]"),
    ("augment.color", float("inf"), "augment.color = inf"),
    ("augment.scale", (2.0, 3.0), "augment.scale = (2.0, 3.0): must be two values in rising order"),
    ("augment.ratio", (2.0, 1.0), "augment.ratio = (2.0, 1.0): must be two values in rising order"),
    (
        "model.std",
        (0.0, 0.0, 0.0),
        "model.std = (0.0, 0.0, 0.0): must be 3 values, each a number in (0, 1000], or None",
    ),
    ("optimizer.lr", float("nan"), "optimizer.lr = nan: must be a number in [0, 1000000]"),
    ("optimizer.momentum", 1.0, "optimizer.momentum = 1.0: must be a number in [0, 1)"),
    ("schedule.name", "linear", "schedule.name = 'linear': must be one of cosine, step, constant"),
    (
        "schedule.boundaries",
        ("half",),
        "schedule.boundaries = ('half',): must be a tuple of durations",
    ),
    ("data.workers", 0, "data.workers = 0"),
    ("data.quality", 101, "data.quality = 101: must be a whole number in [1, 100]"),
    ("data.fps", 0.0, "data.fps = 0.0: must be a number"),
    ("data.bad_video_budget", -1.0, "data.bad_video_budget = -1.0: must be a number in [0, 1]"),
]


@pytest.mark.parametrize(("setting", "value", "message"), SETTINGS)
def test_a_setting_out_of_range_is_named_with_what_is_allowed(setting, value, message):
    config = synthetic.get_config().to_dict()
    group, _, name = setting.rpartition(".")
    (config[group] if group else config)[name] = value
    with pytest.raises(ValueError, match=" = ") as caught:
        from_mapping(config)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def train(tmp_path, *arguments):
    return run_command("experiments.train", f"--workdir={tmp_path / 'run'}", *arguments)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("train.ema=2.", "train.ema = 2.0: must be a number in [0, 1)"),
        ("train.duration=5", "train.duration = '5': must be a duration in steps or epochs"),
        ("train.duration=999999999999999 steps", "999,999,999,999,999 steps"),
        (
            "schedule.warmup=200%",
            "schedule.warmup = '200%' is 100 steps, which is more than the 50",
        ),
        ("schedule.boundaries=('50%',)", "schedule.boundaries = ('50%',) has no effect, because"),
        ("every.keep=-1", "every.keep = -1: must be a whole number in [1, 1000000]"),
        ("eval.batch_size=1000000", "eval.batch_size = 1000000: one batch of"),
        (
            "model.std=(0.,0.,0.)",
            "model.std = (0.0, 0.0, 0.0): must be 3 values, each a number in (0, 1000], or None",
        ),
    ],
)
def test_a_run_with_invalid_settings_is_refused_before_it_starts(tmp_path, setting, message):
    done = train(tmp_path, "--config=configs/synthetic.py", f"--config.{setting}")
    assert message in refusal(done)
    assert not (tmp_path / "run").exists()


def test_an_option_that_a_folder_of_videos_does_not_have_is_named(tmp_path):
    settings = f"--config.data.manifest={tmp_path}", "--config.data.options.foo=3"
    done = train(tmp_path, "--config=configs/folder.py", *settings)
    assert "data.options.foo is unknown to video_folder; it has no options" in refusal(done)


def test_mistakes_in_a_configuration_file_are_one_line(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("def get_config(:\n")
    assert f"({file}, line 1)" in refusal(train(tmp_path, f"--config={file}"))
    file.write_text("import not_there\n")
    assert "No module named 'not_there'" in refusal(train(tmp_path, f"--config={file}"))


def test_a_missing_configuration_is_named_before_its_changed_settings(tmp_path):
    done = train(tmp_path, "--config=configs/nope.py", "--config.train.ema=0.5")
    said = refusal(done)
    assert said.startswith("error: --config=configs/nope.py: there is no such file; ")
    done = train(tmp_path, "--config", "configs/nope.py:smoke=true")
    assert refusal(done) == said
