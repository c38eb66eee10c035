"""Shows a command's progress line, and estimates the time left."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable

from rich.live import Live
from rich.text import Text

from vidjax.terminal import console, shown
from vidjax.watchdog import report_progress

# Seconds between lines of a terminal's live line that stay in its scrollback.
_KEPT_EVERY = 60.0

# Estimates of the time left that differ by less than this factor or these seconds are the same.
_CHANCE, _CHANCE_SECONDS = 1.25, 5.0


class ProgressLine:
    """A live line on a terminal; in other outputs, a plain line every few seconds.

    A terminal's scrollback keeps final lines, and one line per minute of the others.

    Args:
      seconds: time between plain lines.
      silent: shows nothing, for the processes of a job other than the first.
    """

    def __init__(self, seconds: float = 10.0, *, silent: bool = False) -> None:
        self._console = console(file=sys.stderr, quiet=silent)
        self._live = Live(
            console=self._console,
            refresh_per_second=4,
            transient=True,
            # Rich would redirect standard output to the terminal even if it goes to a file.
            redirect_stdout=sys.stdout.isatty(),
        )
        self._seconds = _KEPT_EVERY if self._console.is_terminal else seconds
        self._last = time.monotonic() if self._console.is_terminal else float("-inf")
        self._text = ""
        self._counted, self._left = "", TimeLeft(0)

    def __enter__(self) -> ProgressLine:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def show(self, text: str, *, final: bool = False) -> None:
        """Replaces the live line, and prints a permanent line if one is due.

        It also reports progress to `vidjax.watchdog`, even if nothing is printed.

        Args:
          text: description of the progress.
          final: whether to print the line permanently even if none is due.
        """
        report_progress(text)
        if self._console.is_terminal:
            self._text = "" if final else text
            # When the window shrinks, a second line would overwrite the text above it.
            one_line = Text(shown(self._text), no_wrap=True, overflow="ellipsis")
            self._live.update(one_line, refresh=final)
        now = time.monotonic()
        if final or now - self._last >= self._seconds:
            self._last = now
            self.note(text)

    def count(self, what: str, done: int, total: int) -> None:
        """Shows how many of the videos are done, and the time left; `what` begins the line."""
        if what != self._counted:
            self._counted, self._left = what, TimeLeft(total, done)
        self._left.update(done)
        self.show(f"{what} videos {done}/{total}{self._left}", final=done == total)

    def note(self, text: str) -> None:
        """Prints a permanent line above the progress line."""
        self._console.print(shown(text), soft_wrap=True)

    def stop(self) -> None:
        """Ends the live line and restores the terminal; call it before the process exits."""
        if self._console.is_terminal and self._live.is_started:
            self._live.stop()
            if self._text:
                self.note(self._text)


class TimeLeft:
    """Estimates how much longer a task takes, from the pace of the parts that are done.

    The estimate counts down, also during a long part. A new one that is at most a quarter or five
    seconds longer is ignored: parts differ by chance. Only if the task has really become slower
    does the estimate grow, and then it says so.

    Args:
      total: number of parts, or 1.0 if shares are reported.
      done: parts that were done before the clock starts.
      clock: returns seconds; replaced in tests.
    """

    def __init__(
        self, total: float, done: float = 0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._total, self._first, self._done = total, done, done
        self._clock, self._start = clock, clock()
        self._end: float | None = None
        self._slower = False

    def update(self, done: float) -> None:
        """Records how many parts are done; repeating the same number changes nothing."""
        if done > self._done:
            self._done = done
            self._estimate()

    def skip(self) -> None:
        """Counts a part that took no time, because its result was kept from before."""
        self._first, self._done = self._first + 1, self._done + 1
        self._estimate()

    def _estimate(self) -> None:
        if (worked := self._done - self._first) > 0:
            now = self._clock()
            left = (now - self._start) / worked * (self._total - self._done)
            expected = math.inf if self._end is None else max(self._end - now, 0)
            self._slower = left > max(_CHANCE * expected, expected + _CHANCE_SECONDS)
            if self._slower or left < expected:
                self._end = now + left

    @property
    def seconds(self) -> float | None:
        """The seconds left; None if unknown, for example before the first part is done."""
        if self._end is None or self._done >= self._total:
            return None
        left = self._end - self._clock()
        return left if left > 0 else None

    def __str__(self) -> str:
        """Formats the time left, as in `, about 4:05 left`; empty if unknown or almost over."""
        left = self.seconds
        if left is None or not round(left):
            return ""
        slower = ", slower than expected" if self._slower else ""
        return f", about {duration(left)} left{slower}"


def duration(seconds: float) -> str:
    """Formats a time span as people write it: `4:05` or `1:02:33`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
