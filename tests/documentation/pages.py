"""The pages that people read, as files and as headings."""

import functools
import re
import unicodedata
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)


def pages():
    """The README and its neighbours, and what lies in docs; not what is generated beside it."""
    beside = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
    beside += [ROOT / "CHANGELOG.md", ROOT / "CODE_OF_CONDUCT.md"]
    docs = sorted((ROOT / "docs").rglob("*.md"))
    return beside + [page for page in docs if "reference" not in page.parts]


def named(page):
    return str(page.relative_to(ROOT))


def prose(page):
    """The text without its blocks of code."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


@functools.cache
def anchors(page):
    """What a link may name behind `#`: headings as Python-Markdown writes them, and GitHub too."""
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
