"""Names that come from outside: of files, classes and groups.

They may hold anything: line breaks, terminal codes, formulas, bytes that are no text.
"""

from __future__ import annotations

import unicodedata

_LONGEST = 1000
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


def _told(character: str) -> str:
    if unicodedata.category(character) not in _UNPRINTABLE:
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
    lines = (told(line) for line in name.split("\n"))
    short = (line if len(line) <= longest else f"{line[: longest - 1]}…" for line in lines)
    return "\n".join(short).replace("$", r"\$")
