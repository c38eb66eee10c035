"""The metric of an evaluation that ranks the combinations."""

from __future__ import annotations

from dataclasses import dataclass

from vidjax.untrusted_names import nearest

# Metrics of an evaluation. Shares are in [0, 1], and higher is better; a lower loss is better.
SHARES = ("top1", "top5", "mean_class", "map", "f1_micro", "f1_macro")
KNOWN = (*SHARES, "loss")
CHECKPOINTS = ("last", "best")
_LABELS = {"top1": "top-1", "top5": "top-5", "mean_class": "mean-class accuracy", "map": "mAP"}


@dataclass(frozen=True)
class Metric:
    """A metric of an evaluation.

    Attributes:
      name: its key in `metrics.jsonl`.
      checkpoint: which evaluation of a run counts: the `last`, or the `best` by this metric.
      protocol: name of the evaluation, such as `val-1x1`.
    """

    name: str
    checkpoint: str
    protocol: str

    def __post_init__(self) -> None:
        if self.name not in KNOWN:
            raise ValueError(f"--metric={self.name} is unknown: {nearest(self.name, KNOWN)}")

    @property
    def sign(self) -> int:
        """1 if higher is better, -1 if lower is better."""
        return 1 if self.name in SHARES else -1

    @property
    def scale(self) -> float:
        """Factor from the value to the number that is shown."""
        return 100 if self.name in SHARES else 1

    @property
    def label(self) -> str:
        """Its name in tables and pictures."""
        unit = " %" if self.name in SHARES else ""
        return f"{_LABELS.get(self.name, self.name)}{unit} ({self.checkpoint}, {self.protocol})"
