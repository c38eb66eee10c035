"""Tests that every command on every page has valid flags, settings and arguments."""

import json
import re

import pytest

from tests.commands import run_command
from tests.documentation.pages import ROOT, named, pages
from tests.documented import typed_in
from vidjax.run.config import from_mapping, to_mapping
from vidjax.run.defaults import defaults

# Pages that record old commands, at the commits that they name.
OF_THEN = "docs/evidence"
COMMANDS = [
    typed
    for page in pages()
    if not named(page).startswith(OF_THEN)
    for typed in typed_in(named(page))
    if typed.module
]
# The README and the first guide are tested with every change, the others with the slow tests.
FIRST = ("README.md", "docs/get-started.md")
_RUN = re.compile(r"runs/[\w/]+|weights/x3d_m")
# If a bucket does not answer, the flags were parsed successfully.
_FURTHER = ("gs://", "s3://", "$run")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Makes a folder where each named run has a configuration, and I3D has weights."""
    folder = tmp_path_factory.mktemp("flags")
    settings = json.dumps(to_mapping(from_mapping(defaults())))
    for each in COMMANDS:
        for name in _RUN.findall(" ".join(each.arguments)):
            (folder / name).mkdir(parents=True, exist_ok=True)
            (folder / name / "config.json").write_text(settings)
    (folder / "configs").symlink_to(ROOT / "configs")
    return folder


@pytest.fixture(scope="module")
def cache(shared, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    (folder / "model_rgb.pth").symlink_to(shared / "weights/i3d_kinetics400_hassony2.pth")
    return folder


@pytest.mark.parametrize(
    "typed",
    [
        pytest.param(each, marks=() if each.file in FIRST else pytest.mark.slow, id=str(each)[:100])
        for each in COMMANDS
    ],
)
def test_the_flags_of_a_command_are_valid(typed, place, request):
    more = {}
    if "--weights=" in " ".join(typed.arguments):
        more["VIDJAX_CACHE"] = str(request.getfixturevalue("cache"))
    parsed = ("tests.documentation.parsed", typed.module, *typed.arguments)
    done = run_command(*parsed, cwd=place, PYTHONPATH=str(ROOT), **more)
    if done.returncode and any(part in " ".join(typed.arguments) for part in _FURTHER):
        assert done.returncode == 74 or "bucket" in done.stderr or "$run" in done.stderr, (
            done.stderr
        )
        return
    assert done.returncode == 0, f"{typed}\n{done.stderr}"


def test_a_wrong_flag_is_found(place):
    """Checks that a wrong flag, setting or number of arguments fails."""
    for module, *arguments in (
        ("experiments.train", "--config=demo", "--workdir=runs/x", "--speed=3"),
        ("experiments.train", "--config=demo", "--workdir=runs/x", "--config.optimizer.rate=3"),
        ("experiments.train", "--config=demo", "--workdir=runs/x", "--config.optimizer.lr=-1"),
        ("experiments.compare", "runs/one"),
    ):
        parsed = ("tests.documentation.parsed", module, *arguments)
        assert run_command(*parsed, cwd=place, PYTHONPATH=str(ROOT)).returncode, arguments


def test_pages_have_commands():
    assert len(COMMANDS) > 100
    assert {each.file for each in COMMANDS} >= {"README.md", "docs/launching.md", "docs/data.md"}
