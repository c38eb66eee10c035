"""Tests when the training loop blocks, and what it does while a step is computed.

The loop is real, but its steps compute nothing; their results record each read. (JAX's
transfer guards do not notice reads of a CPU's arrays.)
"""

import dataclasses
import itertools
import threading
from typing import Any

import numpy as np
import pytest

from configs import synthetic
from vidjax.data.synthetic import SyntheticSplit
from vidjax.run import experiment
from vidjax.run.config import from_mapping
from vidjax.training import loop
from vidjax.training.compile_step import Compiled
from vidjax.training.step import quantities

BATCH, STEPS, LOG, THREADS = 4, 24, 6, 1


@dataclasses.dataclass
class Journal:
    """Records events in their order."""

    reads: int = 0
    begun: int = 0
    looks: list[tuple[str, int, int]] = dataclasses.field(default_factory=list)
    read_at_begin: list[int] = dataclasses.field(default_factory=list)
    missing: list[int] = dataclasses.field(default_factory=list)
    changed: threading.Condition = dataclasses.field(default_factory=threading.Condition)

    def read(self) -> None:
        with self.changed:
            self.reads += 1
            self.changed.notify_all()

    def has_read(self, clips: int) -> bool:
        """Waits for a number of clips in short intervals, as a process may be paused."""
        with self.changed:
            spells = (self.changed.wait_for(lambda: self.reads >= clips, 0.1) for _ in range(200))
            return any(spells)

    def look(self, how: str, step: int) -> None:
        self.looks.append((how, step, self.begun))


@dataclasses.dataclass
class Number:
    """Represents a result of a step that is still being computed."""

    journal: Journal
    step: int
    value: Any

    def __array__(self, dtype=None, copy=None):
        self.journal.look("read", self.step)
        return np.asarray(self.value, dtype)

    def __float__(self):
        self.journal.look("read", self.step)
        return float(self.value)

    def block_until_ready(self):
        self.journal.look("wait", self.step)
        return self


class Step:
    """Replaces the step; each call ends only after the next batch has been read."""

    def __init__(self, journal, state):
        self.journal, self.state = journal, state
        self.flags = np.ones(len(quantities(state.params)), bool)

    def __call__(self, state, batch):
        journal = self.journal
        # Nothing reads the state between steps: only the last step returns one.
        assert (state is None) == (journal.begun > 0)
        assert batch["clip"].shape[0] == BATCH
        journal.begun += 1
        journal.read_at_begin.append(journal.reads)
        if not (journal.missing or journal.has_read((journal.begun + 1) * BATCH)):
            journal.missing.append(journal.begun)
        values = {"loss": 1.0, "top1": 0.5, "clips": BATCH, "grad_norm": 1.0, "finite": self.flags}
        metrics = {name: Number(journal, journal.begun, value) for name, value in values.items()}
        return self.state if journal.begun == STEPS else None, metrics


def config():
    made = synthetic.get_config()
    made.model.options = {"width": 4, "depths": (1, 0, 0, 0), "stem_kernel": (1, 3, 3)}
    made.data.options = {"num_classes": 3, "videos": 20, "frames": 6, "size": 20}
    made.data.threads = THREADS
    made.clip.update({"frames": 2, "stride": 1, "size": 16})
    made.eval.update({"size": 16, "batch_size": 8})
    made.train.update({"duration": f"{STEPS} steps", "batch_size": BATCH})
    never = f"{STEPS} steps"
    made.every.update({"log": f"{LOG} steps", "checkpoint": never, "evaluate": never})
    return from_mapping(made)


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    noted = Journal()

    class Split(SyntheticSplit):
        def __getitem__(self, index):
            record = super().__getitem__(index)
            if self._seed == 0:
                noted.read()
            return record

    def compile_step(network, optimizer, state, shardings, class_weights):
        del network, optimizer, shardings, class_weights
        return Compiled(Step(noted, state), seconds=0.0, multiply_adds=1)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(experiment, "SyntheticSplit", Split)
        patch.setattr(loop, "compile_step", compile_step)
        # It reads ahead itself for its measurement.
        patch.setattr(loop, "input_rate", lambda *_: 1.0)
        loop.train(config(), tmp_path_factory.mktemp("loop") / "run")
    return noted


def test_results_are_only_read_for_log_lines(journal):
    assert journal.begun == STEPS
    reads = [(step, now) for how, step, now in journal.looks if how == "read"]
    assert {now for _, now in reads} == set(range(LOG, STEPS + 1, LOG))
    # Each result is read once, at the first log line after it.
    assert {step for step, _ in reads} == set(range(1, STEPS + 1))
    assert all(now - LOG < step <= now for step, now in reads)
    names = 5  # Loss, top-1, clips, norm of the gradient and the flags of what is finite.
    assert len(reads) == names * STEPS


def test_only_the_first_steps_block(journal):
    """They are timed, to say whether the input keeps up."""
    waited = {step for how, step, _ in journal.looks if how == "wait"}
    assert waited == {1, 2, 3, 4}


def test_the_next_batch_is_read_while_a_step_is_computed(journal):
    assert journal.missing == []
    # But not everything was read before: this many batches are ready or in progress.
    ahead = max(2, 2 * THREADS) + THREADS + 1
    for number, reads in enumerate(journal.read_at_begin, start=1):
        assert reads <= (number + ahead) * BATCH
    later = [b > a for a, b in itertools.pairwise(journal.read_at_begin)]
    assert sum(later) > STEPS / 2
