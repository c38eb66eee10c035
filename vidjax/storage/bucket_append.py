"""A file that grows at its end, in a bucket, where nothing grows.

The lines stand in a file of this machine, and the object is replaced by the whole of them from time
to time. It is replaced only if it is the one that was written last: two processes never overwrite
one another's lines.
"""

from __future__ import annotations

import io
import math
import os
import tempfile
import time

from vidjax.storage import buckets, leases

# Seconds between two uploads, and at least so many times what the last one took.
_EVERY, _SHARE = 10.0, 20.0


class GrowingObject(io.TextIOWrapper):
    """A text stream at the end of an object. Nothing is lost that was written before a `sync`.

    Args:
      url: of the object, which may be absent.

    Raises:
      BucketError: the store does not answer.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        found: tuple[bytes, str | None] = buckets.read(url) or (b"", None)
        before, self._version = found
        # Without a name: it ends with the process, however that ends.
        self._local = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the stream above it
        self._local.write(before)
        self._size = len(before)
        self._due = time.monotonic() + _EVERY
        super().__init__(self._local, encoding="utf-8", errors="surrogateescape", newline="")

    def flush(self) -> None:
        """Hands the lines on; they are in the bucket within seconds of the next one after ten.

        Raises:
          BucketError: the store does not take them.
        """
        super().flush()
        if time.monotonic() > self._due:
            self.sync()

    def sync(self) -> None:
        """Returns when the bucket has every line.

        Raises:
          BucketError: the store does not take them, or another process has written there.
        """
        super().flush()
        self._local.flush()
        size = os.fstat(self._local.fileno()).st_size
        if size == self._size and self._version is not None:
            return
        began = time.monotonic()
        self._local.seek(0)
        content = self._local.read()
        leases.assure(self._url)
        try:
            self._version = buckets.write(self._url, content, over=self._version)
        except FileExistsError:
            leases.assure(self._url, doubtful=True)
            raise buckets.BucketError(
                f"{self._url}: another process has written there since; nothing was overwritten. "
                "Let one process work there"
            ) from None
        self._size = size
        took = time.monotonic() - began
        self._due = began + took + max(_EVERY, _SHARE * took)

    def close(self) -> None:
        """Writes what is left, and no more.

        Raises:
          BucketError: the store does not take it.
        """
        if self.closed:
            return
        try:
            self.sync()
        finally:
            super().close()

    def __del__(self) -> None:
        """Gives up what nobody has closed, as a kill would: the client's threads may have ended."""
        if not self.closed:
            self._due = math.inf
            super().close()
