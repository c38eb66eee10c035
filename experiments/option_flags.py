"""Reads options from the command line: `--option=name=value`, given several times."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any


def parsed(texts: Sequence[str], example: str, *, flag: str = "option") -> dict[str, Any]:
    """Returns options by name; a value is a Python literal, or else text.

    Args:
      texts: each is `name=value`.
      example: an example of one, for the error message.
      flag: name of the flag, for the error message.

    Raises:
      ValueError: a text is not `name=value`, or an option is given twice.
    """
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise ValueError(f"--{flag}={text}: name=value is expected, such as {example}")
        if name in values:
            raise ValueError(f"--{flag}={text}: {name} is given twice")
        try:
            values[name] = ast.literal_eval(value)
        except (SyntaxError, ValueError):
            values[name] = value
    return values
