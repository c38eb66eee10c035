"""Trains a network; started again with the same work directory, it goes on where it was.

Examples:
  python -m experiments.train --config=configs/demo.py --workdir=runs/demo
  python -m experiments.train --config=configs/demo.py:smoke=true --workdir=runs/smoke
  python -m experiments.train --config=configs/folder.py --workdir=runs/mine \
      --config.data.manifest=my_videos.csv --config.optimizer.lr=0.05

Exit codes: 0 done, 2 something given does not fit, 75 stopped by SIGTERM after saving.
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from experiments import command_line
from vidjax.training.config import from_mapping
from vidjax.training.loop import train
from vidjax.training.preemption import EXIT_CODE

_CONFIG = command_line.config_file()
_WORKDIR = flags.DEFINE_string("workdir", None, "where the run keeps its files")
flags.mark_flags_as_required(["config", "workdir"])


def main() -> int:
    """Trains to the end of the configuration's duration."""
    workdir = Path(_WORKDIR.value)
    outcome = train(from_mapping(_CONFIG.value), workdir)
    if outcome.preempted:
        print(f"stopped after step {outcome.step}; the same command resumes it")
        return EXIT_CODE
    print(f"done: {outcome.step} steps, results in {workdir}")
    return 0


if __name__ == "__main__":
    command_line.run(main, __doc__)
