"""Reads the commands and Python blocks of the documentation, so that tests can run them."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^vidjax (\w+)(.*)$")


@dataclass(frozen=True)
class Typed:
    """A block of Python, or a command.

    Attributes:
      file: the page of the documentation.
      python: the code; empty for a command.
      module: module of the command, such as `experiments.train`.
      arguments: arguments of the command.
    """

    file: str
    python: str = ""
    module: str = ""
    arguments: tuple[str, ...] = ()

    def __str__(self):
        words = self.python.split("\n")[0] if self.python else " ".join(self.arguments)
        return f"{self.file}: {self.module} {words}"


def typed_in(file, heading=None):
    """Returns the code blocks of a Markdown file, or of one of its sections, in order."""
    text = (ROOT / file).read_text()
    if heading is not None:
        (text,) = re.findall(
            rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL
        )
    found = []
    for language, block in _BLOCK.findall(text):
        if language == "python":
            found.append(Typed(file, python=block))
        else:
            lines = block.replace("\\\n", " ").splitlines()
            matches = filter(None, map(_COMMAND.match, lines))
            found += [
                Typed(
                    file,
                    module=f"experiments.{m[1]}",
                    arguments=tuple(shlex.split(m[2], comments=True)),
                )
                for m in matches
            ]
    return found
