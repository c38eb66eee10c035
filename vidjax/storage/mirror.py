"""Mirrors a local folder, which a library writes to, to a bucket."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from vidjax.storage import buckets
from vidjax.storage.paths import is_url

# Seconds between two uploads: at least _EVERY, and _SHARE times the last upload's duration.
_EVERY, _SHARE = 30.0, 20.0


class Mirror:
    """A local folder to write to, and its destination.

    Attributes:
      here: the local folder; the destination itself if that is local.

    Args:
      folder: the destination.
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
        """Returns whether it is time for a `sync`."""
        return self._temporary is not None and time.monotonic() > self._due

    def sync(self) -> None:
        """Uploads new and grown files. Files must not change in place.

        Raises:
          BucketError: an upload fails.
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
        """Uploads the remaining changes and removes the local copy.

        Raises:
          BucketError: an upload fails.
        """
        try:
            self.sync()
        finally:
            if self._temporary is not None:
                self._temporary.cleanup()
