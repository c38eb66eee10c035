"""A training run of a plan, and its files."""

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
      seed: seed of the initialisation, the batches and the noise.
      workdir: directory of the run.
      config: configuration of the run.
      part_of: the table or sweep that the run belongs to, for error messages.
    """

    seed: int
    workdir: Path
    config: Config
    part_of: ClassVar[str]

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """Name of the run, unique in its plan."""

    @property
    def also_scored(self) -> tuple[str, ...]:
        """Splits to evaluate after the training, in addition to those during training."""
        return ()

    @property
    def record(self) -> Path:
        """File that records how the run ended."""
        return self.workdir.with_name(f"{self.workdir.name}.json")

    @property
    def log(self) -> Path:
        """File with the output of the run."""
        return self.workdir.with_name(f"{self.workdir.name}.log")
