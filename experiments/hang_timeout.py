"""The flag `--hang_timeout`, for commands that end when they hang."""

from __future__ import annotations

from collections.abc import Callable

import jax
from absl import flags

from vidjax.run.processes import EXIT_CODE
from vidjax.watchdog import COMPILING, Watchdog

from . import help_text

_WEEK = 7 * 24 * 3600
_TIMEOUT = flags.DEFINE_integer(
    "hang_timeout",
    1800,
    "SECONDS: How long a process may go without a step or a batch. After that it prints where its "
    f"threads are and exits with {EXIT_CODE}. A compilation may take {COMPILING} times as long. 0 "
    "waits for ever.",
    lower_bound=0,
    upper_bound=_WEEK,
)
help_text.group("Hanging", _TIMEOUT)


def watched(main: Callable[[], int | None], advice: str) -> Callable[[], int | None]:
    """Wraps a command so that it ends when it hangs; call it after the processes have joined.

    Args:
      main: the command.
      advice: how to continue, as the end of a sentence.
    """

    def watching() -> int | None:
        with Watchdog(_TIMEOUT.value, EXIT_CODE, advice) as watch:
            # This opens the devices, which may hang.
            if (count := jax.process_count()) > 1:
                watch.one_of_several(jax.process_index(), count)
            return main()

    return watching
