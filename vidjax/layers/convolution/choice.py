"""Chooses the algorithm for a convolution from a table of measured times.

The choice is the fastest algorithm for the most similar convolution in the table. vidjax ships a
table for CPUs. `vidjax benchmark kernels --measure=table.csv` measures one on your machine; set
`VIDJAX_CONVOLUTIONS=table.csv` in the environment to use it instead. A backend without a table uses
XLA's own convolution.
"""

from __future__ import annotations

import csv
import functools
import hashlib
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidjax.layers.convolution.algorithms import ALGORITHMS, candidates
from vidjax.layers.convolution.problem import Problem
from vidjax.storage.paths import as_path

VARIABLE = "VIDJAX_CONVOLUTIONS"
COLUMNS = (
    "backend", "pass", "clip", "kernel", "strides", "pads", "outputs", "groups", "algorithm", "ms",
    "others",
)  # fmt: skip
# Names in tables that were measured before version 0.2.
_RENAMED_COLUMNS = {"form": "algorithm"}
_RENAMED_ALGORITHMS = {"blocks": "space_to_depth", "overlap": "col2im", "patches": "im2col"}
_OLD_ALGORITHM = re.compile(rf"\b({'|'.join(_RENAMED_ALGORITHMS)})\b")
# The order of preference if the table has no similar convolution.
_UNMEASURED = (
    "onednn", "pointwise", "shifted", "space_to_depth", "winograd", "col2im", "phases", "im2col",
    "taps", "xla",
)  # fmt: skip

# Convolutions with at most this many channels are narrow. The table has times of single
# convolutions. Within a program, algorithms of several operations are slower than that: training
# r3d_18 of width 16 on clips of 16x64x64 took 79 ms by the table, and 51 ms with oneDNN for narrow
# convolutions (two cores of an AMD EPYC, 2026-11-30).
_NARROW = 128


@dataclass(frozen=True)
class Measured:
    """A row of a table: a pass of a problem, and the algorithms for it, fastest first."""

    name: str
    problem: Problem
    algorithms: tuple[str, ...]


def choose(name: str, problem: Problem, backend: str) -> str:
    """Returns the name of the algorithm for a pass of a problem.

    It is oneDNN for narrow convolutions, unless the environment names a table.
    """
    if backend not in backends():
        return "xla"
    fitting = set(candidates(name, problem))
    if "onednn" in fitting and _is_narrow(problem) and not os.environ.get(VARIABLE):
        return "onednn"
    rows = [row for row in _rows(name, backend) if _alike(row, problem)]
    rows = [row for row in rows if fitting.intersection(row.algorithms)]
    if not rows:
        return next(algorithm for algorithm in _UNMEASURED if algorithm in fitting)
    nearest = min(rows, key=lambda row: _distance(row.problem, problem))
    return next(algorithm for algorithm in nearest.algorithms if algorithm in fitting)


def _is_narrow(problem: Problem) -> bool:
    taps, channels = math.prod(problem.kernel[:3]), max(problem.kernel[3:])
    return problem.groups == 1 and taps > 1 and channels <= _NARROW


def backends() -> frozenset[str]:
    """Returns the backends that have a table."""
    return frozenset(_table(os.environ.get(VARIABLE, "")))


def given_table() -> dict[str, Any] | None:
    """Describes the table that the environment names: path, sha256 and backends; None if unset."""
    path = os.environ.get(VARIABLE, "")
    if not path:
        return None
    backends = sorted(_given(path))
    digest = hashlib.sha256(as_path(path).read_bytes()).hexdigest()
    return {"path": path, "sha256": digest, "backends": backends}


def read_table(path: Path) -> dict[str, list[Measured]]:
    """Reads the rows of a table, by backend.

    Raises:
      ValueError: a column is missing, or a value is not allowed; names the row.
    """
    table: dict[str, list[Measured]] = {}
    for number, row in enumerate(read_rows(path), 1):
        try:
            # An interrupted measurement may leave a row that is cut off; its other values are None.
            if absent := [column for column in COLUMNS if row[column] is None]:
                raise ValueError(f"no {', '.join(absent)}; delete the row or measure it again")
            algorithms = (row["algorithm"], *(each.split(":")[0] for each in row["others"].split()))
            if unknown := [algorithm for algorithm in algorithms if algorithm not in ALGORITHMS]:
                raise ValueError(f"algorithm {unknown[0]!r}: one of {', '.join(ALGORITHMS)}")
            measured = Measured(row["pass"], problem_of_row(row), algorithms)
        except ValueError as error:
            raise ValueError(f"{path}, row {number}: {error}") from error
        table.setdefault(row["backend"], []).append(measured)
    return table


