"""Applies the diffs of CONTRIBUTING.md to a copy of the tree and checks what they add."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.additions import CHECKS

ROOT = Path(__file__).parents[1]
_SECTION = re.compile(r"^## (Add an? [^\n]*)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_DIFF = re.compile(r"^```diff\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
DIFFS = {heading: _DIFF.findall(section) for heading, section in _SECTION.findall(TEXT)}


def run(*command, cwd, **more):
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, **more)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Returns a copy of the tree with all diffs applied, and the files that each adds."""
    tree = tmp_path_factory.mktemp("contributing") / "tree"
    for folder in ("vidjax", "configs", "experiments"):
        shutil.copytree(ROOT / folder, tree / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tree)
    added = {}
    for heading, (diff,) in DIFFS.items():
        before = set(files_of(tree))
        applied = run("git", "apply", "-v", "-", cwd=tree, input=diff)
        assert applied.returncode == 0, f"{heading}: {applied.stderr}"
        added[heading] = set(files_of(tree)) - before
    return tree, added


def files_of(tree):
    return (path.relative_to(tree) for path in tree.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def verdicts(tree, tmp_path_factory):
    """Returns the error under each heading."""
    environment = {**os.environ, "PYTHONPATH": str(tree[0]), "PYTHONDONTWRITEBYTECODE": "1"}
    folder = tmp_path_factory.mktemp("tried")
    command = [sys.executable, str(ROOT / "tests/additions.py"), str(folder)]
    done = run(*command, cwd=folder, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_each_section_has_one_diff_and_a_check():
    assert set(DIFFS) == set(CHECKS)
    assert {heading: len(found) for heading, found in DIFFS.items()} == dict.fromkeys(DIFFS, 1)


def test_a_diff_adds_one_file_and_changes_none(tree):
    for heading, (diff,) in DIFFS.items():
        assert len(tree[1][heading]) == 1, heading
        assert re.findall(r"^--- (.*)$", diff, re.MULTILINE) == ["/dev/null"], heading


@pytest.mark.parametrize("heading", CHECKS)
def test_the_additions_of_each_diff_work(verdicts, heading):
    assert verdicts[heading] == ""


def test_added_files_are_formatted_and_checked(tree):
    files = [str(file) for added in tree[1].values() for file in added]
    for command in (["check"], ["format", "--check"]):
        done = run(sys.executable, "-m", "ruff", *command, "--no-cache", *files, cwd=tree[0])
        assert done.returncode == 0, done.stdout
