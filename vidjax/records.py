"""JSON files: written atomically, and checked against a type when they are read.

Anybody may have written a file that is read here. So the reader states its content as a type of
`msgspec`, such as a `Struct` whose numbers have ranges, and the size and depth of files are
limited:

    class Best(msgspec.Struct):
        step: records.Count
        score: float

    best = records.read(file, Best, "move it away")
    # RecordError: best.json is damaged (step = -1: must be a whole number >= 0): move it away

Keys that a type lacks are ignored. Duplicate keys, NaN and infinities are refused.
"""

from __future__ import annotations

import json
import math
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import msgspec

from vidjax.settings import shown
from vidjax.storage.writing import write_text

# Largest record in bytes: a configuration has some thousands; 16,000 of the longest class names
# fit.
MOST = 2**24
# Longest line of a file with one object per line; usual lines have some hundreds of bytes.
LONGEST_LINE = 2**20
# Largest table, file of lines or published annotations: a million rows of 1,000 bytes.
MOST_OF_TABLE = 2**30
# Deepest nesting of lists and objects; a configuration has five levels.
DEEPEST = 64

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Amount = Annotated[float, msgspec.Meta(ge=0, le=1e15)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Name = Annotated[str, msgspec.Meta(min_length=1)]
T = TypeVar("T")

_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
}
_STEP = re.compile(r"\.?(\w+)|\[(\d+)\]")
_ABSENT = re.compile("Object missing required field `(.*)`")


class RecordError(ValueError):
    """A record differs from what was written."""


def write(file: Path, value: Any) -> None:
    """Writes JSON atomically: if the process or machine dies, the old file remains.

    Raises:
      LinkError: the file is a link.
      OSError: the file cannot be written.
    """
    write_text(file, json.dumps(value, indent=2) + "\n", durable=True)


def read(file: Path, kind: type[T], way_out: str, most: int = MOST) -> T:
    """Reads JSON of a given type.

    Args:
      file: a file that exists.
      kind: the type of its content, to which msgspec converts it.
      way_out: what to do if it is damaged, as the end of the error message.
      most: largest size in bytes.

    Raises:
      RecordError: the content has another type; names the file.
      OSError: the file cannot be read.
    """
    return _telling(content(file, most), kind, str(file), way_out)[1]


def read_mapping(file: Path, way_out: str, kind: Any = dict[str, Any]) -> dict[str, Any]:
    """Reads a JSON object unchanged, with all its keys, after checking its type; see `read`."""
    found: dict[str, Any] = _telling(content(file), kind, str(file), way_out)[0]
    return found


def read_lines(file: Path, way_out: str, kind: Any = dict[str, Any]) -> list[dict[str, Any]]:
    """Reads a file of JSON objects, one per line, each unchanged after checking its type.

    An incomplete last line, as a killed process leaves it, is ignored.

    Raises:
      RecordError: another line has the wrong type; names file and line.
      OSError: the file cannot be read.
    """
    return list(_lines(file, way_out, kind))


def content(file: Path, most: int = MOST, fault: type[ValueError] = RecordError) -> bytes:
    """Returns the content of a file.

    Args:
      file: a file that exists.
      most: largest size in bytes.
      fault: type of the error to raise.

    Raises:
      fault: it is a folder, a pipe or a device, which may be endless, or is too large.
      OSError: the file cannot be read.
    """
    _require_file(file, most, fault)
    return file.read_bytes()


def parsed(text: bytes | str, kind: type[T], *, strict: bool = True) -> T:
    """Parses JSON to a value of a given type.

    Args:
      text: UTF-8.
      kind: the expected type.
      strict: refuses numbers in quotes, as Protocol Buffers write them.

    Raises:
      RecordError: the text is not JSON, or has another type; says what is wrong.
    """
    return converted(_plain(text), kind, strict=strict)


def converted(value: Any, kind: type[T], *, strict: bool = True) -> T:
    """Converts a value of plain types to a given type.

    Raises:
      RecordError: the value has another type; says what is wrong.
    """
    try:
        return msgspec.convert(value, kind, strict=strict)
    except msgspec.ValidationError as error:
        raise RecordError(in_words(error, value)) from None


