"""Runs the commands and Python blocks of the documentation in order, page by page.

Commands get smaller clips, networks and durations. Commands that cannot run here are skipped for a
stated reason; `test_flags.py` parses their flags too.
"""

import functools
import glob
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest

from tests.commands import run_command
from tests.documentation import stage
from tests.documentation.pages import ROOT
from tests.documented import typed_in

pytestmark = pytest.mark.slow

CLIPS = ("--config.clip.frames=16", "--config.eval.size=112")
STEPS = (
    "--config.train.duration=2 steps",
    "--config.train.batch_size=2",
    "--config.eval.batch_size=2",
    "--config.eval.crops=1",
)
# Pages, or sections of pages.
PAGES = (
    ("README.md", None),
    ("docs/get-started.md", None),
    ("docs/own-videos.md", None),
    ("docs/predicting.md", None),
    ("docs/data.md", None),
    ("docs/optical-flow.md", None),
    ("docs/training.md", None),
    ("docs/launching.md", None),
    ("docs/python.md", None),
    ("docs/methods.md", None),
    ("docs/fusion.md", None),
    ("docs/features.md", None),
    ("docs/pretrained.md", "Open them"),
    ("docs/pretrained.md", "Use them"),
    ("docs/pretrained.md", "PyTorch files"),
    ("docs/pretrained.md", "Converting"),
    ("docs/pretrained.md", "What they score here"),
    ("docs/pretrained.md", "Tuning on few videos"),
    ("docs/optimization.md", None),
    ("docs/augmentation.md", None),
    ("docs/sweeps.md", None),
    ("docs/explaining.md", None),
    ("docs/maps-evaluated.md", None),
    ("docs/export.md", None),
    ("docs/figures.md", None),
    ("docs/class_regularization.md", None),
    ("docs/random_mean_scaling.md", None),
    ("docs/temporal_modelling.md", None),
    ("docs/tubes_and_pyramids.md", None),
    ("docs/reproducing.md", None),
)
# Whole pages that are not typed; `test_typed_pages.py` checks that no other page is forgotten.
NOT_TYPED = {
    "docs/buckets.md": "a bucket; tests/storage has such commands, on buckets of this machine",
    "docs/extending.md": "a package; tests/documentation/test_extending.py installs and trains it",
    "docs/evidence/README.md": "trained for hours, at the commits that it names",
    "docs/large-data.md": "clusters; tests/data and tests/storage start some on this machine",
    "docs/performance.md": "measures for minutes; tests/experiments runs each part",
    "docs/results.md": "trains for hours; tests/experiments trains tables for some steps",
}
LEFT_OUT = (
    (r"gs://|s3://|BUCKET|--dask|--beam", "a bucket or a cluster"),
    (
        r"^(?!.*--describe).*(ucf101|hacs_|kinetics700|--dataset=)",
        "a data set that has to be downloaded",
    ),
    (r"experiments\.benchmark", "measures for minutes; tests/experiments runs each part"),
    (r"experiments\.reproduce .*(--scale=small|--table=(all|evidence))", "trains for hours"),
    (r"\bRUN\b|RUN_A|RUN\.\.\.|MAPS", "stands for what the reader has"),
    (
        r"method=faithfulness|method=amplified|--layer=stem",
        "needs other runs; tests/explain has them",
    ),
    (r"data\.name=|class_reg:|regularized", "starts from a run on Kinetics"),
    (r"--optuna", "an extra; tests/experiments/test_sweep_optuna.py has it"),
    (r"tau=|x3d_m --format", "a folder of another section"),
)
# Definitions that the Python blocks rely on.
GIVEN = """
import sys, numpy as np, jax, jax.numpy as jnp, vidjax
sys.path.insert(0, "exported/demo")
state = tube = rise = pyramid = None
frames = np.zeros((4, 32, 32, 3), np.uint8)
clips = frames[None]
"""
# Texts of Python blocks, and others that make them quick.
QUICK = (("epochs=20", "epochs=1"), ('"size": 112', '"size": 32'))
# These need something that no command of their page makes: a network with 5 classes, or
# TensorFlow's own program.
NOT_RUN = ("from IPython.display", "import tensorflow as tf", "from load import load")


