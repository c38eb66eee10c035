"""How a run ended."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
      step: its last step.
      preempted: whether it was asked to stop early, so that starting it again resumes it.
    """

    step: int
    preempted: bool