def in_words(error: msgspec.ValidationError, value: Any) -> str:
    """Translates an error of msgspec to the words and the form of our own errors."""
    what, _, path = str(error).partition(" - at `$")
    path = path.rstrip("`").removeprefix(".")
    if absent := _ABSENT.fullmatch(what):
        name = f"{path}.{absent[1]}" if path else absent[1]
        return f"{name!r} is absent"
    what = re.sub(r"`([^`]*)`", lambda found: _kinds(found[1]), what)
    what = what.replace("Expected ", "must be ").replace(", got ", ", not ")
    if not path:
        return what.replace("must", "it must", 1)
    return f"{path} = {shown(_at(value, path))}: {what}"


def _require_file(file: Path, most: int, fault: type[ValueError]) -> None:
    facts = file.stat()
    if not stat.S_ISREG(facts.st_mode):
        raise fault(f"{file} is not a file")
    if facts.st_size > most:
        raise fault(
            f"{file} has {facts.st_size:,} bytes; at most {most:,} are allowed for such files"
        )


def _lines(file: Path, way_out: str, kind: Any) -> Iterator[dict[str, Any]]:
    _require_file(file, MOST_OF_TABLE, RecordError)
    with file.open("rb") as stream:
        lines = iter(lambda: stream.readline(LONGEST_LINE), b"")
        for number, line in enumerate(lines, 1):
            name = f"{file}, line {number},"
            if not line.endswith(b"\n"):
                if len(line) < LONGEST_LINE:
                    return
                wrong = f"it has more than {LONGEST_LINE:,} bytes"
                raise RecordError(f"{name} is damaged ({wrong}): {way_out}")
            yield _telling(line, kind, name, way_out)[0]


def _telling(text: bytes, kind: type[T], name: str, way_out: str) -> tuple[Any, T]:
    """Does the same as `_both`; an error names what is damaged and says what to do."""
    try:
        return _both(text, kind)
    except RecordError as error:
        raise RecordError(f"{name} is damaged ({error}): {way_out}") from None


def _both(text: bytes | str, kind: type[T]) -> tuple[Any, T]:
    """Returns the plain value of JSON, and that value converted to a type."""
    value = _plain(text)
    return value, converted(value, kind)


def _plain(text: bytes | str) -> Any:
    try:
        text = text.decode("utf-8-sig") if isinstance(text, bytes) else text
        value = _DECODER.decode(text)
    except RecursionError:
        raise RecordError(_TOO_DEEP) from None
    except UnicodeDecodeError as error:
        wrong = f"it is not UTF-8 text: byte {error.start} is 0x{error.object[error.start]:02x}"
        raise RecordError(wrong) from None
    except json.JSONDecodeError as error:
        raise RecordError(str(error) if str(text).strip() else "it is empty") from None
    except RecordError:
        raise
    # Python refuses to parse integers with very many digits.
    except ValueError:
        raise RecordError("it holds a number of thousands of digits") from None
    _refuse_depth(value)
    return value


_TOO_DEEP = f"it is nested more than {DEEPEST} deep"


def _refuse_depth(value: Any) -> None:
    level: Sequence[Any] = [[value]]
    for _ in range(DEEPEST + 1):
        inside = (item.values() if isinstance(item, dict) else item for item in level)
        level = [each for items in inside for each in items if isinstance(each, dict | list)]
    if level:
        raise RecordError(_TOO_DEEP)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise RecordError(f"it has the key {shown(twice)} twice")
    return found


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise RecordError(f"{shown(text)} is too large a number")
    return value


def _no_number(text: str) -> NoReturn:
    raise RecordError(f"{text} is not a number")


# Not msgspec's own parser, which accepts duplicate keys, and refuses file names with bytes that are
# not UTF-8, which Python represents by surrogates.
_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_finite, parse_constant=_no_number
)


def _kinds(names: str) -> str:
    return " or ".join(_WORDS.get(name, name) for name in names.split(" | "))


def _at(value: Any, path: str) -> Any:
    """Returns the value at a msgspec path; a key of many is `[...]`, which ends the path."""
    for name, index in _STEP.findall(path.partition("[...]")[0]):
        value = value[int(index)] if index else value[name]
    return value
