"""Reads from a compiled program's text what its devices send one another."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

KINDS = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute")
# How often an array travels around a ring: a sum is scattered, then gathered.
_ROUNDS = {"all-reduce": 2}
_BITS = {"pred": 8, "token": 0, "c64": 64, "c128": 128}
_SHAPE = re.compile(r"\b(pred|token|[a-z]+(\d+)\w*)\[([\d,]*)\]")
_INSTRUCTION = re.compile(r"^\s*(?:ROOT )?%?[\w.\-]+ = (.*)$")
_OPERATION = re.compile(rf" ({'|'.join(KINDS)})(-start)?\(")
_CALLED = re.compile(
    r"\b(?:calls|to_apply|body|condition|true_computation|false_computation)=%?([\w.\-]+)"
    r"|(?:branch_computations|called_computations)=\{([^}]*)\}"
)
_TRIPS = re.compile(r'"known_trip_count":\{"n":"(\d+)"\}')
_CHANNEL = re.compile(r"channel_id=\d+")
_MESH = re.compile(r"replica_groups=mesh\[([^\]]*)\](?:, device_ids=[^{]*)? ?\{([^}]*)\}")
_COMPUTATION = re.compile(r"^(ENTRY )?%?([\w.\-]+) .*\{$")


@dataclass(frozen=True)
class Collective:
    """A collective operation between devices.

    Attributes:
      kind: one of `KINDS`.
      size: bytes of the whole array on one device of a group: the array that is summed, the
        gathered array, the array before a reduce-scatter, or the exchanged array.
      group: number of devices in a group.
      times: how often one run of the program does it; once for each iteration of a loop.
    """

    kind: str
    size: int
    group: int
    times: int = 1

    @property
    def sent(self) -> float:
        """Bytes that a device sends each time on a ring of its group, which is the minimum."""
        if self.kind == "collective-permute":
            return self.size
        return _ROUNDS.get(self.kind, 1) * self.size * (self.group - 1) / self.group


def collectives(program: str) -> list[Collective]:
    """Lists the collectives of a program in the order of its text.

    Args:
      program: `compiled.as_text()` of a `jax.stages.Compiled`. A loop counts as one iteration if
        XLA does not state its number of iterations.
    """
    computations = dict(_computations(program))
    times = _times(computations)
    partitions = re.search(r"num_partitions=(\d+)", program)
    devices = int(partitions[1]) if partitions else 1
    found = {
        _identity(line, place): replace(one, times=times.get(name, 0))
        for place, (name, line) in enumerate(_lines(computations))
        if (one := _read(line, devices)) is not None
    }
    return [one for one in found.values() if one.times and one.group > 1]


def _lines(computations: dict[str, list[str]]) -> Iterator[tuple[str, str]]:
    return ((name, line) for name, lines in computations.items() for line in lines)


def _identity(line: str, place: int) -> str | int:
    """Returns one identity for the parts of a collective that a TPU spreads over computations."""
    channel = _CHANNEL.search(line) if "chain_id=" in line else None
    return channel[0] if channel else place


def _computations(program: str) -> Iterator[tuple[str, list[str]]]:
    """Yields names and instructions of a program's functions; the entry has an empty name."""
    name: str | None = None
    lines: list[str] = []
    for line in program.splitlines():
        head = _COMPUTATION.match(line)
        if head and not line.startswith(" "):
            name, lines = "" if head[1] else head[2], []
        elif line.startswith("}") and name is not None:
            yield name, lines
            name = None
        elif name is not None:
            lines.append(line)


def _times(computations: dict[str, list[str]]) -> dict[str, int]:
    """Returns how often each function runs in one run of the program."""
    calls: dict[str, list[tuple[str, int]]] = {}
    for caller, lines in computations.items():
        for line in lines:
            trips = _TRIPS.search(line) if " while(" in line else None
            for one, several in _CALLED.findall(line):
                for callee in re.findall(r"[\w.\-]+", one or several):
                    calls.setdefault(callee, []).append((caller, int(trips[1]) if trips else 1))

    @functools.cache
    def count(name: str) -> int:
        if name == "":
            return 1
        return sum(turns * count(caller) for caller, turns in calls.get(name, []))

    return {name: count(name) for name in computations}


def _read(line: str, devices: int) -> Collective | None:
    instruction = _INSTRUCTION.match(line)
    operation = _OPERATION.search(instruction[1]) if instruction else None
    if instruction is None or operation is None:
        return None
    kind, result = operation[1], instruction[1][: operation.start()]
    sizes = [_bytes(*shape) for shape in _SHAPE.findall(result)]
    group = _group(line, devices)
    size = sum(_results(kind, sizes) if operation[2] else sizes)
    return Collective(kind, size * group if kind == "reduce-scatter" else size, group)


def _results(kind: str, sizes: list[int]) -> list[int]:
    """Returns the result's part of the shapes of an asynchronous start."""
    if kind == "all-reduce":
        return sizes
    if kind == "collective-permute":
        return sizes[1:2]
    return sizes[len(sizes) // 2 :]


def _bytes(kind: str, bits: str, dimensions: str) -> int:
    each = _BITS.get(kind, int(bits or 0))
    return math.ceil(each * math.prod(int(size) for size in dimensions.split(",") if size) / 8)


def _group(line: str, devices: int) -> int:
    """Returns a group's size: `{{0,1},{2,3}}`, `[2,2]<=[4]`, groups by members, or mesh axes."""
    if "source_target_pairs=" in line:
        return 2
    if listed := re.search(r"replica_groups=\{\{([\d,]*)\}", line):
        return len(listed[1].split(","))
    if counted := re.search(r"replica_groups=\[\d+,(\d+)\]", line):
        return int(counted[1])
    if mesh := _MESH.search(line):
        sizes = dict(re.findall(r"'(\w+)'=(\d+)", mesh[1]))
        # For a divided axis, as in `'a':(2)4`, the last number counts.
        axes = re.findall(r"'(\w+)'(?::\(\d+\)(\d+))?", mesh[2])
        return math.prod(int(part or sizes[axis]) for axis, part in axes)
    if (other := re.search(r"replica_groups=([^{]|\{[^}])", line)) is not None:
        raise ValueError(f"device groups have an unknown format: {line[other.start() :]}")
    return devices
