"""Prints the options of a network, with their defaults, meanings and allowed values.

Examples:
  vidjax options r3d_18
  vidjax options r3d_18 --option=class_reg
"""

from __future__ import annotations

from absl import flags

from vidjax.models.option_table import options
from vidjax.terminal import say

from . import command_line

_OPTION = flags.DEFINE_string(
    "option", "", "NAME: Prints this option alone, with the settings inside of it."
)


def main(name: str) -> None:
    """Prints a network's options."""
    found = options(name)
    shown = found.only(_OPTION.value) if _OPTION.value else found
    say(*str(shown).splitlines())


if __name__ == "__main__":
    command_line.answer(main, __doc__, ["NETWORK"])
