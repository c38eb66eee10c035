"""Tests that links and named files exist, and that numbers agree with the code."""

import fnmatch
import functools
import importlib
import importlib.util
import pkgutil
import re

import pytest
import yaml

import vidjax
import vidjax.convert
from tests.documentation.pages import ROOT, anchors, named, pages, prose
from vidjax.explain import maps

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")
# Files of the project that the text names, such as `vidjax/data/decode.py` or `configs/launch/`.
_FILE = re.compile(r"(?:vidjax|configs|experiments|tests|docs|colab|\.ci)/[\w./*-]*")
# A file without its folder, such as `test_kills.py`.
_BARE = re.compile(r"\w+\*?\.py")
# These pages name former files, or those of other projects.
OF_OTHERS = {"CHANGELOG.md", "comparison.md", "evidence"}
README = ROOT / "README.md"
_IMPORT = re.compile(r"^ *from (vidjax[\w.]*) import (\([^)]*\)|[^\n#]+)", re.MULTILINE)


@functools.cache
def _modules():
    """Returns the names of the project's modules, without those of virtual environments."""
    folders = ("vidjax", "configs", "experiments", "tests", "colab", ".ci")
    return {file.name for folder in folders for file in (ROOT / folder).rglob("*.py")}


@pytest.mark.parametrize("page", pages(), ids=named)
def test_links_lead_to_files_and_headings(page):
    lost = []
    for link in _LINK.findall(prose(page)):
        if re.match(r"https?://|mailto:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            lost.append(link)
    assert not lost


@pytest.mark.parametrize(
    "page", [page for page in pages() if not OF_OTHERS & {page.name, *page.parts}], ids=named
)
def test_imported_names_exist(page):
    lost = []
    for module, text in _IMPORT.findall(page.read_text("utf-8")):
        found = importlib.import_module(module)
        for name in re.findall(r"\w+", re.sub(r" as \w+", "", text)):
            submodule = hasattr(found, "__path__") and importlib.util.find_spec(f"{module}.{name}")
            if not (hasattr(found, name) or submodule):
                lost.append(f"{module}.{name}")
    assert not lost


@pytest.mark.parametrize(
    "page", [page for page in pages() if not OF_OTHERS & {page.name, *page.parts}], ids=named
)
def test_named_files_exist(page):
    lost = []
    for code in _CODE.findall(prose(page)):
        file = code.partition("::")[0].rstrip("/")
        if file == "json.py":  # A file that an attacker would write: SECURITY.md.
            continue
        if _BARE.fullmatch(file):
            found = any(fnmatch.fnmatch(name, file) for name in _modules())
        elif _FILE.fullmatch(file):
            found = any(ROOT.glob(file))
        else:
            continue
        if not found:
            lost.append(code)
    assert not lost


def test_every_page_is_on_the_site():
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text())

    def files(part):
        if isinstance(part, str):
            return [part]
        values = part.values() if isinstance(part, dict) else part
        return [file for value in values for file in files(value)]

    shown = set(files(site["nav"]))
    there = {str(page.relative_to(ROOT / "docs")) for page in pages() if "docs" in page.parts}
    assert {page for page in there if "/" not in page} <= shown
    assert {page for page in shown if not page.startswith("reference/")} <= there


def test_the_readme_is_short():
    assert len(README.read_text().splitlines()) <= 200


def test_the_numbers_of_the_readme_are_correct():
    text = README.read_text()
    modules = (
        importlib.import_module(f"vidjax.convert.{info.name}")
        for info in pkgutil.iter_modules(vidjax.convert.__path__)
    )
    layouts = sum(len(getattr(module, "LAYOUTS", ())) for module in modules)
    assert f"{len(vidjax.list_models())} networks" in text
    assert f"{len(vidjax.list_pretrained())} published checkpoints" in text
    assert f"{layouts} layouts" in text
    assert f"{len(maps.known())} kinds of maps" in text


def test_versions_agree():
    assert f'version = "{vidjax.__version__}"' in (ROOT / "pyproject.toml").read_text()
    assert f"version: {vidjax.__version__}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"## {vidjax.__version__} (" in (ROOT / "CHANGELOG.md").read_text()
    assert f"vidjax-{vidjax.__version__}-" in (ROOT / "docs/get-started.md").read_text()
