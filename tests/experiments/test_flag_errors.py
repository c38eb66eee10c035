"""Messages about wrong flags are in our words, not in absl's."""

import pytest

from tests.commands import refusal, run_command


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("train", ["--config=synthetic"], "--workdir is missing; see --help"),
        ("predict", ["--vidoe=my.mp4"], "--vidoe is not a flag; did you mean --video? See --help"),
        ("predict", ["--qqq"], "--qqq is not a flag; see --help"),
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
