"""Makes names from outside safe to show and store: names of files, classes and groups.

They may hold anything: line breaks, terminal codes, formulas, bytes that are not text. There is one
function for each use: `printable` for terminals, `figure_text` for Matplotlib figures, `short` for
OpenCV images, `script_json` for web pages, `file_name` for names of files.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

_LONGEST = 1000
# Number of words that a hint lists beside the near ones.
_MOST_OTHERS = 20
# Longest part of a file name in bytes; systems allow 255 for the whole name.
_LONGEST_FILE = 120
# Windows reserves these device names in every folder.
_RESERVED = frozenset(
    ("CON", "PRN", "AUX", "NUL", *(f"{port}{k}" for port in ("COM", "LPT") for k in range(1, 10)))
)
# Characters that change the direction of the text after them.
_TURNING = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# Control characters, separators of lines and paragraphs, and surrogates. Python represents a byte
# of a file name that is not UTF-8 by a surrogate.
_UNPRINTABLE = frozenset(("Cc", "Zl", "Zp", "Cs"))


def flaw(name: str) -> str:
    """Describes why a name cannot be stored and shown; empty if it can."""
    kinds = set(map(unicodedata.category, name))
    if "Cs" in kinds:
        return "is not UTF-8 text"
    if kinds & _UNPRINTABLE:
        return "holds a line break or another control character"
    if len(name) > _LONGEST:
        return f"is longer than {_LONGEST} characters"
    return ""


def printable(name: str) -> str:
    r"""Formats a name as one line of printable text; other characters become `\n` or `\xe9`."""
    if name.isprintable():
        return name
    return "".join(map(_printable, name))


def script_json(data: Any) -> str:
    """Encodes JSON for a script in a web page, so that no text in it can end the script.

    Args:
      data: data of JSON types. The page's own code must insert texts without parsing them as HTML
        (`textContent`).
    """
    return json.dumps(data).replace("<", "\\u003c")


def nearest(word: str, known: Iterable[str]) -> str:
    """Makes a hint that names the known words nearest to `word`.

    It also lists the other known words, unless some are near and there are many others.

    Examples:
      >>> from vidjax.untrusted_names import nearest
      >>> nearest("r3d_81", ["i3d", "r3d_18"])
      "did you mean 'r3d_18'? Known: r3d_18, i3d"
    """
    known = sorted(known)
    close = difflib.get_close_matches(str(word), known, n=3, cutoff=0.5)
    others = [name for name in known if name not in close]
    hint = f"did you mean {' or '.join(map(repr, close))}?" if close else ""
    if close and len(others) > _MOST_OTHERS:
        return hint
    return f"{hint} Known: {', '.join([*close, *others])}".lstrip()


def did_you_mean(words: Sequence[str], known: Iterable[str]) -> str:
    """Makes a part of a sentence that names what the first of some words may be a slip of.

    Examples:
      >>> from vidjax.untrusted_names import did_you_mean
      >>> did_you_mean(["brsh hair"], ["brush hair", "clap"])
      " (did you mean 'brush hair'?)"
      >>> did_you_mean(["swim"], ["brush hair", "clap"])
      ''
    """
    # A stricter likeness than that of `nearest`, whose words stand in an error of their own.
    close = difflib.get_close_matches(words[0], sorted(known), n=1, cutoff=0.7)
    return f" (did you mean {_cut(close[0])!r}?)" if close else ""


def file_name(name: str) -> str:
    """Converts a name to a part of a file name, on any system; different names stay different.

    Characters that could lead elsewhere, hide a file, or be refused by some system (separators,
    leading dots, control characters, characters special to shells or Windows) are written as `%2F`,
    as in URLs. A long name is cut, and ends in a part of its hash.
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


def _printable(character: str) -> str:
    if unicodedata.category(character) not in _UNPRINTABLE and character not in _TURNING:
        return character
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def figure_text(name: str, longest: int = 60) -> str:
    """Formats a name as text for a Matplotlib figure.

    Matplotlib parses text between two dollar signs as mathematics, and needs hours for very long
    lines.

    Args:
      name: any text; its line breaks are kept.
      longest: number of characters shown of each line.
    """
    return "\n".join(short(line, longest) for line in name.split("\n")).replace("$", r"\$")


def short(name: str, longest: int = 60) -> str:
    """Formats a name as one line of printable text, cut to a number of characters."""
    line = printable(name[: longest + 1])
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def few(found: Sequence[str]) -> str:
    """Lists the first three names, each on one line and cut if long, and the number of others."""
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return ", ".join(repr(_cut(name)) for name in found[:3]) + more


def _cut(name: str) -> str:
    return name if len(name) <= 200 else f"{name[:199]}…"
