r"""Shows what a trained network relies on.

Methods:
  frequency  accuracy on the evaluation split over the scale of the low frequencies (circles) and
             of the high frequencies (triangles) of the features, one scaled while the other is
             unchanged, where Random Mean Scaling has its places: figure 1 of its paper with one
             run, figure 4 with several. Writes frequency.csv and frequency.png.
  gates      how many clips of the evaluation split open each temporal gate (srtg), also in networks
             that were trained without testing them, and what the runs have logged of it. Writes
             gates.csv, gates_training.csv and gates.png.

Examples:
  python -m experiments.explain --workdir=runs/demo --method=frequency --output=explained/demo
  python -m experiments.explain --workdir=runs/plain,runs/rms --method=frequency \
      --scales=0,0.5,1,1.5,2 --output=explained/rms
  python -m experiments.explain --workdir=runs/srtg --method=gates --output=explained/srtg
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from absl import flags

from experiments import command_line
from vidjax.data.transforms import normalize
from vidjax.explain.frequency import Point, points_of, scaled_parts, settings_of
from vidjax.explain.frequency_report import draw_points
from vidjax.explain.gates import GateLog, GateState, gate_scores, gates_of, read_log, states_of
from vidjax.explain.gates_report import draw_gates
from vidjax.explain.rows import write_rows
from vidjax.training.config import Config, from_mapping, nearest
from vidjax.training.experiment import Experiment
from vidjax.training.network import Network
from vidjax.training.reporting import ProgressLine
from vidjax.training.restoring import restore
from vidjax.training.scoring import Scorer
from vidjax.training.workdir import read_config

_WORKDIR = flags.DEFINE_list("workdir", None, "the run's directory; several with commas between")
_METHOD = flags.DEFINE_string("method", None, "how to explain: frequency or gates")
_OUTPUT = flags.DEFINE_string("output", None, "folder for tables and pictures")
_CHECKPOINT = flags.DEFINE_string("checkpoint", "last", "a step, best or last")
_SCALES = flags.DEFINE_list(
    "scales", "0,0.25,0.5,0.75,1,1.25,1.5,1.75,2", "frequency: factors of one part"
)
flags.mark_flags_as_required(["workdir", "method", "output"])


def main() -> None:
    """Explains and names the files written."""
    if _METHOD.value not in METHODS:
        raise ValueError(f"method {_METHOD.value!r} is unknown: {nearest(_METHOD.value, METHODS)}")
    runs = list(dict.fromkeys(map(Path, _WORKDIR.value)))
    if not runs:
        raise ValueError("--workdir names no run")
    with ProgressLine() as progress:
        files = METHODS[_METHOD.value](runs, Path(_OUTPUT.value), progress)
    for file in files:
        print(f"  {file}")


def explain_frequency(runs: Sequence[Path], output: Path, progress: ProgressLine) -> list[Path]:
    """Scales the parts of the features in the networks of the runs."""
    scales = _scales(_SCALES.value)
    table, picture = files = _new_files(output, "frequency.csv", "frequency.png")
    # All runs are opened before the first is scored: what does not fit is said at once.
    opened = [(run, *_open(run, progress)) for run in runs]
    output.mkdir(parents=True, exist_ok=True)
    points = [point for each in opened for point in _curves(*each, scales, progress)]
    write_rows(table, Point, points)
    draw_points(points).savefig(picture, dpi=110, bbox_inches="tight")
    return files


def explain_gates(runs: Sequence[Path], output: Path, progress: ProgressLine) -> list[Path]:
    """Tests the gates in the networks of the runs."""
    table, training, picture = files = _new_files(
        output, "gates.csv", "gates_training.csv", "gates.png"
    )
    states = [state for run in runs for state in _gates(run, progress)]
    logs = [log for run in runs for log in read_log(run, str(run))]
    output.mkdir(parents=True, exist_ok=True)
    write_rows(table, GateState, states)
    write_rows(training, GateLog, logs)
    draw_gates(states, logs).savefig(picture, dpi=110, bbox_inches="tight")
    return files


Method = Callable[[Sequence[Path], Path, ProgressLine], list[Path]]
METHODS: Mapping[str, Method] = {"frequency": explain_frequency, "gates": explain_gates}


def _scales(texts: Sequence[str]) -> list[float]:
    try:
        scales = sorted({float(text) for text in texts})
    except ValueError:
        scales = []
    if not scales or not all(map(math.isfinite, scales)):
        raise ValueError(f"--scales={','.join(texts)}: numbers are due, such as 0,0.5,1,1.5,2")
    return scales


def _new_files(output: Path, *names: str) -> list[Path]:
    if output.exists() and not output.is_dir():
        raise ValueError(f"--output={output} is a file; name a folder")
    files = [output / name for name in names]
    for file in files:
        if file.exists():
            raise ValueError(f"{file} is there already; name another --output or move it away")
    return files


def _open(run: Path, progress: ProgressLine) -> tuple[Scorer, Any]:
    """What scores the run's videos, given variables and factors, and the run's variables."""
    config = _with_places(from_mapping(read_config(run)))
    experiment = Experiment.open(config, progress.count)
    scorer = Scorer(experiment, _scaled(experiment.network))
    _, state = restore(experiment.network, run, _CHECKPOINT.value)
    return scorer, state.variables


def _with_places(config: Config) -> Config:
    """A network trained without Random Mean Scaling gets its places; they hold no parameters."""
    places = config.model.options.get("random_scaling")
    options = {**config.model.options, "random_scaling": {} if places is None else places}
    return dataclasses.replace(config, model=dataclasses.replace(config.model, options=options))


def _gates(run: Path, progress: ProgressLine) -> list[GateState]:
    """The gates of a run's network on its evaluation split."""
    config = from_mapping(read_config(run))
    experiment = Experiment.open(config, progress.count)
    network = experiment.network
    # As it was trained there may be a warm-up, or no test at all.
    options = {**config.model.options, "gate": "hard", "gate_warmup_steps": 0}
    model = dataclasses.replace(config.model, options=options)
    tested = Network.of(dataclasses.replace(config, model=model), network.classes).module
    _, state = restore(network, run, _CHECKPOINT.value)
    clip = jax.ShapeDtypeStruct((1, *network.clip_shape), jnp.float32)
    names = list(jax.eval_shape(partial(gates_of, tested), state.variables, clip))

    def forward(variables: Any, crops: jax.Array) -> jax.Array:
        flat = normalize(crops.reshape(-1, *crops.shape[2:]), network.mean, network.std)
        return gate_scores(tested, variables, flat).reshape(*crops.shape[:2], -1)

    scores, _ = Scorer(experiment, forward, width=len(names)).score(
        state.variables,
        lambda done, total: progress.show(f"{run}: {done}/{total}", final=done == total),
    )
    return states_of(str(run), names, scores)


def _scaled(network: Network) -> Callable[[Any, jax.Array], jax.Array]:
    """The network's probabilities, given its variables and both factors, as traced numbers."""

    def probabilities(given: Any, clip: jax.Array) -> jax.Array:
        variables, factors = given
        with scaled_parts(*factors):
            return network.probabilities(variables, clip)

    return probabilities


def _curves(
    run: Path, scorer: Scorer, variables: Any, scales: Sequence[float], progress: ProgressLine
) -> list[Point]:
    settings = settings_of(scales)
    scores, labels = scorer.score_each(
        [(variables, setting.factors) for setting in settings],
        lambda done, total: progress.show(f"{run}: {done}/{total}", final=done == total),
    )
    return points_of(str(run), settings, scores, labels)


if __name__ == "__main__":
    command_line.run(main, __doc__)
