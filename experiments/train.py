r"""Trains a network; the same command resumes a run that was interrupted.

Examples:
  vidjax train --config=demo --workdir=runs/demo
  vidjax train --config=demo:smoke=true --workdir=runs/smoke
  vidjax train --config=folder --workdir=runs/mine \
      --config.data.manifest=my_videos.csv --config.optimizer.lr=0.05

docs/launching.md says how to start several processes, as on a cluster.

Exit codes:
  0    done
  2    a flag or a setting is wrong, or the processes of the job differ
  69   other processes of the job are absent or lost, or this one hung
  74   the machine failed: full disk, missing permission, too little memory
  75   SIGTERM; the run was saved, and the same command resumes it
  130  Ctrl-C
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
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "RUN: Folder of the run: its checkpoints, metrics and reports."
)
flags.mark_flags_as_required(["config", "workdir"])


def main() -> int:
    """Trains for the duration in the configuration."""
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
    watched = hang_timeout.watched(main, "the same command resumes from the last checkpoint")
    command_line.run(distributed.as_job_process(watched, EXIT_CODE), __doc__, terminated=EXIT_CODE)
