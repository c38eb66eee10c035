"""What is exported: a trained network, for clips of one size."""

from __future__ import annotations

from dataclasses import dataclass

from vidjax.trained.preprocessing import Preprocessing
from vidjax.trained.trained_network import Trained


@dataclass(frozen=True)
class Exported:
    """A trained network and its clips.

    Attributes:
      trained: the network.
      clip: frames, height and width.
    """

    trained: Trained
    clip: tuple[int, int, int]

    @property
    def preprocessing(self) -> Preprocessing:
        """How a video becomes a clip."""
        return self.trained.preprocessing

    @classmethod
    def of(cls, trained: Trained, clip: tuple[int, int, int] | None = None) -> Exported:
        """The network for clips of a size; None is the size that it was trained on.

        Raises:
          ValueError: it sees flow.
        """
        trained.preprocessing.require_frames("an export")
        return cls(trained, clip or trained.preprocessing.clip_shape[:3])
