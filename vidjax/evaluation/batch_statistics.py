"""Estimates the statistics of batch normalisation anew, for a network that was changed.

Running statistics belong to the network that was trained. If its features are scaled afterwards,
they no longer fit, and accuracy falls for that reason alone. Source: Y. Wu and J. Johnson,
Rethinking "Batch" in BatchNorm, 2021, section 3 (PreciseBN).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import flax.linen as nn
import jax

from vidjax.layers.norm import BatchNorm

Statistics = Any


@contextlib.contextmanager
def batch_statistics() -> Iterator[None]:
    """Makes every batch normalisation use the statistics of its batch, and store them.

    Inside the context, apply the network with `train=False` and `mutable=["batch_stats"]`. Dropout
    and the methods then behave as in evaluation, and the returned `batch_stats` are those of this
    batch alone. `StatisticsMean` averages them over several batches.

    Examples:
      >>> import jax
      >>> from vidjax.evaluation.batch_statistics import batch_statistics
      >>> from vidjax.layers.norm import BatchNorm
      >>> x = 3 + jax.random.normal(jax.random.key(0), (64, 5))
      >>> norm = BatchNorm()
      >>> variables = norm.init(jax.random.key(1), x, train=False)
      >>> with batch_statistics():
      ...     y, state = norm.apply(variables, x, train=False, mutable=["batch_stats"])
      >>> bool(abs(state["batch_stats"]["mean"] - x.mean(0)).max() < 1e-5)
      True
    """

    def intercept(call: Any, args: Any, kwargs: Any, context: nn.module.InterceptorContext) -> Any:
        if isinstance(context.module, BatchNorm) and context.method_name == "__call__":
            return call(*args, **{**kwargs, "train": True, "momentum": 0.0})
        return call(*args, **kwargs)

    with nn.intercept_methods(intercept):
        yield


class StatisticsMean:
    """Averages the statistics of batches of equal size, one after the other."""

    def __init__(self) -> None:
        self._total: Statistics = None
        self._count = 0

    def add(self, statistics: Statistics) -> None:
        """Adds the statistics of a batch."""
        plus = jax.numpy.add
        self._total = jax.tree.map(plus, self._total, statistics) if self._count else statistics
        self._count += 1

    @property
    def value(self) -> Statistics:
        """The mean over all batches.

        Raises:
          ValueError: no batch was added.
        """
        if not self._count:
            raise ValueError("no batch to estimate batch statistics from")
        return jax.tree.map(lambda total: total / self._count, self._total)
