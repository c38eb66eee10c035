"""The flag of commands that notice when they hang."""

from __future__ import annotations

from collections.abc import Callable

import jax
from absl import flags

from vidjax.run.processes import EXIT_CODE
from vidjax.watchdog import COMPILING, Watch

_WEEK = 7 * 24 * 3600
_TIMEOUT = flags.DEFINE_integer(
    "hang_timeout",
    1800,
    "seconds in which nothing moves, no step and no batch, after which the process prints where "
    f"its threads are and exits with {EXIT_CODE}; {COMPILING} times as many where something is "
    "compiled; 0 waits for ever",
    lower_bound=0,
    upper_bound=_WEEK,
)


def watched(main: Callable[[], int | None], advice: str) -> Callable[[], int | None]:
    """An entry point that ends when it hangs; to be called when the job's processes have joined.

    Args:
      main: the entry point.
      advice: how to go on, as the end of a sentence.
    """

    def watching() -> int | None:
        with Watch(_TIMEOUT.value, EXIT_CODE, advice) as watch:
            # It opens the devices, which may hang.
            if (count := jax.process_count()) > 1:
                watch.one_of_several(jax.process_index(), count)
            return main()

    return watching
