"""Reads the fusions of a compiled program from its text."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from experiments.benchmark.trace import instructions

_COMPUTATION = re.compile(r"^(?:ENTRY )?%?([\w.\-]+) .*\{$")
# ` = f32[8,3]{1,0} fusion(%a, %b), `: types hold no word between a space and a parenthesis.
_LINE = re.compile(r"^\s+(ROOT )?%([\w.\-]+) = (.*?) ([a-z][a-z0-9\-]*)\((.*)$")
_NAME = re.compile(r"%([\w.\-]+)")


@dataclass(frozen=True)
class Line:
    """An instruction: its operation, module, shape and operands."""

    name: str
    opcode: str
    layer: str
    shape: tuple[int, ...]
    operands: tuple[str, ...]
    is_root: bool

    @property
    def size(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True)
class Computation:
    """Instructions that run together if `fused`, and one by one otherwise."""

    lines: tuple[Line, ...]
    fused: bool

    def readers(self, line: Line) -> set[Line]:
        """Returns the instructions that finally read the result of an instruction."""
        names, found = {line.name}, set()
        for other in self.lines:
            if not names.isdisjoint(other.operands):
                names.add(other.name)
                found.add(other)
        return found

    def leaves(self, line: Line) -> bool:
        """Returns whether an instruction's own result is written to memory."""
        tuples = [other for other in self.lines if other.is_root and other.opcode == "tuple"]
        written = {name for other in tuples for name in other.operands}
        return not self.fused or line.is_root or line.name in written


def computations(text: str) -> list[Computation]:
    """Parses the computations in the text of a compiled program."""
    known = instructions(text)
    fused = set(re.findall(r" fusion\(.*?calls=%([\w.\-]+)", text))
    found = []
    for name, lines in _bodies(text):
        parsed = (_parse(line, known) for line in lines)
        found.append(Computation(tuple(filter(None, parsed)), name in fused))
    return found


def kernels(text: str) -> set[str]:
    """Returns the distinct fusions of a program. XLA compiles each once, whatever its name."""
    fused = set(re.findall(r" fusion\(.*?calls=%([\w.\-]+)", text))
    return {_nameless(lines) for name, lines in _bodies(text) if name in fused}


def _nameless(lines: list[str]) -> str:
    """Returns instructions with numbers in place of names and without metadata, to compare them."""
    numbers: dict[str, str] = {}
    body = re.sub(r", (?:metadata|backend_config)=\{.*", "", "\n".join(lines), flags=re.M)
    return _NAME.sub(lambda name: numbers.setdefault(name[1], f"%{len(numbers)}"), body)


def _bodies(text: str) -> Iterator[tuple[str, list[str]]]:
    name, lines = "", []
    for line in text.splitlines():
        if head := _COMPUTATION.match(line):
            name, lines = head[1], []
        elif line.startswith("}"):
            yield name, lines
        else:
            lines.append(line)


def _parse(line: str, known) -> Line | None:
    match = _LINE.match(line)
    if match is None:
        return None
    root, name, kind, opcode, rest = match.groups()
    sizes = re.search(r"\[([\d,]*)\]", kind)
    shape = tuple(int(size) for size in sizes[1].split(",") if size) if sizes else ()
    operands = tuple(_NAME.findall(rest.partition(")")[0]))
    return Line(name, opcode, known[name].layer, shape, operands, bool(root))
