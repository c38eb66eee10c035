"""What `experiments.sweep.study` takes of Optuna, with draws of Python's own random numbers.

It stands for Optuna where that is not installed. The trials are kept in a file, as Optuna keeps
them, so that another process would find them.
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


class Study:
    def __init__(self, file, direction):
        self.file, self.direction, self.sampler = Path(file), direction, None

    def _trials(self):
        return json.loads(self.file.read_text()) if self.file.exists() else []

    def get_trials(self, deepcopy=True, states=tuple(TrialState)):
        return [
            SimpleNamespace(number=number, params=params, value=value, state=TrialState[state])
            for number, (params, state, value) in enumerate(self._trials())
            if TrialState[state] in states
        ]

    def ask(self, fixed_distributions):
        draw = random.Random(self.sampler.seed)
        params = {name: one.draw(draw) for name, one in fixed_distributions.items()}
        self.file.write_text(json.dumps([*self._trials(), (params, "RUNNING", None)]))

    def tell(self, number, value=None, state=TrialState.COMPLETE):
        trials = self._trials()
        assert trials[number][1] == "RUNNING"
        trials[number] = (trials[number][0], state.name, value)
        self.file.write_text(json.dumps(trials))


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
    journal=SimpleNamespace(JournalFileBackend=lambda path: path),
)
trial = SimpleNamespace(TrialState=TrialState)
samplers = SimpleNamespace(TPESampler=_sampler)
exceptions = SimpleNamespace(ExperimentalWarning=ExperimentalWarning)
distributions = SimpleNamespace(
    FloatDistribution=_Numbers, IntDistribution=_Whole, CategoricalDistribution=_Choice
)
