"""Messages about wrong flags are in our words, not in absl's."""

import pytest

from tests.commands import refusal, run_command


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("train", ["--config=synthetic"], "--workdir is missing; see --help"),
        ("predict", ["--vidoe=my.mp4"], "--vidoe is not a flag; did you mean --video? See --help"),
        ("predict", ["--qqq"], "--qqq is not a flag; see --help"),
        ("train", ["demo"], "unexpected argument 'demo'; did you mean --config=demo? See --help"),
        ("train", ["--workdir", "RUN", "dmeo"], "unexpected argument 'dmeo'; see --help"),
        ("train", ["--config", "synthetic"], "--workdir is missing; see --help"),
        (
            "train",
            ["--config=synthetic", "--workdir=RUN", "--lr=0.1"],
            "--lr is not a flag; did you mean --config.optimizer.lr? See --help",
        ),
        (
            "evaluate",
            ["--weights=i3d:kinetics400", "--eval.clips=3"],
            "--eval.clips is not a flag; did you mean --config.eval.clips? See --help",
        ),
        (
            "predict",
            ["--weights=i3d", "--video=pyproject.toml"],
            "i3d names a network but no weights. Its published weights are i3d:charades-piergiaj, ",
        ),
        (
            "predict",
            ["--weights=i3dd:kinetics400", "--video=pyproject.toml"],
            "model 'i3dd' is unknown: did you mean 'i3d' or 's3d' or 'i3d_r50'?\n",
        ),
        (
            "predict",
            ["--weights=i3d:kinetics400", "--video=nowhere/"],
            "--video=nowhere/: no such file or folder",
        ),
        # The demo would notice it only after minutes of training.
        ("demo", ["--workdir=RUN", "--video=none.mp4"], "--video=none.mp4: no such file"),
        ("evaluate", ["--config=demo"], "--config cannot be given here, because the settings are"),
        (
            "train",
            ["--config=synthetic", "--workdir=RUN", "--config.optimizer.lr=fast"],
            "--config.optimizer.lr=fast: 'fast' is not a number; see --help",
        ),
        (
            "train",
            ["--config=synthetic", "--workdir=RUN", "--num_processes=two"],
            "--num_processes=two: 'two' is not a whole number; see --help",
        ),
    ],
)
def test_a_wrong_flag_is_described_in_one_line(name, arguments, message):
    error = refusal(run_command(f"experiments.{name}", *arguments))
    assert f"error: {message}" in error
    assert "None" not in error
