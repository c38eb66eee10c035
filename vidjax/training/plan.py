"""When a run logs, saves, evaluates and ends, in steps."""

from __future__ import annotations

from dataclasses import dataclass

from vidjax.data.multigrid import GridShape, cycles, mean_batch
from vidjax.run.config import Config, ConfigError
from vidjax.run.durations import steps

# The shape of each step is laid out in memory before the first.
_MOST_STEPS = 10_000_000


def base_shape(config: Config) -> GridShape:
    """Batch, frames and size that a configuration states."""
    return GridShape(config.train.batch_size, config.clip.frames, config.clip.size)


@dataclass(frozen=True)
class Plan:
    """Steps of a run; an interval of 0 means only at the end.

    Attributes:
      steps_per_epoch: training videos over batch size, the mean one of a multigrid.
      total: steps of the whole run.
      log: steps between lines of metrics.
      checkpoint: steps between checkpoints.
      evaluate: steps between evaluations.
    """

    steps_per_epoch: float
    total: int
    log: int
    checkpoint: int
    evaluate: int

    @classmethod
    def of(cls, config: Config, videos: int, unit: int = 1) -> Plan:
        """The plan of a configuration on so many training videos.

        Args:
          config: the configuration.
          videos: of the training split.
          unit: what the batches of a multigrid are multiples of.

        Raises:
          ValueError: a duration is not written as one, or the run has no steps, too many, or fewer
            than its warm-up.
        """
        epoch = videos / mean_batch(cycles(config.multigrid, base_shape(config), unit))
        total = steps(config.train.duration, steps_per_epoch=epoch)
        if not total:
            raise ConfigError(f"train.duration = {config.train.duration!r}: at least one step")
        if total > _MOST_STEPS:
            raise ConfigError(
                f"train.duration = {config.train.duration!r}: {total:,} steps on {videos:,} "
                f"videos; a run has at most {_MOST_STEPS:,}"
            )
        warmup = steps(config.schedule.warmup, steps_per_epoch=epoch, total=total)
        if warmup > total:
            raise ConfigError(
                f"schedule.warmup = {config.schedule.warmup!r}: {warmup} steps are more than the "
                f"{total} of the run"
            )
        every = (config.every.log, config.every.checkpoint, config.every.evaluate)
        return cls(epoch, total, *(steps(x, steps_per_epoch=epoch, total=total) for x in every))

    def logs(self, step: int) -> bool:
        """Whether metrics are written after `step`."""
        return self._due(self.log, step)

    def evaluates(self, step: int) -> bool:
        """Whether the network is evaluated after `step`."""
        return self._due(self.evaluate, step)

    def saves(self, step: int) -> bool:
        """Whether a checkpoint is written after `step`; what is evaluated is saved first."""
        return self._due(self.checkpoint, step) or self.evaluates(step)

    def _due(self, interval: int, step: int) -> bool:
        return step == self.total or (interval > 0 and step % interval == 0)
