"""Prints the table of all networks (docs/models.md), or writes their model cards (docs/networks).

A card has the numbers of a network, a diagram of its stages, the accuracies that the publishers of
its weights state, the rows of the papers' tables, and its options. Everything is read from the
registry and from the networks' programs. All cards take two minutes.

Examples:
  vidjax zoo > docs/models.md
  vidjax zoo --cards=docs/networks
"""

from __future__ import annotations

from absl import flags

from vidjax.storage.paths import as_path
from vidjax.terminal import say

from .. import command_line
from . import cards, networks_page

_CARDS = flags.DEFINE_string(
    "cards", None, "FOLDER: Writes a page per family of networks, and a diagram per network."
)


def main() -> None:
    """Prints the page, or writes the cards and prints the names of their files."""
    if not _CARDS.value:
        say(*networks_page.table().splitlines())
        return
    for file in cards.write_cards(as_path(_CARDS.value)):
        say(f"  {file}")


if __name__ == "__main__":
    command_line.answer(main, __doc__)
