"""The data sets, one small file each, over a common prepared form.

A module of a data set has a function `prepare(request: Request) -> Path`, which brings it into
its prepared form and returns the folder. It is a file here, one that another package names in an
entry point of the group `vidjax.data.builders`, or one registered by `vidjax.plugins.register`; its
name is what `--config.data.name` says. There are two ways to write one.

- Published videos with annotations: a subclass of `PublishedVideos` that says where they are from
  and reads the annotations into a `Listing` of `Entry` values; `prepare = TheClass.prepare`.
- Anything else: a subclass of `PreparedVideos`, named as the data set is, and `prepare`, which
  makes a `Manifest` (`read_manifest` reads a folder or a CSV) and calls `prepare_videos(builder)`.

`request.options` holds the user's settings of the data set. Unknown ones are refused with a
ValueError; keyword arguments of `PublishedVideos.read` are known by themselves. All that authors
need can be imported from here; `CONTRIBUTING.md` has a whole data set.
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
    """Imports on first use: a process that only lists data sets does not load TFDS."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(home), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
