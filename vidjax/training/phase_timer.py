"""Times the phases of one start of a run."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

KINDS = ("starting", "compiling", "waiting", "steps", "checkpoints", "evaluation")


class PhaseTimer:
    """Counts seconds by kind. At every moment one of `KINDS` runs; the first one runs first.

    `waiting` is the host waiting for data; devices may still be busy with the step before.
    `checkpoints` is the time that steps wait for; most of the writing happens in the background.

    Args:
      began: when the start began, by `time.monotonic()`; None is now.

    Attributes:
      began: when the start began, in seconds since 1970. It identifies the start.
    """

    def __init__(self, began: float | None = None) -> None:
        now = time.monotonic()
        self._since = now if began is None else began
        self._kind = KINDS[0]
        self._seconds = dict.fromkeys(KINDS, 0.0)
        self.began = round(time.time() - (now - self._since), 3)

    def switch_to(self, kind: str) -> None:
        """Counts seconds as this kind from now on."""
        now = time.monotonic()
        self._seconds[self._kind] += now - self._since
        self._kind, self._since = kind, now

    @contextlib.contextmanager
    def phase(self, kind: str) -> Iterator[None]:
        """Counts seconds within the context as this kind."""
        before = self._kind
        self.switch_to(kind)
        try:
            yield
        finally:
            self.switch_to(before)

    def seconds(self) -> dict[str, float]:
        """Returns the seconds of each kind until now."""
        self.switch_to(self._kind)
        return dict(self._seconds)
