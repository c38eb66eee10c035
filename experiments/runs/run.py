"""One training run of a plan, and its files."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from vidjax.run.config import Config


@dataclass(frozen=True)
class Run(abc.ABC):
    """One training run.

    Attributes:
      seed: of initialisation, batches and noise.
      workdir: the run's directory.
      config: its configuration.
      part_of: what it belongs to, in errors.
    """

    seed: int
    workdir: Path
    config: Config
    part_of: ClassVar[str]

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """What the run is called; unique in its plan."""

    @property
    def also_scored(self) -> tuple[str, ...]:
        """Splits that are scored when it is trained, beside those scored while it trains."""
        return ()

    @property
    def record(self) -> Path:
        """File that says how the run ended."""
        return self.workdir.with_name(f"{self.workdir.name}.json")

    @property
    def log(self) -> Path:
        """File of what the run printed."""
        return self.workdir.with_name(f"{self.workdir.name}.log")
