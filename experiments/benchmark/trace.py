"""Reads the time of each operation of a compiled program from a trace of JAX's profiler."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax

# ` = f32[8,3]{1,0} fusion(`: types hold no word between a space and a parenthesis.
_INSTRUCTION = re.compile(r"^\s*(?:ROOT )?%?([\w.\-]+) = .*? ([a-z][a-z0-9\-]*)\(", re.MULTILINE)
_OP_NAME = re.compile(r'op_name="([^"]*)"')
# These only wait for the instructions that they call, which have events of their own.
_CONTROL = ("while", "call", "conditional")
# Parts of the name stack that are neither modules nor the primitive at the end.
_NO_MODULE = re.compile(
    r".*[().<].*|while|body|cond|closed_call|checkpoint|rematted_computation|branch_\d+_fun"
)


@dataclass(frozen=True)
class Instruction:
    """An instruction of a compiled program.

    Attributes:
      opcode: XLA's name of the operation, such as `fusion`.
      layer: path of the module that it was compiled from; for a fusion, that of its last operation.
        Empty outside of the network.
      direction: `forward`, `backward`, or `update` for the rest of a step.
    """

    opcode: str
    layer: str
    direction: str

    @property
    def kind(self) -> str:
        """Role and direction, such as `conv, backward`, without the numbers of layers."""
        role = self.layer.rpartition("/")[2].rstrip("0123456789_")
        return f"{role or 'outside of layers'}, {self.direction}"


def instructions(program_text: str) -> dict[str, Instruction]:
    """Returns the instructions in the text of a compiled program, by name."""
    found = {}
    for match in _INSTRUCTION.finditer(program_text):
        line_end = program_text.find("\n", match.end())
        op_name = _OP_NAME.search(program_text, match.end(), line_end)
        found[match[1]] = _instruction(match[2], op_name[1] if op_name else "")
    return found


def _instruction(opcode: str, op_name: str) -> Instruction:
    modules = [part for part in op_name.split("/")[:-1] if not _NO_MODULE.fullmatch(part)]
    backward = "transpose(" in op_name
    direction = "backward" if backward else "forward" if "jvp(" in op_name else "update"
    return Instruction(opcode, "/".join(modules), direction)


def operation_times(folder: Path) -> Counter[str]:
    """Returns each operation's nanoseconds, without operations inside it, by program name.

    Raises:
      ValueError: the folder has no trace, or the trace has no operation.
    """
    files = sorted(folder.rglob("*.xplane.pb"))
    if not files:
        raise ValueError(f"{folder}: the folder has no trace (*.xplane.pb)")
    times: Counter[str] = Counter()
    for line, on_device in _lines(jax.profiler.ProfileData.from_file(str(files[-1])).planes):
        named = [(event, _operation(event, on_device)) for event in line.events]
        times.update(_self_times([(event, name) for event, name in named if name]))
    if not times:
        raise ValueError(
            f"{files[-1]}: the trace has no operation; did anything run under the profiler?"
        )
    return times


def _lines(planes: Iterable[Any]) -> Iterator[tuple[Any, bool]]:
    """Yields the lines with operations, of accelerators if there are any, else of the host."""
    planes = list(planes)
    devices = [plane for plane in planes if plane.name.startswith("/device:")]
    lines = [line for plane in devices for line in plane.lines]
    # A GPU has one line per stream. A TPU has one line of operations; its others are summaries.
    lines = [line for line in lines if line.name.startswith(("Stream", "XLA Ops"))]
    if any(True for line in lines for _ in line.events):
        return ((line, True) for line in lines)
    return ((line, False) for plane in planes for line in plane.lines)


def _operation(event: Any, on_device: bool) -> str:
    """Returns the name of an event's instruction, or of its kernel; empty for other events."""
    operation = dict(event.stats).get("hlo_op", "")
    if operation or not on_device:
        return str(operation)
    return str(event.name).partition(" = ")[0].lstrip("%")


def _self_times(events: list[tuple[Any, str]]) -> Counter[str]:
    """Returns the times of events without those of the events inside them."""
    times: Counter[str] = Counter()
    open_events: list[tuple[float, str]] = []
    for event, name in sorted(events, key=lambda each: (each[0].start_ns, -each[0].duration_ns)):
        while open_events and open_events[-1][0] <= event.start_ns:
            open_events.pop()
        if open_events:
            times[open_events[-1][1]] -= event.duration_ns
        times[name] += event.duration_ns
        open_events.append((event.start_ns + event.duration_ns, name))
    return times


def without_control(times: Mapping[str, float], known: Mapping[str, Instruction]) -> Counter[str]:
    """Removes loops and calls, whose bodies have times of their own."""
    return Counter(
        {
            name: ns
            for name, ns in times.items()
            if name not in known or known[name].opcode not in _CONTROL
        }
    )
