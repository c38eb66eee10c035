"""What the seconds of one start of a run are spent on; each second on one thing."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

KINDS = ("starting", "compiling", "waiting", "steps", "checkpoints", "evaluation")


class Spending:
    """Counts seconds by kind: at every moment one of `KINDS`, the first to begin with.

    `waiting` is for data, by the host: devices may still be busy with the step before.
    `checkpoints` is what the steps wait for; most of the writing is done beside them.

    Args:
      began: when the start began, by `time.monotonic()`; None is now.

    Attributes:
      began: the same, in seconds since 1970, by which starts are told apart.
    """

    def __init__(self, began: float | None = None) -> None:
        now = time.monotonic()
        self._since = now if began is None else began
        self._kind = KINDS[0]
        self._seconds = dict.fromkeys(KINDS, 0.0)
        self.began = round(time.time() - (now - self._since), 3)

    def go_on_with(self, kind: str) -> None:
        """From now on seconds are of this kind."""
        now = time.monotonic()
        self._seconds[self._kind] += now - self._since
        self._kind, self._since = kind, now

    @contextlib.contextmanager
    def on(self, kind: str) -> Iterator[None]:
        """Seconds within the context are of this kind."""
        before = self._kind
        self.go_on_with(kind)
        try:
            yield
        finally:
            self.go_on_with(before)

    def seconds(self) -> dict[str, float]:
        """Seconds of each kind until now."""
        self.go_on_with(self._kind)
        return dict(self._seconds)
