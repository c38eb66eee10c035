"""The Optuna study of a sweep, which chooses the next settings; kept in the sweep's folder.

Trial k depends on the seed and on the scores that were known at that time, not on how often the
sweep was interrupted.
"""

from __future__ import annotations

import importlib
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidjax.storage.paths import is_url

from .optuna_journal import Journal
from .optuna_space import Range, Space

_FILE = "optuna.log"


@dataclass(frozen=True)
class Trial:
    """A trial: settings to try.

    Attributes:
      number: its number, from 0.
      settings: texts by path.
    """

    number: int
    settings: dict[str, str]


class Study:
    """The trials so far and their scores.

    Args:
      folder: folder of the sweep.
      space: search space.
      maximize: whether a higher score is better.
      seed: seed of the choices.

    Raises:
      ValueError: Optuna is not installed, or the journal is damaged.
      OSError: the journal cannot be read.
    """

    def __init__(self, folder: Path, space: Space, *, maximize: bool, seed: int) -> None:
        self._optuna = optuna = load()
        self._space, self._seed = space, seed
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        file = folder / _FILE
        self._remote = Journal(file) if is_url(file) else None
        journal = self._remote or optuna.storages.journal.JournalFileBackend(str(file))
        self._study = optuna.create_study(
            study_name="sweep",
            storage=optuna.storages.JournalStorage(journal),
            direction="maximize" if maximize else "minimize",
            load_if_exists=True,
        )

    @property
    def told(self) -> list[Trial]:
        """The trials that have ended, including failed ones."""
        states = self._optuna.trial.TrialState
        return self._trials(states.COMPLETE, states.FAIL)

    def next(self, count: int) -> list[Trial]:
        """Returns the next trials: interrupted ones first, then new ones.

        They are stored, so they survive if the process is killed afterwards.

        Args:
          count: number of trials.

        Raises:
          OSError: they cannot be stored.
        """
        states = self._optuna.trial.TrialState
        for trial in self._study.get_trials(states=(states.RUNNING,)):
            if trial.params.keys() != self._space.keys():
                # The process was killed while it created this trial.
                self._study.tell(trial.number, state=states.FAIL)
        found = self._trials(states.RUNNING)[:count]
        while len(found) < count:
            self._ask()
            found = self._trials(states.RUNNING)[:count]
        self._keep()
        return found

    def tell(self, trial: Trial, score: float | None) -> None:
        """Stores the score of a trial; None means that it failed.

        Raises:
          OSError: it cannot be stored.
        """
        if score is None:
            self._study.tell(trial.number, state=self._optuna.trial.TrialState.FAIL)
        else:
            self._study.tell(trial.number, score)
        self._keep()

    def _keep(self) -> None:
        """Waits until a bucket has the records; on a disk Optuna has written them already."""
        if self._remote is not None:
            self._remote.keep()

    def _ask(self) -> None:
        seed = (self._seed + len(self._study.get_trials(deepcopy=False))) % 2**32
        # `constant_liar` keeps parallel trials apart; Optuna calls it experimental.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", self._optuna.exceptions.ExperimentalWarning)
            self._study.sampler = self._optuna.samplers.TPESampler(seed=seed, constant_liar=True)
        self._study.ask({path: self._distribution(path) for path in self._space})

    def _distribution(self, path: str) -> Any:
        kinds, one = self._optuna.distributions, self._space[path]
        if not isinstance(one, Range):
            return kinds.CategoricalDistribution(one.ends)
        if one.whole:
            return kinds.IntDistribution(int(one.low), int(one.high), log=one.log)
        return kinds.FloatDistribution(one.low, one.high, log=one.log)

    def _trials(self, *states: Any) -> list[Trial]:
        return [
            Trial(
                trial.number, {path: self._text(path, trial.params[path]) for path in self._space}
            )
            for trial in self._study.get_trials(states=states)
            if trial.params.keys() == self._space.keys()
        ]

    def _text(self, path: str, value: Any) -> str:
        one = self._space[path]
        return one.text(value) if isinstance(one, Range) else str(value)


def load() -> Any:
    """Imports Optuna.

    Raises:
      ValueError: it is not installed; the message says how to install it.
    """
    try:
        return importlib.import_module("optuna")
    except ImportError:
        raise ValueError(
            "--optuna needs Optuna, which is not installed: pip install 'vidjax[optuna]'"
        ) from None
