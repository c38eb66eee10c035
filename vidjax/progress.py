"""The progress line of a command, and the format of durations."""

from __future__ import annotations

import sys
import time

from rich.live import Live
from rich.text import Text

from vidjax.terminal import console, shown
from vidjax.watchdog import doing


class ProgressLine:
    """A line that is updated on a terminal; elsewhere a plain line every few seconds.

    Args:
      seconds: time between plain lines.
      silent: shows nothing, for processes beside the one that does.
    """

    def __init__(self, seconds: float = 10.0, *, silent: bool = False) -> None:
        self._console = console(file=sys.stderr, quiet=silent)
        self._live = Live(console=self._console, refresh_per_second=4, transient=False)
        self._seconds = seconds
        self._last = float("-inf")

    def __enter__(self) -> ProgressLine:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def show(self, text: str, *, final: bool = False) -> None:
        """Replaces the line; off a terminal, prints it when it is due or when `final`.

        It also tells the watchdog that there is progress, even if silent.
        """
        doing(text)
        now = time.monotonic()
        if self._console.is_terminal:
            self._live.update(Text(shown(text)))
        elif final or now - self._last >= self._seconds:
            self._last = now
            self._console.print(shown(text), soft_wrap=True)

    def count(self, what: str, done: int, total: int) -> None:
        """Shows how many of the videos are done."""
        self.show(f"{what} videos {done}/{total}", final=done == total)

    def note(self, text: str) -> None:
        """Prints a permanent line above the progress line."""
        self._console.print(shown(text), soft_wrap=True)

    def stop(self) -> None:
        """Restores the terminal; call it before a process ends abruptly."""
        if self._console.is_terminal:
            self._live.stop()


def duration(seconds: float) -> str:
    """Formats a duration: `4:05` or `1:02:33`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
