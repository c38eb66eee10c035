"""Which algorithm computes a convolution: that of the most similar one in a table of measurements.

`vidjax benchmark kernels --measure=table.csv` measures such a table on the machine
at hand; the environment's `VIDJAX_CONVOLUTIONS` names it, in place of the one that comes along for
the backend. A backend without a table has XLA's own convolution.
"""

from __future__ import annotations

import csv
import functools
import hashlib
import math
import os
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
_RENAMED = {"form": "algorithm"}
# Where nothing similar was measured: the first that fits.
_UNMEASURED = (
    "onednn", "pointwise", "shifted", "blocks", "winograd", "overlap", "phases", "patches", "taps",
    "xla",
)  # fmt: skip

# Channels up to which a convolution is narrow. In the table, each algorithm ran alone. In a
# program, algorithms of several operations lose more than a single call: training r3d_18 of width
# 16 on clips of 16x64x64 took 79 ms by the table, and 51 ms with oneDNN for narrow convolutions
# (two cores of an AMD EPYC, 2026-11-30).
_NARROW = 128


@dataclass(frozen=True)
class Measured:
    """A row of a table: a problem, a pass of it, and its algorithms, the fastest first."""

    name: str
    problem: Problem
    algorithms: tuple[str, ...]


def choose(name: str, problem: Problem, backend: str) -> str:
    """The algorithm for a pass of a problem.

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
    """Those that have a table."""
    return frozenset(_table(os.environ.get(VARIABLE, "")))


def given_table() -> dict[str, Any] | None:
    """The table that the environment names: path, sha256, and the backends it has rows for."""
    path = os.environ.get(VARIABLE, "")
    if not path:
        return None
    backends = sorted(_given(path))
    digest = hashlib.sha256(as_path(path).read_bytes()).hexdigest()
    return {"path": path, "sha256": digest, "backends": backends}


def read_table(path: Path) -> dict[str, list[Measured]]:
    """The rows of a table, by backend.

    Raises:
      ValueError: a column is missing, or a value is not one; the line is named.
    """
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not a table but a binary file ({error.reason})") from error
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    reader = csv.DictReader(lines)
    # Tables that were measured before version 0.2 call an algorithm a form.
    reader.fieldnames = [_RENAMED.get(name, name) for name in reader.fieldnames or ()]
    if missing := [column for column in COLUMNS if column not in (reader.fieldnames or ())]:
        raise ValueError(f"{path}: no column {', '.join(missing)}; it has {reader.fieldnames}")
    table: dict[str, list[Measured]] = {}
    for number, row in enumerate(reader, 1):
        try:
            # Of a row that was cut off, as by an interrupted measurement, the rest is None.
            if absent := [column for column in COLUMNS if row[column] is None]:
                raise ValueError(f"no {', '.join(absent)}; take the row out or measure anew")
            algorithms = (row["algorithm"], *(each.split(":")[0] for each in row["others"].split()))
            if unknown := [algorithm for algorithm in algorithms if algorithm not in ALGORITHMS]:
                raise ValueError(f"algorithm {unknown[0]!r}: one of {', '.join(ALGORITHMS)}")
            measured = Measured(row["pass"], problem_of_row(row), algorithms)
        except ValueError as error:
            raise ValueError(f"{path}, row {number}: {error}") from error
        table.setdefault(row["backend"], []).append(measured)
    return table


def row_of(name: str, problem: Problem, backend: str, ms: dict[str, float]) -> dict[str, str]:
    """The row of a table that says how long each algorithm took, in milliseconds."""
    order = sorted(ms, key=lambda algorithm: ms[algorithm])
    return {
        **key_of(name, problem, backend),
        "algorithm": order[0],
        "ms": f"{ms[order[0]]:.3g}",
        "others": " ".join(f"{algorithm}:{ms[algorithm]:.3g}" for algorithm in order[1:]),
    }


def key_of(name: str, problem: Problem, backend: str) -> dict[str, str]:
    """What a row of a table is about, by its columns."""
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
    """The convolution that a row of a table is about."""
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
    """The rows that come along, and those that were given in place of them for their backends."""
    table = read_table(Path(__file__).with_name("measured.csv"))
    return {**table, **_given(given)} if given else table


def _given(path: str) -> dict[str, list[Measured]]:
    if not as_path(path).is_file():
        raise ValueError(
            f"{VARIABLE}={path}: no such table; `benchmark kernels --measure` makes one"
        )
    return read_table(as_path(path))


def _alike(row: Measured, problem: Problem) -> bool:
    """Only what is of the same kind, extent and stridedness says something about a problem."""
    other = row.problem
    return (other.kind, other.extent, other.strided) == (
        problem.kind,
        problem.extent,
        problem.strided,
    )


def _distance(one: Problem, other: Problem) -> float:
    """How far apart two are in octaves of positions, frames, channels, outputs and taps."""
    return math.hypot(*(math.log2(a / b) for a, b in zip(_sizes(one), _sizes(other), strict=True)))


def _sizes(problem: Problem) -> tuple[int, ...]:
    frame = problem.size[1] * problem.size[2]
    taps = math.prod(problem.kernel[:3])
    return max(problem.positions, 1), max(frame, 1), *problem.kernel[3:], taps
