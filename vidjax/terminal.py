"""What people read in a terminal.

Names of files, classes and modules come from others. Here they are text, whatever is in them: no
colours and titles of a terminal's own codes, no markup of rich's.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import IO, Any

from rich.console import Console
from rich.table import Table

from vidjax.untrusted_names import told


def say(*lines: object, to: IO[str] | None = None) -> None:
    """Prints lines.

    Args:
      lines: a text each, or what has a text; a line break within one is written out, so that a
        name cannot pass for a line of its own.
      to: a stream; None is standard output.
    """
    for line in lines:
        print(told(str(line)), file=to or sys.stdout, flush=True)


def complain(*lines: object) -> None:
    """Prints lines to standard error."""
    say(*lines, to=sys.stderr)


def shown(text: str) -> str:
    r"""Text with what a terminal would obey written out, such as `\x1b`; line breaks stay."""
    return "\n".join(map(told, text.split("\n")))


def console(**settings: Any) -> Console:
    """A console of rich's that takes no markup from texts."""
    return Console(markup=False, highlight=False, emoji=False, **settings)


def table(
    title: str | None,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    width: int | None = None,
) -> None:
    """Prints a table: first column to the left, the others to the right.

    Args:
      title: above it.
      columns: their names.
      rows: values, a row each.
      width: of the table at most; None is the terminal's.
    """
    drawn = Table(title=title and shown(title), title_justify="left")
    for place, column in enumerate(columns):
        drawn.add_column(shown(column), justify="right" if place else "left")
    for row in rows:
        drawn.add_row(*(shown(str(value)) for value in row))
    console(width=width).print(drawn)
