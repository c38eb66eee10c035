"""Keeps Optuna's journal in a bucket, with the lines that Optuna would append to a file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vidjax import records
from vidjax.storage.writing import appending, sync

_WAY_OUT = "move it away and start the search again, or name another --workdir"


class Journal:
    """A backend for Optuna's `JournalStorage`, with the methods of its `BaseJournalBackend`.

    Only the owner of the sweep's folder uses it. Records are in the bucket after `keep`. Writing
    each record by itself would be too much, because Cloud Storage replaces an object at most once a
    second.

    Args:
      file: the journal's object, which may be absent.

    Raises:
      RecordError: it is damaged; the message names the line.
      OSError: it cannot be read.
    """

    def __init__(self, file: Path) -> None:
        self._records = records.read_lines(file, _WAY_OUT) if file.is_file() else []
        self._stream = appending(file)

    def read_logs(self, log_number_from: int) -> Sequence[dict[str, Any]]:
        """Returns the records from a number on."""
        return self._records[log_number_from:]

    def append_logs(self, logs: Iterable[Mapping[str, Any]]) -> None:
        """Adds records, which are JSON objects."""
        for each in logs:
            line = json.dumps(each, separators=(",", ":"))
            self._stream.write(f"{line}\n")
            # Parsed again, so that it equals what a later start reads.
            self._records.append(records.parsed(line, dict[str, Any]))

    def keep(self) -> None:
        """Waits until the bucket has every record.

        Raises:
          BucketError: they cannot be written.
        """
        sync(self._stream)
