"""Tests configurations by name, and the listing of their settings."""

import ast
import shlex
import subprocess
import sys

import pytest

from tests.commands import ROOT, refusal, run_command
from vidjax import configs
from vidjax.run.config import from_mapping
from vidjax.run.setting_list import settings


def test_names_are_those_of_the_configuration_files():
    made = {path.stem for path in (ROOT / "configs").glob("*.py") if path.stem != "__init__"}
    assert set(configs.names()) == made - {
        "class_reg_runs",
        "common",
        "rms_recipe",
        "rms_rows",
        "thesis",
    }
    listed = run_command("experiments.config").stdout.splitlines()
    assert [line.split()[0] for line in listed] == configs.names()
    assert all(len(line.split()) > 3 for line in listed)


def test_a_configuration_is_printed_as_flags():
    done = run_command("experiments.config", "folder:width=8")
    assert done.returncode == 0, done.stderr
    lines = dict(line.split("=", 1) for line in done.stdout.splitlines())
    options = ast.literal_eval(shlex.split(lines["--config.model.options"])[0])
    assert options == {"width": 8, "zero_init": True}
    assert lines["--config.optimizer.lr"] == "0.05"
    assert lines["--config.data.manifest"] == "''"
    assert len(lines) == len(settings())


def test_the_printed_source_is_a_valid_configuration(tmp_path):
    source = run_command("experiments.config", "folder", "--source").stdout
    assert source == (ROOT / "configs/folder.py").read_text()
    own = tmp_path / "mine.py"
    own.write_text(source.replace('"lr": 0.05', '"lr": 0.125'))
    assert "\n--config.optimizer.lr=0.125\n" in run_command("experiments.config", own).stdout
    assert from_mapping(configs.load(str(own))("width=8")).optimizer.lr == 0.125


def test_help_lists_every_setting_with_the_values_of_a_configuration():
    for given, rate in ((), "0.1"), (("--config=demo",), "0.05"):
        text = run_command("experiments.train", *given, "--help").stdout
        for setting in settings():
            assert f"--config.{setting.path}=" in text
        assert f"\n  --config.optimizer.lr={rate}\n" in text
        assert "A number in [0, 1000000]" in text
        assert "--workdir" in text


def test_names_and_files_are_the_same_configuration(tmp_path):
    said = []
    for name in ("synthetic", ROOT / "configs/synthetic.py"):
        flags = (f"--config={name}", f"--workdir={tmp_path}", "--config.optimizer.lr=-1")
        said.append(refusal(run_command("experiments.train", *flags)))
    assert said[0] == said[1] == "error: optimizer.lr = -1.0: must be a number in [0, 1000000]\n"
    # A flag and its value may be two arguments.
    apart = ("--config", "synthetic", f"--workdir={tmp_path}", "--config.optimizer.lr=-1")
    assert refusal(run_command("experiments.train", *apart)) == said[0]


@pytest.mark.parametrize("name", ["synthetc", "synthetc.py", "elsewhere/synthetc.py"])
@pytest.mark.parametrize("command", ["train", "config"])
def test_an_unknown_configuration_is_refused_with_the_nearest(name, command, tmp_path):
    given = [f"--config={name}", f"--workdir={tmp_path}"] if command == "train" else [name]
    assert "did you mean 'synthetic'" in refusal(run_command(f"experiments.{command}", *given))


def test_a_file_without_get_config_is_refused(tmp_path):
    (tmp_path / "mine.py").write_text("x = 1\n")
    text = refusal(run_command("experiments.config", tmp_path / "mine.py"))
    assert "mine.py: a configuration file needs a function get_config" in text


def test_a_closed_output_ends_the_command_silently():
    command = f"{sys.executable} -m vidjax config demo | head -1"
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("--config.seed=0\n", "")
