"""Tests what the demo prints; `tests/documentation/test_typed.py` runs it."""

import json

import pytest

from tests.commands import run_code

# Prints the results of a demo whose training of seven steps has ended.
RESULTS = """
import sys
from pathlib import Path
from absl import flags
from experiments import demo
from vidjax.configs import demo as settings
from vidjax.run.config import from_mapping
flags.FLAGS(["demo"])
config = from_mapping(settings.get_config())
demo._say_results(config, Path(sys.argv[1]), Path("sheet.png"), Path("video.mp4"), 7)
"""
WORKDIR = """
import sys
from absl import flags
from experiments import demo
flags.FLAGS(["demo", *sys.argv[1:]])
print(demo._workdir())
"""


def test_the_demo_reports_its_own_protocol(tmp_path):
    """Other evaluations of the same step are in the same folder."""
    (tmp_path / "eval").mkdir()
    for protocol, top1 in (("test-10x3", 0.5), ("test-3x1", 0.25), ("test-3x3", 0.125)):
        report = {"protocol": protocol, "top1": top1, "videos": 8}
        (tmp_path / "eval" / f"{protocol}-step7.json").write_text(json.dumps(report))
    done = run_code(RESULTS, tmp_path)
    assert done.returncode == 0, done.stderr
    scores = done.stdout.splitlines()[1]
    assert scores.startswith("test-3x3: ")
    assert "12.5" in scores
    assert scores.endswith("3 clips x 3 crops each")
    assert str(tmp_path / "eval" / "test-3x3-step7.json") in done.stdout
    assert "10x3" not in done.stdout


@pytest.mark.parametrize(
    ("given", "folder"),
    [
        ((), "runs/demo"),
        (("--smoke",), "runs/smoke"),
        (("--smoke", "--workdir=runs/own"), "runs/own"),
    ],
)
def test_a_smoke_test_has_a_folder_of_its_own(given, folder):
    assert run_code(WORKDIR, *given).stdout.strip() == folder
