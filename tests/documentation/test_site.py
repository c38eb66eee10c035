"""Tests that the site builds without warnings, and its links and reference are complete."""

import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

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


@pytest.fixture(scope="module")
def site(reference, tmp_path_factory):
    """The folder of the site, built without a warning."""
    pytest.importorskip("zensical", reason="the extra `docs` is not installed")
    # Zensical follows symbolic links, and would build the site beside their targets.
    folder = tmp_path_factory.mktemp("site")
    shutil.copy(ROOT / "mkdocs.yml", folder)
    (folder / "vidjax").symlink_to(ROOT / "vidjax")
    shutil.copytree(ROOT / "docs", folder / "docs", ignore=shutil.ignore_patterns("reference"))
    shutil.copytree(reference, folder / "docs/reference")
    made = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    done = subprocess.run(made, cwd=folder, capture_output=True, text=True)
    told = done.stdout + done.stderr
    assert done.returncode == 0, told
    assert not re.search(r"^(griffe|mkdocstrings): ", told, re.MULTILINE), told
    return folder / "site"


def test_the_site_is_built_with_warnings_as_errors(site):
    assert (site / "index.html").exists()
    assert (site / "reference/settings/index.html").exists()


def test_every_link_of_the_site_leads_to_a_file_and_an_anchor(site):
    """Also those between generated pages, and those that the theme writes."""
    pages = {file: Links(file) for file in site.rglob("*.html")}
    lost = []
    for file, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            base = site if parts.path.startswith("/") else file.parent
            target = file
            if parts.path:
                target = (base / unquote(parts.path).lstrip("/")).resolve()
            target = target / "index.html" if target.is_dir() else target
            known = pages[target].anchors if target in pages else set()
            if not target.exists() or (parts.fragment and unquote(parts.fragment) not in known):
                lost.append(f"{file.relative_to(site)}: {link}")
    assert not lost
    assert sum(len(page.links) for page in pages.values()) > 5000


class Links(HTMLParser):
    """What a page links to, and the anchors that it has."""

    def __init__(self, file):
        super().__init__()
        self.links, self.anchors = [], set()
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.anchors |= {given["id"]} if given.get("id") else set()
        self.links += [given[name] for name in ("href", "src") if given.get(name)]
