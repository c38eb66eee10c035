"""The live line of a command, and how long things take."""

from __future__ import annotations

import sys
import time

from rich.live import Live
from rich.text import Text

from vidjax.terminal import console, shown
from vidjax.watchdog import doing


class ProgressLine:
    """One live line on a terminal; a plain line every few seconds elsewhere.

    Args:
      seconds: time between plain lines.
      silent: shows nothing, in a process beside the one that does.
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
        """Replaces the line; off a terminal, prints it when it is time to or when `final`.

        What is shown is a sign of life, also where it is silent.
        """
        doing(text)
        now = time.monotonic()
        if self._console.is_terminal:
            self._live.update(Text(shown(text)))
        elif final or now - self._last >= self._seconds:
            self._last = now
            self._console.print(shown(text), soft_wrap=True)

    def count(self, what: str, done: int, total: int) -> None:
        """Shows how many of the videos something is done with."""
        self.show(f"{what} videos {done}/{total}", final=done == total)

    def note(self, text: str) -> None:
        """Prints a line that stays, above the live one."""
        self._console.print(shown(text), soft_wrap=True)

    def stop(self) -> None:
        """Leaves the terminal as it was found; to be called before a process ends at once."""
        if self._console.is_terminal:
            self._live.stop()


def duration(seconds: float) -> str:
    """A time span as people write it: `4:05` or `1:02:33`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
