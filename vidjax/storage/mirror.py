"""A folder that a library fills on this machine, kept up to date in a bucket."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from vidjax.storage import buckets
from vidjax.storage.paths import is_url

# Seconds between two uploads, and at least so many times what the last one took.
_EVERY, _SHARE = 30.0, 20.0


class Mirror:
    """A folder to write into, and where it is to be in the end.

    Attributes:
      here: the folder on this machine; the wanted one itself where that is local.

    Args:
      folder: the wanted one.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._temporary = (
            tempfile.TemporaryDirectory(prefix="vidjax-", ignore_cleanup_errors=True)
            if is_url(folder)
            else None
        )
        self.here = Path(self._temporary.name) if self._temporary else folder
        self._sizes: dict[Path, int] = {}
        self._due = time.monotonic() + _EVERY

    def is_due(self) -> bool:
        """Whether it is time for a `sync`."""
        return self._temporary is not None and time.monotonic() > self._due

    def sync(self) -> None:
        """Returns when the bucket has what was written here; files may have grown, not changed.

        Raises:
          BucketError: the store does not take it.
        """
        if self._temporary is None:
            return
        began = time.monotonic()
        for file in sorted(self.here.rglob("*")):
            size = file.stat().st_size
            if file.is_file() and self._sizes.get(file) != size:
                place = self._folder / file.relative_to(self.here).as_posix()
                buckets.upload(file, str(place))
                self._sizes[file] = size
        took = time.monotonic() - began
        self._due = began + took + max(_EVERY, _SHARE * took)

    def close(self) -> None:
        """Brings the bucket up to date, and removes what is here of it.

        Raises:
          BucketError: the store does not take it.
        """
        try:
            self.sync()
        finally:
            if self._temporary is not None:
                self._temporary.cleanup()