@pytest.fixture(scope="module")
def place(shared, tmp_path_factory):
    folder = tmp_path_factory.mktemp("typed")
    stage.build(shared, folder)
    return folder


def small(typed):
    """Returns the command with flags that make it quick; the last of equal flags counts."""
    # The runs of `stage` are evaluated with one view per video.
    arguments = [each.replace("test-10x3", "test-1x1") for each in typed.arguments]
    given = " ".join(arguments)
    more = ()
    if typed.module == "experiments.demo":
        more = () if "--smoke" in arguments else ("--smoke", "--workdir=runs/demo")
    elif typed.module in ("experiments.train", "experiments.sweep"):
        more = STEPS if "finetune:" in given else stage.TINY
        if re.search(r"--config=(?!folder|finetune)\w+", given):
            # A paper's configuration, or the demo: use its smoke version.
            arguments[0] = re.sub(r",?dataset=\w+", "", arguments[0])
            if "smoke=true" not in arguments[0]:
                arguments[0] += (":" if ":" not in arguments[0] else ",") + "smoke=true"
            more = ("--config.train.duration=2 steps",)
        if typed.module == "experiments.sweep":
            varied = re.findall(r"(?:--grid|--search)[ =]([\w.]+)=", given)
            more = tuple(each for each in more if each[9:].partition("=")[0] not in varied)
            more = (*more, "--seeds=1", *(("--optuna=2",) if "--optuna" in given else ()))
    elif "--weights=i3d" in given and "--workdir" not in given:
        more = CLIPS
    elif typed.module == "experiments.contact_sheet":
        arguments = [re.sub(r"(?<==demo)$|:dataset=\w+", ":smoke=true", each) for each in arguments]
    return replace(typed, arguments=(*arguments, *more))


def found_by_shell(given, folder):
    """What a shell makes of an argument: the paths that match a pattern, or itself."""
    return ("*" in given and sorted(glob.glob(given, root_dir=folder))) or [given]


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("file", "heading"), PAGES)
def test_the_documented_commands_run(place, tmp_path, monkeypatch, file, heading):
    here = tmp_path / "here"
    here.mkdir()
    for each in place.iterdir():
        (here / each.name).symlink_to(each)
    monkeypatch.setenv("VIDJAX_CACHE", str(place / "cache"))
    typed = typed_in(file, heading)
    assert typed
    blocks = [GIVEN]
    for each in typed:
        if each.python:
            if not each.python.startswith(NOT_RUN):
                stage.put_runs(here, each.python)
                blocks.append(
                    functools.reduce(lambda text, pair: text.replace(*pair), QUICK, each.python)
                )
            continue
        text = f"{each.module} {' '.join(each.arguments)}"
        if any(re.search(pattern, text) for pattern, _ in LEFT_OUT):
            continue
        made = r"--output=\S+"
        if each.module in ("experiments.train", "experiments.sweep", "experiments.demo"):
            made = r"--workdir=\S+"
        stage.put_runs(here, re.sub(made, "", text))
        quick = small(each)
        arguments = [path for given in quick.arguments for path in found_by_shell(given, here)]
        done = run_command(quick.module, *arguments, cwd=here)
        assert done.returncode == 0, f"{quick}\n{done.stderr}"
    if len(blocks) > 1:
        program = "\n".join(blocks)
        environment = {"PYTHONPATH": str(ROOT), "VIDJAX_CACHE": str(place / "cache")}
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=here,
            env=os.environ | environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{program}\n{done.stderr}"
    shutil.rmtree(here, ignore_errors=True)
