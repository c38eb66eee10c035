"""Parses a command's flags: `python -m tests.documentation.parsed experiments.train ...`.

It ends before the command would begin its work. It fails if the command would refuse its flags, its
configuration or the number of its arguments.
"""

import runpy
import sys

from absl import flags
from ml_collections import ConfigDict

from experiments import command_line
from vidjax.run.config import from_mapping


def _check(main, given, arguments, terminated):
    del main, terminated
    known = flags.FLAGS
    if "config" in known and isinstance(known["config"].value, ConfigDict):
        from_mapping(known["config"].value)
    needed = [name for name in arguments if not name.startswith("[")]
    many = bool(arguments) and arguments[-1].strip("[]").endswith(command_line.MANY)
    most = len(given) if many else len(arguments)
    if not len(needed) <= len(given) <= most:
        raise SystemExit(f"error: arguments {given} for {arguments}")
    return 0


if __name__ == "__main__":
    command_line._guarded = _check
    module, sys.argv = sys.argv[1], sys.argv[1:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
