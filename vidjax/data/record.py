"""One video of a prepared data set: encoded frames that are decoded on demand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from vidjax.data.optical_flow import num_stacks, stack_fields, stack_indices
from vidjax.data.targets import Label
from vidjax.data.transforms import decode_grey, decode_jpeg

Change = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Record:
    """One stored video.

    Attributes:
      jpegs: the encoded frames; index 0 is the first.
      label: class index; -1 if the record is damaged and its class is unknown. In a multi-label
        data set, the sorted class indices, which are empty if unknown.
      name: name of the video in its manifest.
      fps: frames per second.
    """

    jpegs: Sequence[bytes]
    label: Label
    name: str
    fps: float

    @property
    def length(self) -> int:
        """Number of frames, or of stacks of flow fields, that a clip is sampled from.

        Raises:
          ValueError: the record is damaged.
        """
        return len(self.jpegs)

    @property
    def span(self) -> int:
        """Number of the video's frames that one time step of a clip is made of."""
        return 1

    def decode(self, indices: np.ndarray, change: Change = lambda frames: frames) -> np.ndarray:
        """Decodes the frames at `indices` to uint8 `[T, H, W, 3]`; index -1 gives a black frame.

        Args:
          indices: frame indices `[T]`.
          change: applied to each frame uint8 `[1, H, W, 3]` before the next one is decoded, for
            example to resize it.

        Raises:
          ValueError: a stored frame is not a readable image, or sizes differ within the video.
        """
        wanted = sorted({int(index) for index in indices if index >= 0})
        frames = {index: change(decode_jpeg(self.jpegs[index])[None])[0] for index in wanted}
        black = np.zeros_like(next(iter(frames.values())))
        return np.stack([frames[int(i)] if i >= 0 else black for i in indices])


@dataclass(frozen=True)
class FlowRecord(Record):
    """One video of optical flow (`vidjax.data.optical_flow`).

    Attributes:
      jpegs: the encoded grey images of its fields, x and y alternating.
      pairs: number L of successive fields stacked at each time step.
    """

    pairs: int = 1

    @property
    def length(self) -> int:
        """Number of stacks of flow fields that a clip is sampled from."""
        return num_stacks(self._fields, self.pairs)

    @property
    def span(self) -> int:
        """Number of the video's frames that one time step of a clip is made of: L + 1."""
        return self.pairs + 1

    def decode(self, indices: np.ndarray, change: Change = lambda frames: frames) -> np.ndarray:
        """Decodes the stacks at `indices` to uint8 `[T, H, W, 2 L]`; index -1 gives no motion.

        Args:
          indices: indices of stacks `[T]`.
          change: applied to each field uint8 `[1, H, W, 2]` before the next one is decoded.

        Raises:
          ValueError: as in `Record`.
        """
        wanted = stack_indices(np.asarray(indices), self.pairs, self._fields)
        own = sorted({int(index) for index in wanted.flat if index >= 0})
        return stack_fields({index: change(self._field(index)[None])[0] for index in own}, wanted)

    @property
    def _fields(self) -> int:
        return len(self.jpegs) // 2

    def _field(self, index: int) -> np.ndarray:
        return np.stack(list(map(decode_grey, self.jpegs[2 * index : 2 * index + 2])), axis=-1)
