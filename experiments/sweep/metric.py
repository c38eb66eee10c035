"""Which number of an evaluation ranks the combinations."""

from __future__ import annotations

from dataclasses import dataclass

from vidjax.untrusted_names import nearest

# Numbers of an evaluation; of shares, 1 is all videos. A loss is better the lower it is.
SHARES = ("top1", "top5", "mean_class", "map", "f1_micro", "f1_macro")
KNOWN = (*SHARES, "loss")
CHECKPOINTS = ("last", "best")
_LABELS = {"top1": "top-1", "top5": "top-5", "mean_class": "mean-class accuracy", "map": "mAP"}


@dataclass(frozen=True)
class Metric:
    """A number of an evaluation.

    Attributes:
      name: as `metrics.jsonl` calls it.
      checkpoint: of which evaluation of a run: the `last`, or the `best` by this number.
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
        """1 where more is better, -1 where less is."""
        return 1 if self.name in SHARES else -1

    @property
    def scale(self) -> float:
        """What it is multiplied by to be shown."""
        return 100 if self.name in SHARES else 1

    @property
    def label(self) -> str:
        """What it is called in tables and pictures."""
        unit = " %" if self.name in SHARES else ""
        return f"{_LABELS.get(self.name, self.name)}{unit} ({self.checkpoint}, {self.protocol})"
