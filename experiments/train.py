r"""Trains a network; started again with the same work directory, it goes on where it was.

Examples:
  vidjax train --config=demo --workdir=runs/demo
  vidjax train --config=demo:smoke=true --workdir=runs/smoke
  vidjax train --config=folder --workdir=runs/mine \
      --config.data.manifest=my_videos.csv --config.optimizer.lr=0.05

Several processes, as on a cluster, are started as docs/launching.md says.

Exit codes: 0 done, 2 something given does not fit or processes differ, 69 processes of the job did
not come or were lost, or this one hung, 74 the machine failed (full disk, permission, memory), 75
stopped by SIGTERM after saving, 130 Ctrl-C.
"""

from __future__ import annotations

from absl import flags

from vidjax.run.config import from_mapping
from vidjax.run.processes import is_first
from vidjax.startup import BEGAN
from vidjax.storage.paths import as_path
from vidjax.terminal import say
from vidjax.training.loop import train
from vidjax.training.preemption import EXIT_CODE

from . import command_line, distributed, hang_timeout

_CONFIG = command_line.config_file()
flags.adopt_module_key_flags(distributed)
flags.adopt_module_key_flags(hang_timeout)
_WORKDIR = flags.DEFINE_string("workdir", None, "where the run keeps its files")
flags.mark_flags_as_required(["config", "workdir"])


def main() -> int:
    """Trains to the end of the configuration's duration."""
    workdir = as_path(_WORKDIR.value)
    outcome = train(from_mapping(_CONFIG.value), workdir, began=BEGAN)
    if outcome.preempted:
        _say(f"stopped after step {outcome.step}; the same command resumes it")
        return EXIT_CODE
    _say(f"done: {outcome.step} steps, results in {workdir}")
    return 0


def _say(text: str) -> None:
    if is_first():
        say(text)


if __name__ == "__main__":
    watched = hang_timeout.watched(main, "the same command goes on from the last checkpoint")
    command_line.run(distributed.in_company(watched, EXIT_CODE), __doc__, terminated=EXIT_CODE)
