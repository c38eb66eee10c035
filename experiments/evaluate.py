r"""Evaluates a trained network on every video of a split, with several views per video.

It writes a report with the scores, the predictions and the confusions into the run's folder `eval`.

Examples:
  vidjax evaluate --workdir=runs/demo
  vidjax evaluate --workdir=runs/demo --checkpoint=best \
      --config.eval.clips=10 --config.eval.crops=3
  vidjax evaluate --weights=i3d:kinetics400 --config.data.manifest=videos.csv
  vidjax evaluate --workdir=runs/rgb --scores
"""

from __future__ import annotations

from absl import flags

from vidjax.data.class_mapping import read_class_mapping
from vidjax.evaluation.report import describe
from vidjax.progress import ProgressLine
from vidjax.run.config import Config
from vidjax.run.process_consistency import agree
from vidjax.run.processes import is_first
from vidjax.storage.paths import as_path
from vidjax.terminal import say
from vidjax.trained.scoring import evaluate

from . import command_line, distributed, hang_timeout, network_flags

_OUTPUT = flags.DEFINE_string(
    "output", None, "FOLDER: Folder for the report of --weights; a run keeps its own reports."
)
_LABEL_MAP = flags.DEFINE_string(
    "label_map",
    None,
    "FILE: CSV with the columns `label` and `class`: the network's class for each label of the "
    "data set.",
)
_SCORES = flags.DEFINE_bool(
    "scores", False, "Also writes the scores of all classes, as an .npz file for `vidjax fuse`."
)
flags.adopt_module_key_flags(network_flags)
command_line.renamed("mapping", "label_map")
_CONFIG = network_flags.define_config()
flags.adopt_module_key_flags(distributed)
flags.adopt_module_key_flags(hang_timeout)


def main() -> None:
    """Evaluates and writes the report."""
    if _OUTPUT.value and network_flags.WORKDIR.value:
        raise ValueError("--output is for --weights alone: a run keeps its own reports")
    mapping = read_class_mapping(as_path(_LABEL_MAP.value)) if _LABEL_MAP.value else None
    config, trained = network_flags.opened(_CONFIG.value)
    output = as_path(_OUTPUT.value) if _OUTPUT.value else network_flags.folder()
    folder = "--output" if _OUTPUT.value else "the folder of the report"
    agree(
        config, {folder: output}, weights=trained.source, checkpoint=network_flags.CHECKPOINT.value
    )
    with ProgressLine(silent=not is_first()) as progress:
        files = evaluate(
            config,
            trained,
            output,
            progress,
            mapping=mapping,
            unprepared=_unprepared(config),
            keep_scores=_SCORES.value,
        )
    if not files:
        return
    say(describe(files[0]))
    for file in files:
        say(f"  {file}")


def _unprepared(config: Config) -> str:
    """Tells how to prepare the data of a run, whose folders may belong to someone else."""
    if network_flags.WEIGHTS.value:
        return ""
    return command_line.unless_named("config.data.data_dir", config.data.data_dir)


if __name__ == "__main__":
    watched = hang_timeout.watched(main, "the same command evaluates again")
    command_line.run(distributed.as_job_process(watched), __doc__)