def read_rows(path: Path) -> list[dict[str, str]]:
    """Reads the rows of a table by column; columns and algorithms of old tables get today's names.

    Raises:
      ValueError: it is not a text file, or lacks a column.
    """
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is a binary file, not a table ({error.reason})") from error
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    reader = csv.DictReader(lines)
    reader.fieldnames = [_RENAMED_COLUMNS.get(name, name) for name in reader.fieldnames or ()]
    if missing := [column for column in COLUMNS if column not in (reader.fieldnames or ())]:
        raise ValueError(f"{path}: no column {', '.join(missing)}; it has {reader.fieldnames}")
    renamed = ("algorithm", "others")
    return [{**row, **{column: _renamed(row[column]) for column in renamed}} for row in reader]


def _renamed(algorithms: str | None) -> Any:
    """Gives the algorithms in a cell their new names; None stays None."""
    return algorithms and _OLD_ALGORITHM.sub(lambda old: _RENAMED_ALGORITHMS[old[0]], algorithms)


def row_of(name: str, problem: Problem, backend: str, ms: dict[str, float]) -> dict[str, str]:
    """Makes the row of a table for a convolution's pass, from each algorithm's milliseconds."""
    order = sorted(ms, key=lambda algorithm: ms[algorithm])
    return {
        **key_of(name, problem, backend),
        "algorithm": order[0],
        "ms": f"{ms[order[0]]:.3g}",
        "others": " ".join(f"{algorithm}:{ms[algorithm]:.3g}" for algorithm in order[1:]),
    }


def key_of(name: str, problem: Problem, backend: str) -> dict[str, str]:
    """Returns the columns of a row that say which pass of which convolution it is about."""
    pads = "x".join(f"{before}+{after}" for before, after in problem.pads)
    return {
        "backend": backend,
        "pass": name,
        "clip": _text(problem.shape),
        "kernel": _text(problem.kernel[:3]),
        "strides": _text(problem.strides),
        "pads": pads,
        "outputs": str(problem.outputs),
        "groups": str(problem.groups),
    }


def _text(sizes: Sequence[int]) -> str:
    return "x".join(map(str, sizes))


def problem_of_row(row: Mapping[str, str]) -> Problem:
    """Returns the convolution that a row of a table is about."""
    shape, kernel, strides = (
        tuple(map(int, row[key].split("x"))) for key in ("clip", "kernel", "strides")
    )
    sides = (side.split("+") for side in row["pads"].split("x"))
    pads = tuple((int(before), int(after)) for before, after in sides)
    groups = int(row["groups"])
    time, height, width = strides
    weights = (*kernel, shape[4] // groups, int(row["outputs"]))
    return Problem(shape, weights, (time, height, width), pads, groups)


def _rows(name: str, backend: str) -> list[Measured]:
    return _named(os.environ.get(VARIABLE, ""), name, backend)


@functools.cache
def _named(given: str, name: str, backend: str) -> list[Measured]:
    return [row for row in _table(given).get(backend, ()) if row.name == name]


@functools.cache
def _table(given: str) -> dict[str, list[Measured]]:
    """Returns vidjax's own table, where a given table replaces the backends that it has."""
    table = read_table(Path(__file__).with_name("measured.csv"))
    return {**table, **_given(given)} if given else table


def _given(path: str) -> dict[str, list[Measured]]:
    if not as_path(path).is_file():
        raise ValueError(
            f"{VARIABLE}={path}: no such table; `vidjax benchmark kernels --measure` makes one"
        )
    return read_table(as_path(path))


def _alike(row: Measured, problem: Problem) -> bool:
    """Returns whether a row can predict a problem.

    Both have the same kind and extent, and both have a stride or neither.
    """
    other = row.problem
    return (other.kind, other.extent, other.strided) == (
        problem.kind,
        problem.extent,
        problem.strided,
    )


def _distance(one: Problem, other: Problem) -> float:
    """Measures how different two problems are, in octaves of positions, frame size and channels."""
    return math.hypot(*(math.log2(a / b) for a, b in zip(_sizes(one), _sizes(other), strict=True)))


def _sizes(problem: Problem) -> tuple[int, ...]:
    frame = problem.size[1] * problem.size[2]
    taps = math.prod(problem.kernel[:3])
    return max(problem.positions, 1), max(frame, 1), *problem.kernel[3:], taps
