"""Optuna's journal in a bucket: the lines that Optuna would append to a file of a disk."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vidjax import records
from vidjax.storage.writing import appending, sync

_WAY_OUT = "move it away and begin the search anew, or name another --workdir"


class Journal:
    """A backend for Optuna's `JournalStorage`, with the methods of its `BaseJournalBackend`.

    One process at a time has it, the owner of the sweep's folder. Records are in the bucket after
    `keep`. Each record by itself would be too much: Cloud Storage lets an object be replaced once a
    second.

    Args:
      file: the journal's object, which may be absent.

    Raises:
      RecordError: it is damaged; names the line.
      OSError: it cannot be read.
    """

    def __init__(self, file: Path) -> None:
        self._records = records.read_lines(file, _WAY_OUT) if file.is_file() else []
        self._stream = appending(file)

    def read_logs(self, log_number_from: int) -> Sequence[dict[str, Any]]:
        """The records from a number on."""
        return self._records[log_number_from:]

    def append_logs(self, logs: Iterable[Mapping[str, Any]]) -> None:
        """Adds records, which are JSON objects."""
        for each in logs:
            line = json.dumps(each, separators=(",", ":"))
            self._stream.write(f"{line}\n")
            # Read back, so that it is what another start finds.
            self._records.append(records.parsed(line, dict[str, Any]))

    def keep(self) -> None:
        """Returns when the bucket has every record.

        Raises:
          BucketError: it does not take them.
        """
        sync(self._stream)
