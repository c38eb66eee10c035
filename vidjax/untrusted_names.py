"""Names that come from outside: of files, classes and groups.

They may hold anything: line breaks, terminal codes, formulas, bytes that are no text. Each place
where they appear has one function: `told` for terminals, `lettering` for pictures of Matplotlib,
`short` for pictures of OpenCV, `in_script` for pages, `file_name` for names of files.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

_LONGEST = 1000
# Bytes of a part of a file's name: systems take 255 of all of it.
_LONGEST_FILE = 120
# Windows has devices of these names in every folder.
_RESERVED = frozenset(
    ("CON", "PRN", "AUX", "NUL", *(f"{port}{k}" for port in ("COM", "LPT") for k in range(1, 10)))
)
# They change the order of what is written after them.
_TURNING = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# Control characters, separators of lines and paragraphs, halves of surrogate pairs. Python reads
# a byte of a file name that is not UTF-8 as such a half.
_UNPRINTABLE = frozenset(("Cc", "Zl", "Zp", "Cs"))


def flaw(name: str) -> str:
    """Why a name cannot be stored and shown; empty if it can."""
    kinds = set(map(unicodedata.category, name))
    if "Cs" in kinds:
        return "is not UTF-8 text"
    if kinds & _UNPRINTABLE:
        return "holds a line break or another control character"
    if len(name) > _LONGEST:
        return f"is longer than {_LONGEST} characters"
    return ""


def told(name: str) -> str:
    r"""A name as one line of printable text: what is not printable is written as `\n` or `\xe9`."""
    if name.isprintable():
        return name
    return "".join(map(_told, name))


def in_script(data: Any) -> str:
    """JSON that stands in the script of a page, which no text in it can end.

    Args:
      data: of JSON's types. The page's own program must put its texts where they are not read as
        HTML (`textContent`).
    """
    return json.dumps(data).replace("<", "\\u003c")


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint that names the known words that are nearest to `word` first."""
    known = sorted(known)
    close = difflib.get_close_matches(str(word), known, n=3, cutoff=0.5)
    others = [name for name in known if name not in close]
    hint = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
    return f"{hint}Known: {', '.join([*close, *others])}"


def file_name(name: str) -> str:
    """A name as part of a file's name, on any system; equal for equal names alone.

    What could lead elsewhere, hide a file, or be refused by some system (separators, leading dots,
    control characters, characters with a meaning in shells and on Windows) is written as `%2F`, as
    in addresses. A long name is cut, and ends in a part of its hash.
    """
    ended = len(name.rstrip(". "))
    safe = "".join(
        character
        if _is_plain(character) and (place or character not in "-.") and place < ended
        else _escaped(character)
        for place, character in enumerate(name)
    )
    if safe.partition(".")[0].upper() in _RESERVED:
        safe = f"{_escaped(safe[0])}{safe[1:]}"
    if len(safe.encode()) <= _LONGEST_FILE:
        return safe or "%"
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    short = safe.encode()[: _LONGEST_FILE - 17].decode("utf-8", "ignore")
    return f"{short}%{digest}"


def _is_plain(character: str) -> bool:
    return character in "-_. +,=@()" or unicodedata.category(character)[0] in "LMN"


def _escaped(character: str) -> str:
    data = character.encode("utf-8", "surrogatepass")
    return "".join(f"%{byte:02X}" for byte in data)


def _told(character: str) -> str:
    if unicodedata.category(character) not in _UNPRINTABLE and character not in _TURNING:
        return character
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def lettering(name: str, longest: int = 60) -> str:
    """A name as text of a picture.

    Matplotlib takes what stands between two dollars for mathematics, and takes hours for very
    long lines.

    Args:
      name: any text; its line breaks stay.
      longest: characters that are shown of a line.
    """
    return "\n".join(short(line, longest) for line in name.split("\n")).replace("$", r"\$")


def short(name: str, longest: int = 60) -> str:
    """A name as one line of printable text, cut where it is longer than so many characters."""
    line = told(name[: longest + 1])
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def few(found: Sequence[str]) -> str:
    """The first three names, each on one line and cut if long, and how many more there are."""
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return ", ".join(repr(_cut(name)) for name in found[:3]) + more


def _cut(name: str) -> str:
    return name if len(name) <= 200 else f"{name[:199]}…"
