"""Plans when a run logs, saves, evaluates and ends, in steps."""

from __future__ import annotations

import math
from dataclasses import dataclass

from vidjax.data.multigrid import GridShape, cycles, mean_batch
from vidjax.run.config import Config, ConfigError
from vidjax.run.durations import steps

# The shapes of all steps are kept in memory.
_MOST_STEPS = 10_000_000


def base_shape(config: Config) -> GridShape:
    """Returns batch size, frames and size of the configuration."""
    return GridShape(config.train.batch_size, config.clip.frames, config.clip.size)


@dataclass(frozen=True)
class Plan:
    """Steps of a run. An interval of 0 means only at the end.

    Attributes:
      steps_per_epoch: training videos divided by the batch size (by the mean batch size of a
        multigrid).
      total: steps of the whole run.
      log: steps between two lines of metrics.
      checkpoint: steps between two checkpoints.
      evaluate: steps between two evaluations.
    """

    steps_per_epoch: float
    total: int
    log: int
    checkpoint: int
    evaluate: int

    @classmethod
    def of(cls, config: Config, videos: int, unit: int = 1) -> Plan:
        """Makes the plan of a configuration.

        Args:
          config: the configuration.
          videos: number of training videos.
          unit: what batch sizes of a multigrid are multiples of.

        Raises:
          ValueError: a duration is not valid, or the run has no steps, too many, or fewer than its
            warm-up.
        """
        epoch = videos / mean_batch(cycles(config.multigrid, base_shape(config), unit))
        total = steps(config.train.duration, steps_per_epoch=epoch)
        if not total:
            raise ConfigError(
                f"train.duration = {config.train.duration!r}: a run needs at least one step"
            )
        if total > _MOST_STEPS:
            raise ConfigError(
                f"train.duration = {config.train.duration!r}: {total:,} steps on {videos:,} "
                f"videos; a run has at most {_MOST_STEPS:,}"
            )
        warmup = steps(config.schedule.warmup, steps_per_epoch=epoch, total=total)
        if warmup > total:
            raise ConfigError(
                f"schedule.warmup = {config.schedule.warmup!r} is {warmup} steps, which is more "
                f"than the {total} steps of the run"
            )
        every = (config.every.log, config.every.checkpoint, config.every.evaluate)
        return cls(epoch, total, *(steps(x, steps_per_epoch=epoch, total=total) for x in every))

    def epochs(self, step: int) -> int:
        """Returns the number of epochs that have ended by `step`; the k-th ends at the nearest."""
        return math.ceil((step + 0.5) / self.steps_per_epoch) - 1

    def epoch_steps(self, step: int) -> int:
        """Returns the length in steps of the epoch that ends at `step`; 0 if none does."""
        before = self.epochs(step - 1)
        if self.epochs(step) == before:
            return 0
        return step - math.floor(before * self.steps_per_epoch + 0.5)

    def logs(self, step: int) -> bool:
        """Returns whether metrics are written after `step`."""
        return self._due(self.log, step)

    def evaluates(self, step: int) -> bool:
        """Returns whether the network is evaluated after `step`."""
        return self._due(self.evaluate, step)

    def saves(self, step: int) -> bool:
        """Returns whether a checkpoint is written after `step`; each evaluation follows one."""
        return self._due(self.checkpoint, step) or self.evaluates(step)

    def _due(self, interval: int, step: int) -> bool:
        return step == self.total or (interval > 0 and step % interval == 0)
