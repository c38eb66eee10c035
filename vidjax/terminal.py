"""Output for people in a terminal.

Names of files, classes and modules come from others. They are printed as plain text, whatever they
contain: terminal codes for colours and titles, and rich's markup, have no effect.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any

from rich.console import Console
from rich.table import Table

from vidjax.untrusted_names import printable


def say(*lines: object, to: IO[str] | None = None) -> None:
    """Prints lines to standard output.

    Args:
      lines: a text each, or objects that have a text; line breaks within one are escaped, so that a
        name cannot pretend to be a line of its own.
      to: stream to print to; None is standard output.
    """
    for line in lines:
        print(printable(str(line)), file=to or sys.stdout, flush=True)


def complain(*lines: object) -> None:
    """Prints lines to standard error."""
    say(*lines, to=sys.stderr)


def shown(text: str) -> str:
    r"""Escapes what a terminal would interpret, for example as `\x1b`; keeps line breaks."""
    return "\n".join(map(printable, text.split("\n")))


def console(**settings: Any) -> Console:
    """Makes a rich console that ignores markup in texts."""
    return Console(markup=False, highlight=False, emoji=False, **settings)


def table(
    title: str | None,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    width: int | None = None,
) -> None:
    """Prints a table with the first column aligned left, and the others right.

    Args:
      title: title above the table.
      columns: names of the columns.
      rows: one row of values each.
      width: largest width of the table; None is the terminal's.
    """
    drawn = Table(title=title and shown(title), title_justify="left")
    for place, column in enumerate(columns):
        drawn.add_column(shown(column), justify="right" if place else "left")
    for row in rows:
        drawn.add_row(*(shown(str(value)) for value in row))
    console(width=width).print(drawn)


@contextlib.contextmanager
def without_absl_warnings() -> Iterator[None]:
    """Silences a library's warning of what is intended here; commands silence all of them."""
    from absl import logging

    before = logging.get_verbosity()
    logging.set_verbosity(min(before, logging.ERROR))
    try:
        yield
    finally:
        logging.set_verbosity(before)
