"""The data set builders, one small file per data set. All write the same prepared format.

The module of a data set has a function `prepare(request: Request) -> Path`, which prepares the data
set and returns its folder. The module is a file in this package, a module that another package
names in an entry point of the group `vidjax.data.builders`, or one registered with
`vidjax.plugins.register`. Its name is the value of `--config.data.name`. There are two ways to
write one.

- For published videos with annotations, subclass `PublishedVideos`: state where the data set comes
  from, read the annotations into a `Listing` of `Entry` values, and set
  `prepare = TheClass.prepare`.
- For anything else, subclass `PreparedVideos`, with the name of the data set, and write a `prepare`
  that makes a `Manifest` (`read_manifest` reads a folder or a CSV) and calls
  `prepare_videos(builder)`.

`request.options` holds the user's options for the data set. Refuse unknown options with a
ValueError; for a `PublishedVideos`, the keyword arguments of `read` are the known ones. Everything
that you need can be imported from this package. `CONTRIBUTING.md` contains a complete example.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vidjax.data.builders.prepared_videos import PreparedVideos, prepare_videos
    from vidjax.data.builders.published_videos import Listing, PublishedVideos
    from vidjax.data.catalog import Request
    from vidjax.data.manifest import Entry, Manifest, ManifestError, read_manifest

__all__ = [
    "Entry",
    "Listing",
    "Manifest",
    "ManifestError",
    "PreparedVideos",
    "PublishedVideos",
    "Request",
    "prepare_videos",
    "read_manifest",
]
_HOMES = {
    "vidjax.data.builders.prepared_videos": ("PreparedVideos", "prepare_videos"),
    "vidjax.data.builders.published_videos": ("Listing", "PublishedVideos"),
    "vidjax.data.catalog": ("Request",),
    "vidjax.data.manifest": ("Entry", "Manifest", "ManifestError", "read_manifest"),
}


def __getattr__(name: str) -> Any:
    """Imports on first use, so that a process that only lists data sets does not load TFDS."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(home), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
