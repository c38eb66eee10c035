"""The commands: `vidjax NAME --help`, or in a clone `python -m experiments.NAME --help`."""

import sys

from vidjax.startup import guard

# While `python -m` looks for the module; elsewhere Ctrl-C and limits are the program's own.
if sys.argv[:1] == ["-m"]:
    guard()
