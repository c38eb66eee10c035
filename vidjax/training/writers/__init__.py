"""What metrics are written to beside `metrics.jsonl`: a file for each writer.

A writer is a module with a function `open(workdir, step, config)`, which gives a `Writer`. If it
needs a package that is not installed with vidjax, its `NEEDS` names the package. Its `INSTALL` is
what pip installs, if that is called otherwise. `ON_DISK = True` refuses runs in a bucket, for a
package that writes files by itself. Modules of other packages join by entry points of the group
`vidjax.training.writers` (`vidjax.plugins`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Writer(Protocol):
    """Takes the metrics of a run, in the process that writes for all of them.

    It is opened at each start of the run, with the step that the run resumes after. An interrupted
    run may have written later steps, and is about to write them again: what becomes of those is up
    to the writer. Its errors are reported, and end nothing but its own writing.
    """

    def write(self, step: int, split: str, numbers: Mapping[str, float]) -> None:
        """Adds numbers of a step.

        Args:
          step: number of steps done.
          split: `train`, the name of an evaluation, or `timing/...` for what a clock says, which
            differs from run to run.
          numbers: by name; some may be NaN or infinite.
        """

    def flush(self) -> None:
        """Writes what is buffered."""

    def close(self) -> None:
        """Writes what is buffered, and no more."""
