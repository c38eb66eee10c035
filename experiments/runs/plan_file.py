"""The file of a plan: written before the first run starts, and only compared afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from vidjax import records
from vidjax.run import code_digest
from vidjax.run.workdir import environment
from vidjax.storage.writing import make_folder, write_text

# Not compared when a plan is resumed, because they do not affect the results.
_NOT_COMPARED = ("git_commit", "platform", "paper")


class Planned(msgspec.Struct):
    """The checked parts of every plan; the rest is only compared."""

    runs: dict[str, dict[str, Any]]


def write_down(file: Path, mapping: Mapping[str, Any], way_out: str) -> None:
    """Writes a plan with the code version and the machine, or checks that the file has the same.

    Args:
      file: file of the plan.
      mapping: the plan.
      way_out: what to do if the file has another plan, as the end of the error.

    Raises:
      ValueError: the file has another plan; the message says what differs.
    """
    here = {**mapping, "code": code_digest.digest(), "environment": environment()}
    plan = json.loads(json.dumps(here))
    if not file.is_file():
        make_folder(file.parent)
        write_text(file, json.dumps(plan, indent=2) + "\n")
        return
    differing = list(_differences(read(file, Planned, way_out), plan))
    if differing:
        more = " and more" if len(differing) > 3 else ""
        raise ValueError(f"{file} is another plan: {'; '.join(differing[:3])}{more}. {way_out}")


def read(file: Path, kind: type[msgspec.Struct], way_out: str) -> dict[str, Any]:
    """Reads a plan.

    Args:
      file: file of the plan.
      kind: the parts that are checked.
      way_out: what to do if the file is damaged, as the end of the error.

    Raises:
      RecordError: the file is damaged.
      OSError: it cannot be read.
    """
    return records.read_mapping(file, way_out, kind)


def _differences(old: Any, new: Any, path: str = "") -> Iterator[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new} - {*_NOT_COMPARED}):
            yield from _differences(old.get(key), new.get(key), f"{path}.{key}".lstrip("."))
    elif old != new:
        yield f"{path} is {_short(old)} there, {_short(new)} here"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
