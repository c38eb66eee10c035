"""A pass of a network that several can be asked to do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """What all peers do.

    Attributes:
      network: its name, with what differs from the published form behind it.
      task: `forward` or `train`.
      dtype: what is computed in.
      batch: clips.
      clip: frames, height and width.
    """

    network: str
    task: str
    dtype: str
    batch: int
    clip: tuple[int, int, int]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the clips, `[B, T, H, W, 3]`."""
        return (self.batch, *self.clip, 3)

    def __str__(self) -> str:
        """As titles have it."""
        sizes = "x".join(map(str, self.clip))
        return f"{self.network}, {self.task}, {self.dtype}, {self.batch} clips of {sizes}"
