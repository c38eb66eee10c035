"""Small JSON files that a program keeps for itself: written whole, read back whole or refused.

What was cut short, overwritten or edited by mistake is told in one line that names the file, what
is wrong with it and the way out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vidjax.settings import Kind
from vidjax.writing import write_text


class RecordError(ValueError):
    """A record is not what was written."""


def write(file: Path, value: Any) -> None:
    """Writes JSON whole: a process that is killed, or a machine that stops, leaves the old file.

    Raises:
      LinkError: a link stands there.
      OSError: the place cannot be written.
    """
    write_text(file, json.dumps(value, indent=2) + "\n", durable=True)


def read(file: Path, kind: Kind, way_out: str) -> Any:
    """Reads JSON of a kind.

    Args:
      file: that is there.
      kind: what it holds.
      way_out: what to do about a damaged one, as the end of the error.

    Raises:
      RecordError: it holds something else; names the file.
      OSError: it cannot be read.
    """
    value = _decoded(file.read_bytes(), str(file), way_out)
    if not kind.accepts(value):
        raise RecordError(f"{file} is damaged (it is not {kind.text}): {way_out}")
    return value


def read_mapping(
    file: Path, way_out: str, table: Mapping[str, Kind] | None = None
) -> dict[str, Any]:
    """Reads a JSON object that has every name of a table, each with a value of its kind.

    Args:
      file: that is there.
      way_out: what to do about a damaged one, as the end of the error.
      table: kinds by name; other names are not looked at.

    Raises:
      RecordError: it holds something else; names the file and what is wrong.
      OSError: it cannot be read.
    """
    found: dict[str, Any] = read(file, mapping(), way_out)
    for name, kind in (table or {}).items():
        if name not in found:
            raise RecordError(f"{file} is damaged ({name!r} is absent): {way_out}")
        if not kind.accepts(found[name]):
            wrong = f"{name} = {found[name]!r}, not {kind.text}"
            raise RecordError(f"{file} is damaged ({wrong}): {way_out}")
    return found


def read_lines(file: Path, way_out: str) -> list[dict[str, Any]]:
    """Reads a file of JSON objects, one a line; half a last line, which a kill leaves, is left out.

    Raises:
      RecordError: another line is no JSON object; names file and line.
      OSError: it cannot be read.
    """
    lines = file.read_bytes().splitlines(keepends=True)
    return [line_of(line, f"{file}, line {k},", way_out) for k, line in enumerate(whole(lines), 1)]


def whole(lines: list[bytes]) -> list[bytes]:
    """The lines without a last one that was not written to its end."""
    return lines[:-1] if lines and not lines[-1].endswith(b"\n") else lines


def line_of(line: bytes, name: str, way_out: str) -> dict[str, Any]:
    """The JSON object of a line.

    Raises:
      RecordError: it is none; `name` says where it stands.
    """
    found = _decoded(line, name, way_out)
    if not isinstance(found, dict):
        raise RecordError(f"{name} is damaged (it is not {mapping().text}): {way_out}")
    return found


def mapping() -> Kind:
    """A JSON object."""
    return Kind("a JSON object", lambda x: isinstance(x, dict))


def texts() -> Kind:
    """A list of texts."""
    return Kind(
        "a list of texts", lambda x: isinstance(x, list) and all(isinstance(y, str) for y in x)
    )


def _decoded(content: bytes, name: str, way_out: str) -> Any:
    try:
        return json.loads(content)
    # Bytes that are no text, text that is no JSON, and brackets nested too deeply.
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        wrong = "it is empty" if not content.strip() else str(error)
        raise RecordError(f"{name} is damaged ({wrong}): {way_out}") from None
