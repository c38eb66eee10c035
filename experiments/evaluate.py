"""Scores a trained network on every video of a split, with several views of each.

Examples:
  python -m experiments.evaluate --workdir=runs/demo
  python -m experiments.evaluate --workdir=runs/demo --checkpoint=best \
      --config.eval.clips=10 --config.eval.crops=3
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from experiments import command_line, distributed
from vidjax.evaluation.report import read_scores
from vidjax.progress import ProgressLine
from vidjax.run.config import from_mapping
from vidjax.run.processes import is_first
from vidjax.terminal import say
from vidjax.trained.scoring import evaluate

_WORKDIR = flags.DEFINE_string("workdir", None, "the run's directory")
_CHECKPOINT = flags.DEFINE_string("checkpoint", "last", "a step, best or last")
flags.mark_flag_as_required("workdir")
_CONFIG = command_line.config_of_workdir()
flags.adopt_module_key_flags(distributed)


def main() -> None:
    """Evaluates and writes the report."""
    config = from_mapping(_CONFIG.value)
    with ProgressLine(silent=not is_first()) as progress:
        files = evaluate(
            config,
            Path(_WORKDIR.value),
            _CHECKPOINT.value,
            progress,
            unprepared=command_line.unless_named("config.data.data_dir", config.data.data_dir),
        )
    if not files:
        return
    scores = read_scores(files[0])
    say(
        f"{scores.protocol}: top-1 {scores.top1:.1%}, top-5 {scores.top5:.1%} of {scores.videos} "
        "videos"
    )
    for file in files:
        say(f"  {file}")


if __name__ == "__main__":
    command_line.run(distributed.in_company(main), __doc__)
