"""Learning rate schedules: linear scaling with the batch size, warm-up, then a curve."""

from __future__ import annotations

import optax

from vidjax.run.config import Config, ConfigError
from vidjax.run.durations import steps


def scaled_rate(config: Config) -> float:
    """Returns the peak learning rate, scaled with the batch size (Goyal et al. 2017)."""
    optimizer = config.optimizer
    if not optimizer.reference_batch:
        return optimizer.lr
    return optimizer.lr * config.train.batch_size / optimizer.reference_batch


def drops(config: Config, *, total: int, steps_per_epoch: float) -> list[int]:
    """Returns the steps at which a step schedule drops the rate; empty for other schedules."""
    schedule = config.schedule
    if schedule.name != "step":
        return []
    return [
        steps(text, steps_per_epoch=steps_per_epoch, total=total) for text in schedule.boundaries
    ]


def learning_rate(config: Config, *, total: int, steps_per_epoch: float) -> optax.Schedule:
    """Returns the schedule of a run of `total` steps, a function of the step number.

    Raises:
      ConfigError: the schedule's name is unknown.
    """
    schedule, peak = config.schedule, scaled_rate(config)
    warmup = steps(schedule.warmup, steps_per_epoch=steps_per_epoch, total=total)
    rest = max(1, total - warmup)
    top = peak
    if schedule.name == "cosine" and schedule.cosine_over == "run":
        whole = optax.cosine_decay_schedule(peak, total)
        curve, top = (lambda step: whole(step + warmup)), float(whole(warmup))
    elif schedule.name == "cosine":
        curve = optax.cosine_decay_schedule(peak, rest)
    elif schedule.name == "constant":
        curve = optax.constant_schedule(peak)
    elif schedule.name == "step":
        falls = (
            step - warmup for step in drops(config, total=total, steps_per_epoch=steps_per_epoch)
        )
        curve = optax.piecewise_constant_schedule(peak, dict.fromkeys(falls, schedule.factor))
    else:
        raise ConfigError(f"schedule.name = {schedule.name!r}: cosine, step or constant")
    rise = optax.linear_schedule(0.0, top, warmup)
    return optax.join_schedules([rise, curve], [warmup]) if warmup else curve
