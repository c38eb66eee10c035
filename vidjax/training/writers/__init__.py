"""Metric writers beside `metrics.jsonl`, one file each.

A writer is a module with a function `open(workdir, step, config)` that returns a `Writer`. If it
needs a package that vidjax does not install, `NEEDS` names the package, and `INSTALL` is its name
for pip if that differs. `ON_DISK = True` refuses work directories in a bucket, for packages that
write local files. Other packages add writers by entry points of the group `vidjax.training.writers`
(`vidjax.plugins`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Writer(Protocol):
    """Gets the metrics of a run, in the one process that writes them.

    It is opened at each start of the run, with the step that the run resumes after. An interrupted
    run may have written later steps, which will be written again; the writer decides what to do
    with them. Errors of a writer are reported and stop only that writer.
    """

    def write(self, step: int, split: str, numbers: Mapping[str, float]) -> None:
        """Adds the numbers of a step.

        Args:
          step: number of finished steps.
          split: `train`, the name of an evaluation, or `timing/...` for times, which differ from
            run to run.
          numbers: numbers by name; some may be NaN or infinite.
        """

    def flush(self) -> None:
        """Writes the buffers."""

    def close(self) -> None:
        """Writes the buffers and closes the writer."""
