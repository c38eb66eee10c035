"""Options on a command line: `--option=name=value`, as often as there are."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any


def parsed(texts: Sequence[str], example: str, *, flag: str = "option") -> dict[str, Any]:
    """Options by name: values as Python writes them, and text where Python knows no value.

    Args:
      texts: `name=value` each.
      example: of one, for the error.
      flag: name of the flag.

    Raises:
      ValueError: a text is no `name=value`, or names an option twice.
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
