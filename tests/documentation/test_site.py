"""Tests that the site builds without a warning, and that its reference is complete."""

import re
import shutil
import subprocess
import sys

import pytest

import vidjax
from tests.documentation.pages import ROOT
from vidjax.__main__ import commands
from vidjax.run.setting_list import settings

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """Returns the folder of the generated pages."""
    folder = tmp_path_factory.mktemp("reference")
    command = [sys.executable, ROOT / ".ci/reference.py", folder]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_reference_has_everything(reference):
    text = {page.stem: page.read_text() for page in reference.iterdir()}
    for name in vidjax.__all__:
        assert f"heading: vidjax.{name}\n" in text["python"]
    for setting in settings():
        assert f"| `{setting.path}` |" in text["settings"]
    for name in commands():
        assert f"\n## vidjax {name}" in text["commands"]
    assert "| `--workdir=RUN` |" in text["commands"]


def test_the_site_is_built_with_warnings_as_errors(reference, tmp_path):
    pytest.importorskip("zensical", reason="the extra `docs` is not installed")
    # Zensical follows symbolic links, and would build the site beside their targets.
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    (tmp_path / "vidjax").symlink_to(ROOT / "vidjax")
    shutil.copytree(ROOT / "docs", tmp_path / "docs", ignore=shutil.ignore_patterns("reference"))
    shutil.copytree(reference, tmp_path / "docs/reference")
    made = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    done = subprocess.run(made, cwd=tmp_path, capture_output=True, text=True)
    told = done.stdout + done.stderr
    assert done.returncode == 0, told
    assert not re.search(r"^(griffe|mkdocstrings): ", told, re.MULTILINE), told
    assert (tmp_path / "site/index.html").exists()
    assert (tmp_path / "site/reference/settings/index.html").exists()
