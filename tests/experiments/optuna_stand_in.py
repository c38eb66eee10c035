"""A stand-in for the parts of Optuna that `experiments.sweep.optuna_study` uses.

It is used if Optuna is not installed, and draws settings with Python's random numbers. It keeps
trials in a journal like Optuna, so that another process can read them.
"""

import enum
import json
import math
import random
from pathlib import Path
from types import SimpleNamespace


class TrialState(enum.Enum):
    RUNNING = 0
    COMPLETE = 1
    FAIL = 3


class JournalFileBackend:
    def __init__(self, path):
        self.file = Path(path)
        self.file.touch()

    def read_logs(self, log_number_from):
        return [json.loads(line) for line in self.file.read_text().splitlines()[log_number_from:]]

    def append_logs(self, logs):
        with self.file.open("a") as stream:
            stream.writelines(f"{json.dumps(log)}\n" for log in logs)


class Study:
    """A study; each record of its journal holds all trials."""

    def __init__(self, journal, direction):
        self.journal, self.direction, self.sampler = journal, direction, None

    def _trials(self):
        return [[], *(log["trials"] for log in self.journal.read_logs(0))][-1]

    def _write(self, trials):
        self.journal.append_logs([{"trials": trials}])

    def get_trials(self, deepcopy=True, states=tuple(TrialState)):
        return [
            SimpleNamespace(number=number, params=params, value=value, state=TrialState[state])
            for number, (params, state, value) in enumerate(self._trials())
            if TrialState[state] in states
        ]

    def ask(self, fixed_distributions):
        draw = random.Random(self.sampler.seed)
        params = {name: one.draw(draw) for name, one in fixed_distributions.items()}
        self._write([*self._trials(), (params, "RUNNING", None)])

    def tell(self, number, value=None, state=TrialState.COMPLETE):
        trials = self._trials()
        assert trials[number][1] == "RUNNING"
        trials[number] = (trials[number][0], state.name, value)
        self._write(trials)


class _Numbers:
    def __init__(self, low, high, log=False):
        self.ends, self.log = (low, high), log

    def draw(self, rng):
        if self.log:
            return math.exp(rng.uniform(*map(math.log, self.ends)))
        return rng.uniform(*self.ends)


class _Whole(_Numbers):
    def draw(self, rng):
        return round(super().draw(rng))


class _Choice:
    def __init__(self, choices):
        self.choices = choices

    def draw(self, rng):
        return rng.choice(self.choices)


def create_study(study_name, storage, direction, load_if_exists):
    assert load_if_exists
    return Study(storage, direction)


def _sampler(seed, constant_liar):
    return SimpleNamespace(seed=seed, constant_liar=constant_liar)


class ExperimentalWarning(Warning):
    pass


logging = SimpleNamespace(set_verbosity=lambda level: None, WARNING=30)
storages = SimpleNamespace(
    JournalStorage=lambda journal: journal,
    journal=SimpleNamespace(JournalFileBackend=JournalFileBackend),
)
trial = SimpleNamespace(TrialState=TrialState)
samplers = SimpleNamespace(TPESampler=_sampler)
exceptions = SimpleNamespace(ExperimentalWarning=ExperimentalWarning)
distributions = SimpleNamespace(
    FloatDistribution=_Numbers, IntDistribution=_Whole, CategoricalDistribution=_Choice
)
