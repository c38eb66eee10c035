"""Appends lines to an object in a bucket, where objects cannot grow.

The lines are kept in a local file, and the whole object is replaced from time to time. It is
replaced only if it is still the version that was written last, so two processes never overwrite
each other's lines.
"""

from __future__ import annotations

import io
import math
import os
import tempfile
import time

from vidjax.storage import buckets, leases

# Seconds between two uploads: at least _EVERY, and _SHARE times the last upload's duration.
_EVERY, _SHARE = 10.0, 20.0


class AppendStream(io.TextIOWrapper):
    """A text stream that appends to an object. Lines written before a `sync` are never lost.

    Args:
      url: URL of the object, which need not exist.

    Raises:
      BucketError: the request to the store fails.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        found: tuple[bytes, str | None] = buckets.read(url) or (b"", None)
        before, self._version = found
        # A file without a name, which the system removes when the process ends.
        self._local = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the stream above it
        self._local.write(before)
        self._size = len(before)
        self._due = time.monotonic() + _EVERY
        super().__init__(self._local, encoding="utf-8", errors="surrogateescape", newline="")

    def flush(self) -> None:
        """Flushes the lines locally, and uploads them if the last upload was long enough ago.

        Raises:
          BucketError: the upload fails.
        """
        super().flush()
        if time.monotonic() > self._due:
            self.sync()

    def sync(self) -> None:
        """Uploads all lines and waits until the bucket has them.

        Raises:
          BucketError: the upload fails, or another process has written the object.
        """
        super().flush()
        self._local.flush()
        size = os.fstat(self._local.fileno()).st_size
        if size == self._size and self._version is not None:
            return
        began = time.monotonic()
        self._local.seek(0)
        content = self._local.read()
        leases.check_lease(self._url)
        try:
            self._version = buckets.write(self._url, content, over=self._version)
        except FileExistsError:
            leases.check_lease(self._url, doubtful=True)
            raise buckets.BucketError(
                f"{self._url}: another process has written to it; nothing was overwritten. Let "
                "only one process work there"
            ) from None
        self._size = size
        took = time.monotonic() - began
        self._due = began + took + max(_EVERY, _SHARE * took)

    def close(self) -> None:
        """Uploads the remaining lines and closes the stream.

        Raises:
          BucketError: the upload fails.
        """
        if self.closed:
            return
        try:
            self.sync()
        finally:
            super().close()

    def __del__(self) -> None:
        """Drops unsynced lines of an unclosed stream, since the client's threads may have ended."""
        if not self.closed:
            self._due = math.inf
            super().close()
