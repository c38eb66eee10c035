"""Reads CSV files. Errors name the file and the line.

`read` converts each row to a `Struct` or dataclass whose fields are the columns. Columns of fields
with a default may be missing, and their cells empty. Numbers have ranges:

    class Row(msgspec.Struct):
        video: records.Name
        frames: records.Count = 0

    for line, row in tables.read(file, Row):
        ...

Spreadsheets run cells that begin with `=`, `+`, `-` or `@` as formulas. `cells` puts an apostrophe
before them, and `rows(..., ours=True)` removes it again.
"""

from __future__ import annotations

import collections
import contextlib
import csv
import io
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from vidjax import records
from vidjax.settings import LONGEST, shown
from vidjax.untrusted_names import printable

# Some published tables have rows with long lists of narrations.
csv.field_size_limit(2**24)

T = TypeVar("T")

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_BREAK = re.compile(r"[\r\n]")
_GUARDED = re.compile(r"'+[=+\-@\t\r]")


def cells(values: Iterable[Any]) -> list[Any]:
    """Escapes a row for writing: text that a spreadsheet would run gets a leading apostrophe."""
    return [f"'{x}" if isinstance(x, str) and _FORMULA.match(x) else x for x in values]


def text(file: Path, fault: type[ValueError] = ValueError) -> str:
    """Reads a UTF-8 text file, with or without a byte-order mark.

    Raises:
      fault: the path is not a regular file (a pipe may never end), or the file is too large or not
        UTF-8. The message names the line.
    """
    with _stream(records.content(file, records.MOST_OF_TABLE, fault), file, fault) as stream:
        return stream.read()


def columns(file: Path, fault: type[ValueError] = ValueError, *, torn: bool = False) -> list[str]:
    """Returns the column names in the first row of a CSV. The arguments are those of `rows`.

    Raises:
      fault: like `rows`.
    """
    found = _records(file, guard_quotes=False, torn=torn, errors="strict", fault=fault)
    _, fields = next(found, (1, []))
    return [name.strip() for name in fields]


def read(
    file: Path,
    kind: type[T],
    *,
    ours: bool = False,
    torn: bool = False,
    exact: bool = False,
    fault: type[ValueError] = ValueError,
    advice: str = "",
) -> Iterator[tuple[int, T]]:
    """Reads the rows of a CSV, each as an instance of `kind`, with its line number.

    Args:
      file: the CSV.
      kind: a `Struct` or dataclass with a field for each column that is used. Columns of fields
        without a default are required.
      ours: whether `cells` wrote the file.
      exact: keep spaces around cells, and bytes that are not UTF-8, as
        `vidjax.storage.writing.writing` writes them. By default, surrounding spaces are removed
        unless the file is `ours`.
      torn: skip a last row that was cut off while it was written.
      fault: the error type to raise.
      advice: what to do about a wrong cell, as the end of the error.

    Raises:
      fault: a row is wrong; the message names the file, the line, the column and what was expected.
    """
    required = [field.encode_name for field in _fields(kind) if field.required]
    errors = "surrogateescape" if exact else "strict"
    found = rows(
        file, required, guard_quotes=not exact, ours=ours, torn=torn, errors=errors, fault=fault
    )
    for line, row in found:
        if not (ours or exact):
            row = {name: value.strip() for name, value in row.items()}
        given = {name: value for name, value in row.items() if value}
        try:
            yield line, msgspec.convert(given, kind, strict=False)
        except msgspec.ValidationError as error:
            wrong = records.in_words(error, given).replace("is absent", "is empty")
            raise fault(f"{file}, line {line}: {wrong}{advice}") from None


