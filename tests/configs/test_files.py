"""Tests what all configurations of the papers' experiments must fulfil, and that they run."""

import ast
import importlib
import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

from configs import (
    class_reg,
    class_reg_runs,
    rms_images,
    rms_kinetics400,
    rms_mini_kinetics,
    rms_recipe,
    rms_rows,
    rms_something,
)
from tests.configs.traced import calls, config_of

ROOT = Path(__file__).parents[2]
FILES = (class_reg, rms_images, rms_kinetics400, rms_mini_kinetics, rms_something)


@pytest.mark.parametrize("module", FILES)
def test_the_docstring_of_a_file_is_complete(module):
    text = module.__doc__
    for part in ("table", "Hardware:", "Score: the", "yours"):
        assert part in text
    name = module.__name__.rpartition(".")[2]
    assert f"vidjax train --config={name}:" in text
    assert "--workdir=runs/" in text


@pytest.mark.parametrize("module", [*FILES, rms_recipe, rms_rows, class_reg_runs])
def test_a_file_is_short_and_imports_little(module):
    source = inspect.getsource(module)
    assert len(source.splitlines()) <= 60
    imports = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Import)]
    froms = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.ImportFrom)]
    assert {alias.name for node in imports for alias in node.names} <= {"ml_collections"}
    assert {node.module for node in froms} <= {"vidjax.configs", "typing", "collections.abc"}


SMOKES = [
    ("rms_mini_kinetics", "model=slowonly_34,row=rms"),
    ("rms_mini_kinetics", "model=slowonly_50,row=rms_gf"),
    ("rms_mini_kinetics", "model=slowonly_34,row=shake_drop"),
    ("rms_mini_kinetics", "model=slowonly_34,row=cutmix"),
    ("rms_kinetics400", "model=ip_csn_50"),
    ("rms_kinetics400", "model=slowfast_50"),
    ("rms_something", "row=rms"),
    ("rms_images", "data=cifar100"),
    ("rms_images", "data=imagenet"),
    ("class_reg", "model=r3d_50_e1"),
    ("class_reg", "model=r3d_101,variant=icip,dataset=ucf101,split=2"),
    ("class_reg", "model=wide_r3d_50,variant=icip,after=block,dataset=hmdb51"),
    ("class_reg", "model=i3d,variant=icip,bounds=unit"),
    ("class_reg", "model=r2plus1d_50_e1,tune=true"),
    ("class_reg", "model=mtnet_s,dataset=hacs,rate=finetune"),
]


@pytest.mark.parametrize(("name", "argument"), SMOKES)
def test_the_smoke_version_fits_its_clips(name, argument):
    module = importlib.import_module(f"configs.{name}")
    config = config_of(module, f"{argument},smoke=true")
    assert config.model.options["width"] == 8
    assert calls(module, f"{argument},smoke=true")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "argument"), SMOKES)
def test_the_smoke_version_trains(name, argument, tmp_path):
    command = [sys.executable, "-m", "experiments.train", f"--workdir={tmp_path / 'run'}"]
    command += [f"--config=configs/{name}.py:{argument},smoke=true"]
    command += [f"--config.data.data_dir={tmp_path / 'data'}"]
    environment = {**os.environ, "PYTHONWARNINGS": "default"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "step 12/12" in done.stderr
    assert list((tmp_path / "run" / "eval").glob("*.json"))
