"""Names the action in a video file: the five likeliest classes and their probabilities.

Example:
  python -m experiments.predict --workdir=runs/demo --video=my.mp4
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from experiments import command_line
from vidjax.training.config import from_mapping
from vidjax.training.predicting import predict

_WORKDIR = flags.DEFINE_string("workdir", None, "the run's directory")
_VIDEO = flags.DEFINE_string("video", None, "a video file")
_CHECKPOINT = flags.DEFINE_string("checkpoint", "last", "a step, best or last")
flags.mark_flags_as_required(["workdir", "video"])
_CONFIG = command_line.config_of_workdir()


def main() -> None:
    """Prints the top five."""
    config, workdir = from_mapping(_CONFIG.value), Path(_WORKDIR.value)
    for name, probability in predict(config, workdir, _CHECKPOINT.value, Path(_VIDEO.value)):
        print(f"{probability:7.2%}  {name}")


if __name__ == "__main__":
    command_line.run(main, __doc__)
