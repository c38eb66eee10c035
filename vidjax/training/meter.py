"""Averages the metrics of steps, and reads them from the devices only when needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import jax
import numpy as np

# Metrics of a step that are not averaged.
_OTHERS = ("clips", "finite")
# Split of the lines with averages over whole epochs.
EPOCH = "train_epoch"
_NO_CLIPS = {"steps": 0.0, "clips": 0.0}


class NonFiniteError(ArithmeticError):
    """A loss or gradient is not a finite number.

    Attributes:
      step: step that computed it, counted from 1.
      quantity: the first such quantity.
    """

    def __init__(self, step: int, quantity: str) -> None:
        super().__init__(f"step {step}: the {quantity} is not finite")
        self.step = step
        self.quantity = quantity


class Meter:
    """Collects the metrics of the steps between two log lines, and of each epoch.

    Args:
      quantities: names of the flags in `finite` (`vidjax.training.step.quantities`).
      sums: `sums` of an earlier meter to continue from.
      epoch: `epoch_sums` of an earlier meter to continue from.
      epoch_steps: length in steps of the epoch that ends at a step, or 0 (`Plan.epoch_steps`). None
        counts no epochs.
    """

    def __init__(
        self,
        quantities: Sequence[str],
        sums: Mapping[str, float] | None = None,
        epoch: Mapping[str, float] | None = None,
        *,
        epoch_steps: Callable[[int], int] | None = None,
    ) -> None:
        self._quantities, self._epoch_steps = quantities, epoch_steps
        self._sums = dict(sums or {"steps": 0.0})
        self._epoch = dict(epoch or _NO_CLIPS)
        self._ended: list[tuple[int, dict[str, float]]] = []
        self._pending: list[tuple[int, Mapping[str, jax.Array]]] = []

    def add(self, step: int, metrics: Mapping[str, jax.Array]) -> None:
        """Adds the metrics of a step without waiting for their computation."""
        self._pending.append((step, metrics))

    def sums(self) -> dict[str, float]:
        """Returns the sums since the last `averages`, which a checkpoint stores.

        Raises:
          NonFiniteError: for the first step with a quantity that is not finite.
        """
        self._read()
        return dict(self._sums)

    def epoch_sums(self) -> dict[str, float]:
        """Returns the sums over the clips of the current epoch, which a checkpoint stores.

        Raises:
          NonFiniteError: as `sums`.
        """
        self._read()
        return dict(self._epoch)

    def averages(self) -> dict[str, float]:
        """Returns the means since the last call, and resets the meter.

        Raises:
          NonFiniteError: as `sums`.
        """
        sums = self.sums()
        self._sums = {"steps": 0.0}
        steps = sums.pop("steps")
        return {name: sums[name] / steps for name in sorted(sums)}

    def ended_epochs(self) -> list[tuple[int, dict[str, float]]]:
        """Returns the last step and the means over the clips of each epoch that has ended.

        Each is returned once. An epoch is left out if no clip was readable, or if the meter has
        seen only a part of it, because the run began with a version that did not count epochs.

        Raises:
          NonFiniteError: as `sums`.
        """
        self._read()
        ended, self._ended = self._ended, []
        return ended

    def _read(self) -> None:
        for step, metrics in self._pending:
            finite = np.asarray(metrics["finite"])
            if not finite.all():
                raise NonFiniteError(step, self._quantities[int(np.argmin(finite))])
            clips = float(metrics["clips"])
            for name in metrics.keys() - set(_OTHERS):
                value = float(metrics[name])
                self._sums[name] = self._sums.get(name, 0.0) + value
                self._epoch[name] = self._epoch.get(name, 0.0) + clips * value
            self._sums["steps"] += 1
            self._epoch["steps"] += 1
            self._epoch["clips"] += clips
            if self._epoch_steps and (length := self._epoch_steps(step)):
                self._end_epoch(step, length)
        self._pending.clear()

    def _end_epoch(self, step: int, length: int) -> None:
        sums, self._epoch = self._epoch, dict(_NO_CLIPS)
        steps, clips = sums.pop("steps"), sums.pop("clips")
        if steps == length and clips:
            self._ended.append((step, {name: sums[name] / clips for name in sorted(sums)}))
