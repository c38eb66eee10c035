"""One pass of a network, which several implementations compute."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """The pass that all implementations compute.

    Attributes:
      network: name of the network, followed by options that differ from the published one.
      task: `forward` or `train`.
      dtype: dtype of the computation.
      batch: clips per batch.
      clip: frames, height and width.
    """

    network: str
    task: str
    dtype: str
    batch: int
    clip: tuple[int, int, int]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the clips, `[B, T, H, W, 3]`."""
        return (self.batch, *self.clip, 3)

    def __str__(self) -> str:
        """Formats the case for a title."""
        sizes = "x".join(map(str, self.clip))
        return f"{self.network}, {self.task}, {self.dtype}, {self.batch} clips of {sizes}"
