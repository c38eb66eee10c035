"""Finds the pages of the documentation and their headings."""

import functools
import re
import unicodedata
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)


def pages():
    """Returns the README, the files beside it and the pages in docs, without generated ones."""
    beside = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
    beside += [ROOT / "CHANGELOG.md", ROOT / "CODE_OF_CONDUCT.md"]
    docs = sorted((ROOT / "docs").rglob("*.md"))
    return beside + [page for page in docs if "reference" not in page.parts]


def named(page):
    return str(page.relative_to(ROOT))


def prose(page):
    """Returns the text without its code blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


@functools.cache
def anchors(page):
    """Returns the anchors of a page's headings, as Python-Markdown and GitHub write them."""
    found = set()
    for heading in _HEADING.findall(prose(page)):
        text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        slug = _slug(text)
        number = 0
        while (name := slug if not number else f"{slug}_{number}") in found:
            number += 1
        found.add(name)
    return found


def _slug(text):
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", plain).strip().lower())
