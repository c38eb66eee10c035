"""CSV files: what is wrong with one is said with its file and line.

Spreadsheets run cells that begin with `=`, `+`, `-` or `@` as formulas. `cells` puts an apostrophe
before them, and `rows(..., ours=True)` takes it away again.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

# Published rows hold long lists of narrations.
csv.field_size_limit(2**24)

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_BREAK = re.compile(r"[\r\n]")
_GUARDED = re.compile(r"'+[=+\-@\t\r]")


def cells(values: Iterable[Any]) -> list[Any]:
    """A row to be written: texts that a spreadsheet would run get an apostrophe in front."""
    return [f"'{x}" if isinstance(x, str) and _FORMULA.match(x) else x for x in values]


def text(file: Path, fault: type[ValueError] = ValueError, *, torn: bool = False) -> str:
    """A text file's content, with or without a byte-order mark.

    Args:
      file: the text.
      fault: the error to raise.
      torn: leave out a last line of a CSV that was cut off while it was written.

    Raises:
      fault: it is not a file (a pipe may never end) or not UTF-8; names the line.
    """
    if not file.is_file():
        raise fault(f"{file} is not a file")
    data = file.read_bytes()
    data = _whole(data) if torn else data
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        kind = "UTF-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "another encoding"
        raise fault(
            f"{file} is not UTF-8 text: line {line} has the byte 0x{data[error.start]:02x}. "
            f"It is in {kind}, or damaged; save it as UTF-8"
        ) from None


def columns(file: Path, fault: type[ValueError] = ValueError, *, torn: bool = False) -> list[str]:
    """The names in the first row of a CSV; arguments are those of `text`.

    Raises:
      fault: as `rows`.
    """
    _, fields = next(_records(text(file, fault, torn=torn), file, False, fault), (1, []))
    return [name.strip() for name in fields]


def rows(
    file: Path,
    required: Sequence[str],
    *,
    header: bool = True,
    guard_quotes: bool = True,
    ours: bool = False,
    torn: bool = False,
    fault: type[ValueError] = ValueError,
) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a CSV, each with the number of its line.

    Args:
      file: the CSV.
      required: columns that must be there, and in each row; without a header, the names of the
        first ones.
      header: whether the first row names the columns.
      guard_quotes: refuse rows that swallow others, as they do where a quote is left open: such a
        row has a field with both a line break and a comma.
      ours: whether `cells` wrote it.
      torn: leave out a last row that was cut off while it was written.
      fault: the error to raise.

    Raises:
      fault: names the file, the line and what was expected.
    """
    names = list(required)
    for line, fields in _records(text(file, fault, torn=torn), file, guard_quotes, fault):
        if header:
            names, header = _header(file, fields, required, fault), False
            continue
        if any(fields[len(names) :]):
            raise fault(
                f"{file}, line {line}: more fields than {','.join(names)}; a field with a comma "
                'in it is written in quotes: "one, two"'
            )
        if not set(required) <= set(names[: len(fields)]):
            raise fault(f"{file}, line {line}: fewer fields than {','.join(names)}")
        values = [_unguarded(field) for field in fields] if ours else fields
        yield line, dict(itertools.zip_longest(names, values[: len(names)], fillvalue=""))
    if header:
        _header(file, [], required, fault)


def _header(
    file: Path, fields: Sequence[str], required: Sequence[str], fault: type[ValueError]
) -> list[str]:
    found = [name.strip() for name in fields]
    missing = [name for name in required if name not in found]
    if missing:
        hint = (
            "; separate them by commas"
            if len(fields) == 1 and re.search("[;\t]", fields[0])
            else ""
        )
        raise fault(
            f"{file} lacks the column {missing[0]!r}; found {found}, expected "
            f"{','.join(required)}{hint}"
        )
    twice = [name for name in found if name and found.count(name) > 1]
    if twice:
        raise fault(f"{file} has two columns {twice[0]!r}; rename one")
    return found


def _whole(data: bytes) -> bytes:
    """Without a last line that has fewer fields than the first and no end."""
    lines, end, last = data.rpartition(b"\n")
    first = data.partition(b"\n")[0]
    return data if last.count(b",") >= first.count(b",") else lines + end


def _records(
    content: str, file: Path, guard_quotes: bool, fault: type[ValueError]
) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not empty, each with the number of its (last) line."""
    reader = csv.reader(io.StringIO(content, newline=""), strict=True)
    before = 0
    try:
        for fields in reader:
            line = reader.line_num
            # A quote that is left open swallows commas with the rows that follow.
            if guard_quotes and any("," in field and _BREAK.search(field) for field in fields):
                raise fault(
                    f"{file}: the row of line {before + 1} goes on to line {line}; a quote is not "
                    "closed, or a field holds both a line break and a comma"
                )
            if fields:
                yield line, fields
            before = line
    except csv.Error as error:
        raise fault(f"{file}, line {before + 1}: not CSV ({error})") from None


def _unguarded(field: str) -> str:
    return field[1:] if _GUARDED.match(field) else field
