"""Averages the metrics of steps, and reads them from the devices only when needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import jax
import numpy as np

# Metrics of a step that are not averaged.
_OTHERS = ("clips", "finite")


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
    """Collects the metrics of the steps between two log lines.

    Args:
      quantities: names of the flags in `finite` (`vidjax.training.step.quantities`).
      sums: state of an earlier meter to continue from.
    """

    def __init__(self, quantities: Sequence[str], sums: Mapping[str, float] | None = None) -> None:
        self._quantities = quantities
        self._sums = dict(sums or {"steps": 0.0})
        self._pending: list[tuple[int, Mapping[str, jax.Array]]] = []

    def add(self, step: int, metrics: Mapping[str, jax.Array]) -> None:
        """Adds the metrics of a step without waiting for their computation."""
        self._pending.append((step, metrics))

    def sums(self) -> dict[str, float]:
        """Returns the sums since the last `averages`, which a checkpoint stores.

        Raises:
          NonFiniteError: for the first step with a quantity that is not finite.
        """
        for step, metrics in self._pending:
            finite = np.asarray(metrics["finite"])
            if not finite.all():
                raise NonFiniteError(step, self._quantities[int(np.argmin(finite))])
            for name in metrics.keys() - set(_OTHERS):
                self._sums[name] = self._sums.get(name, 0.0) + float(metrics[name])
            self._sums["steps"] += 1
        self._pending.clear()
        return dict(self._sums)

    def averages(self) -> dict[str, float]:
        """Returns the means since the last call, and resets the meter.

        Raises:
          NonFiniteError: as `sums`.
        """
        sums = self.sums()
        self._sums = {"steps": 0.0}
        steps = sums.pop("steps")
        return {name: sums[name] / steps for name in sorted(sums)}
