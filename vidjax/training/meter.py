"""Averages of the steps' metrics, read from the devices only when they are needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import jax
import numpy as np

# Of a step's metrics, what is no quantity to average.
_OTHERS = ("clips", "finite")


class NonFiniteError(ArithmeticError):
    """A loss or gradient is not a finite number.

    Attributes:
      step: step that it was computed in, counted from 1.
      quantity: the first such quantity.
    """

    def __init__(self, step: int, quantity: str) -> None:
        super().__init__(f"step {step}: the {quantity} is not finite")
        self.step = step
        self.quantity = quantity


class Meter:
    """Collects the metrics of steps between two log lines.

    Args:
      quantities: what the flags `finite` stand for (`vidjax.training.step.quantities`).
      sums: state of an earlier meter, to go on from.
    """

    def __init__(self, quantities: Sequence[str], sums: Mapping[str, float] | None = None) -> None:
        self._quantities = quantities
        self._sums = dict(sums or {"steps": 0.0})
        self._pending: list[tuple[int, Mapping[str, jax.Array]]] = []

    def add(self, step: int, metrics: Mapping[str, jax.Array]) -> None:
        """Takes the metrics of a step without waiting for them to be computed."""
        self._pending.append((step, metrics))

    def sums(self) -> dict[str, float]:
        """Sums since the last `averages`: what a checkpoint keeps.

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
        """Means since the last call, which starts the meter anew.

        Raises:
          NonFiniteError: as `sums`.
        """
        sums = self.sums()
        self._sums = {"steps": 0.0}
        steps = sums.pop("steps")
        return {name: sums[name] / steps for name in sorted(sums)}
