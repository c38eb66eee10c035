"""One video as a prepared data set stores it: encoded pictures, decoded as they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from vidjax.data.optical_flow import places, shown_fields, stacked
from vidjax.data.targets import Label
from vidjax.data.transforms import decode_grey, decode_jpeg

Change = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Record:
    """One video as stored.

    Attributes:
      jpegs: its frames, encoded, index 0 the first.
      label: class index; -1 where the record is damaged and its class is not known. Of a data set
        with several labels a video, all of them, sorted, and none where they are not known.
      name: the video's name in its manifest.
      fps: frames a second.
    """

    jpegs: Sequence[bytes]
    label: Label
    name: str
    fps: float

    @property
    def length(self) -> int:
        """Number of places that a clip takes its frames from.

        Raises:
          ValueError: the record is damaged.
        """
        return len(self.jpegs)

    @property
    def span(self) -> int:
        """How many of the video's frames make what is shown at one place."""
        return 1

    def decode(self, indices: np.ndarray, change: Change = lambda frames: frames) -> np.ndarray:
        """Decodes the frames at `indices` [T] to uint8 `[T, H, W, 3]`; index -1 is black.

        Args:
          indices: of frames.
          change: of a frame uint8 `[1, H, W, 3]`, made before the next one is decoded.

        Raises:
          ValueError: a stored frame is not a readable picture, or sizes differ within the video.
        """
        wanted = sorted({int(index) for index in indices if index >= 0})
        frames = {index: change(decode_jpeg(self.jpegs[index])[None])[0] for index in wanted}
        black = np.zeros_like(next(iter(frames.values())))
        return np.stack([frames[int(i)] if i >= 0 else black for i in indices])


@dataclass(frozen=True)
class FlowRecord(Record):
    """One video of optical flow (`vidjax.data.optical_flow`).

    Attributes:
      jpegs: its fields, x and y in turn, each a grey picture.
      pairs: number L of successive fields that are shown at one place.
    """

    pairs: int = 1

    @property
    def length(self) -> int:
        """As in `Record`."""
        return places(self._fields, self.pairs)

    @property
    def span(self) -> int:
        """As in `Record`."""
        return self.pairs + 1

    def decode(self, indices: np.ndarray, change: Change = lambda frames: frames) -> np.ndarray:
        """Decodes what is shown at `indices` [T], uint8 `[T, H, W, 2 L]`; at -1 nothing moves.

        Args:
          indices: of places.
          change: of a field uint8 `[1, H, W, 2]`, made before the next one is decoded.

        Raises:
          ValueError: as in `Record`.
        """
        wanted = shown_fields(np.asarray(indices), self.pairs, self._fields)
        own = sorted({int(index) for index in wanted.flat if index >= 0})
        return stacked({index: change(self._field(index)[None])[0] for index in own}, wanted)

    @property
    def _fields(self) -> int:
        return len(self.jpegs) // 2

    def _field(self, index: int) -> np.ndarray:
        return np.stack(list(map(decode_grey, self.jpegs[2 * index : 2 * index + 2])), axis=-1)
