"""How many clips open each temporal gate."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from experiments.explain.files import new_files, write_figure
from experiments.explain.settings import CHECKPOINT, config_of, open_experiment
from vidjax.data.transforms import normalize
from vidjax.explain.gates import GateLog, GateState, gate_scores, gates_of, read_log, states_of
from vidjax.explain.gates_report import draw_gates
from vidjax.explain.rows import write_rows
from vidjax.progress import ProgressLine
from vidjax.run.network import Network
from vidjax.run.restoring import restore
from vidjax.trained.scoring import Scorer
from vidjax.writing import make_folder


def explain_gates(runs: Sequence[Path], output: Path, progress: ProgressLine) -> list[Path]:
    """Tests the gates in the networks of the runs."""
    table, training, picture = files = new_files(
        output, "gates.csv", "gates_training.csv", "gates.png"
    )
    states = [state for run in runs for state in _gates(run, progress)]
    logs = [log for run in runs for log in read_log(run, str(run))]
    make_folder(output)
    write_rows(table, GateState, states)
    write_rows(training, GateLog, logs)
    write_figure(picture, draw_gates(states, logs))
    return files


def _gates(run: Path, progress: ProgressLine) -> list[GateState]:
    """The gates of a run's network on its evaluation split."""
    config = config_of(run)
    experiment = open_experiment(run, config, progress.count)
    network = experiment.network
    # As it was trained there may be a warm-up, or no test at all.
    options = {**config.model.options, "gate": "hard", "gate_warmup_steps": 0}
    model = dataclasses.replace(config.model, options=options)
    try:
        tested = Network.of(dataclasses.replace(config, model=model), network.classes).module
    except ValueError as error:
        raise ValueError(f"{run} has no temporal gates (model.options.srtg): {error}") from error
    _, state = restore(network, run, CHECKPOINT.value)
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