def rows(
    file: Path,
    required: Sequence[str],
    *,
    header: bool = True,
    guard_quotes: bool = True,
    ours: bool = False,
    torn: bool = False,
    errors: str = "strict",
    fault: type[ValueError] = ValueError,
) -> Iterator[tuple[int, dict[str, str]]]:
    """Reads the rows of a CSV as dicts, each with its line number.

    Args:
      file: the CSV.
      required: required columns, which every row must have; without a header, the names of the
        first columns.
      header: whether the first row names the columns.
      guard_quotes: refuse a row with a field that contains both a line break and a comma. An
        unclosed quote makes such a row, because it swallows the rows after it.
      ours: whether `cells` wrote the file.
      torn: skip a last row that was cut off while it was written.
      errors: what to do about bytes that are not UTF-8, as in `bytes.decode`.
      fault: the error type to raise.

    Raises:
      fault: a row is wrong; the message names the file, the line and what was expected.
    """
    names = list(required)
    found = _records(file, guard_quotes=guard_quotes, torn=torn, errors=errors, fault=fault)
    for line, fields in found:
        if header:
            names, header = _header(file, fields, required, fault), False
            continue
        if any(fields[len(names) :]):
            raise fault(
                f"{file}, line {line}: more fields than {listed(names)}; put a field that contains "
                'a comma in quotes: "one, two"'
            )
        if not set(required) <= set(names[: len(fields)]):
            raise fault(f"{file}, line {line}: fewer fields than {listed(names)}")
        values = [_unguarded(field) for field in fields] if ours else fields
        yield line, dict(itertools.zip_longest(names, values[: len(names)], fillvalue=""))
    if header:
        _header(file, [], required, fault)


def listed(names: Sequence[str], between: str = ",") -> str:
    """Joins column names into one line of limited length."""
    text = printable(between.join(names))
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


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
            f"{file} lacks the column {missing[0]!r}; found {shown(found)}, expected "
            f"{','.join(required)}{hint}"
        )
    twice = [name for name, count in collections.Counter(found).items() if name and count > 1]
    if twice:
        raise fault(f"{file} has two columns {shown(twice[0])}; rename one")
    return found


def _whole(data: bytes) -> bytes:
    """Removes an unterminated last line that has fewer fields than the first line."""
    lines, end, last = data.rpartition(b"\n")
    first = data.partition(b"\n")[0]
    return data if last.count(b",") >= first.count(b",") else lines + end


def _records(
    file: Path, *, guard_quotes: bool, torn: bool, errors: str, fault: type[ValueError]
) -> Iterator[tuple[int, list[str]]]:
    """Yields the non-empty rows, each with the number of its (last) line."""
    data = records.content(file, records.MOST_OF_TABLE, fault)
    before = 0
    try:
        with _stream(_whole(data) if torn else data, file, fault, errors) as stream:
            reader = csv.reader(stream, strict=True)
            for fields in reader:
                line = reader.line_num
                # An unclosed quote swallows the rows that follow, with their commas.
                if guard_quotes and any("," in each and _BREAK.search(each) for each in fields):
                    raise fault(
                        f"{file}: the row of line {before + 1} continues to line {line}; a quote "
                        "is not closed, or a field contains both a line break and a comma"
                    )
                if fields:
                    yield line, fields
                before = line
    except csv.Error as error:
        raise fault(f"{file}, line {before + 1}: not CSV ({error})") from None


@contextlib.contextmanager
def _stream(
    data: bytes, file: Path, fault: type[ValueError], errors: str = "strict"
) -> Iterator[io.TextIOWrapper]:
    """Opens bytes as a text stream, decoded incrementally.

    Raises:
      fault: the bytes are not UTF-8; the message names the line.
    """
    try:
        with io.TextIOWrapper(io.BytesIO(data), "utf-8-sig", errors, newline="") as stream:
            yield stream
    except UnicodeDecodeError:
        raise fault(_not_utf8(data, file)) from None


def _not_utf8(data: bytes, file: Path) -> str:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        place = error.start
    line = data.count(b"\n", 0, place) + 1
    kind = "UTF-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "another encoding"
    return (
        f"{file} is not UTF-8 text: line {line} has the byte 0x{data[place]:02x}. The file is in "
        f"{kind}, or damaged; save it as UTF-8"
    )


def _fields(kind: type[Any]) -> Sequence[msgspec.inspect.Field]:
    found = msgspec.inspect.type_info(kind)
    assert isinstance(found, msgspec.inspect.StructType | msgspec.inspect.DataclassType)
    return found.fields


def _unguarded(field: str) -> str:
    return field[1:] if _GUARDED.match(field) else field
