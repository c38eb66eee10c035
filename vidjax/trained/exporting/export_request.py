"""What to export: a trained network, for clips of one size."""

from __future__ import annotations

from dataclasses import dataclass

from vidjax.trained.preprocessing import Preprocessing
from vidjax.trained.trained_network import Trained


@dataclass(frozen=True)
class ExportRequest:
    """A trained network and the size of its clips.

    Attributes:
      trained: the network.
      clip: frames, height and width.
    """

    trained: Trained
    clip: tuple[int, int, int]

    @property
    def preprocessing(self) -> Preprocessing:
        """The preprocessing from a video to a clip of this size."""
        return self.trained.preprocessing

    @classmethod
    def of(cls, trained: Trained, clip: tuple[int, int, int] | None = None) -> ExportRequest:
        """Makes an export of a network for clips of a size; None is the size it was trained on.

        Raises:
          ValueError: the network takes optical flow.
        """
        trained.preprocessing.require_frames("an export")
        return cls(trained, clip or trained.preprocessing.clip_shape[:3])
