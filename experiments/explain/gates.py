"""Counts how many clips open each temporal gate."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from vidjax.data.transforms import normalize
from vidjax.explain.gates import GateLog, GateState, gate_scores, gates_of, read_log, states_of
from vidjax.explain.gates_plot import draw_gates
from vidjax.explain.tables import write_table
from vidjax.progress import ProgressLine
from vidjax.storage.writing import make_folder
from vidjax.trained.scoring import Scorer

from .explained_network import Subject
from .output_files import new_files, write_figure


def explain_gates(subjects: Sequence[Subject], output: Path, progress: ProgressLine) -> list[Path]:
    """Tests the temporal gates of each run."""
    table, training, picture = files = new_files(
        output, "gates.csv", "gates_training.csv", "gates.png"
    )
    states = [state for subject in subjects for state in _gates(subject, progress)]
    logs = [log for each in subjects if each.workdir for log in read_log(each.workdir, each.name)]
    make_folder(output)
    write_table(table, GateState, states)
    write_table(training, GateLog, logs)
    write_figure(picture, draw_gates(states, logs))
    return files


def _gates(subject: Subject, progress: ProgressLine) -> list[GateState]:
    """Tests the gates of a network on its evaluation split."""
    config, experiment = subject.config, subject.open(progress.count)
    network = experiment.network
    # The training may have had a warm-up, or no test at all.
    options = {**config.model.options, "gate": "hard", "gate_warmup_steps": 0}
    model = dataclasses.replace(config.model, options=options)
    try:
        tested = subject.network(dataclasses.replace(config, model=model)).module
    except ValueError as error:
        raise ValueError(
            f"{subject.name} has no temporal gates (model.options.srtg): {error}"
        ) from error
    variables = subject.trained.variables
    clip = jax.ShapeDtypeStruct((1, *network.clip_shape), jnp.float32)
    names = list(jax.eval_shape(partial(gates_of, tested), variables, clip))

    def forward(variables: Any, crops: jax.Array) -> jax.Array:
        flat = normalize(crops.reshape(-1, *crops.shape[2:]), network.mean, network.std)
        return gate_scores(tested, variables, flat).reshape(*crops.shape[:2], -1)

    scored = Scorer(experiment, forward, width=len(names)).score(
        variables,
        lambda done, total: progress.show(f"{subject.name}: {done}/{total}", final=done == total),
    )
    return states_of(subject.name, names, scored.scores)
