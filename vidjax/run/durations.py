"""Durations in steps, epochs or percent of the run."""

from __future__ import annotations

import math
import re
from typing import Any

_FORM = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*(steps?|epochs?|%|percent)\s*")
# At a millisecond each, so many steps would take thirty thousand years.
LARGEST = 1e15


def is_duration(text: Any) -> bool:
    """Returns whether a text is a duration, such as "400 steps", "20 epochs" or "5%"."""
    match = _FORM.fullmatch(text) if isinstance(text, str) else None
    return match is not None and float(match[1]) <= LARGEST


def steps(text: str, *, steps_per_epoch: float, total: int | None = None) -> int:
    """Converts a duration to steps, rounded to the nearest, at least 1 unless it is zero.

    Args:
      text: the duration, such as "400 steps", "20 epochs" or "5%".
      steps_per_epoch: number of training videos divided by the batch size.
      total: steps of the whole run, to which percentages refer.

    Raises:
      ValueError: the text is not a duration, or is a percentage although `total` is unknown.

    Examples:
      >>> from vidjax.run.durations import steps
      >>> steps("20 epochs", steps_per_epoch=12.5), steps("5%", steps_per_epoch=12.5, total=400)
      (250, 20)
    """
    match = _FORM.fullmatch(text)
    if not match:
        raise ValueError(f"duration {text!r}: write it as '400 steps', '20 epochs' or '5%'")
    amount, unit = float(match[1]), match[2]
    if unit.startswith("step"):
        exact = amount
    elif unit.startswith("epoch"):
        exact = amount * steps_per_epoch
    elif total is None:
        raise ValueError(f"duration {text!r}: the whole run needs steps or epochs")
    else:
        exact = amount / 100 * total
    return max(1, math.floor(exact + 0.5)) if exact > 0 else 0
