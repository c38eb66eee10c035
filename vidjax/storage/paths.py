"""Paths that users give: of a disk, or URLs of a bucket."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, cast

from vidjax.storage import buckets

_ONE_SLASH = re.compile(r"^(gs|s3):/+(?=[^/])")
# Names with dots may be longer, in parts of 63.
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")


class UrlError(ValueError):
    """A URL cannot be used; the message says why and what to do."""


def is_url(path: str | os.PathLike[str]) -> bool:
    """Whether a path leads into a bucket."""
    return buckets.scheme_of(os.fspath(path)) is not None


def for_libraries(path: Path) -> Any:
    """The path as Orbax and TFDS take it, which write by themselves: etils' own for a URL."""
    if not is_url(path):
        return path
    from etils import epath

    return epath.Path(str(path))


def as_path(given: str | os.PathLike[str]) -> Path:
    """The path that a user means: a `pathlib.Path`, or for a URL a `UrlPath`, which reads like one.

    A bucket is asked for once a process, so that a wrong one is told before anything begins.

    Raises:
      UrlError: no such kind of URL, no such bucket, no right to read it, or a package is missing.
    """
    text = os.fspath(given)
    if not is_url(text):
        if slip := _ONE_SLASH.match(text):
            raise UrlError(f"{text}: a URL has two slashes, as in {slip[1]}://bucket/folder")
        return Path(given)
    from vidjax.storage.url_path import UrlPath

    if isinstance(given, UrlPath):
        return cast(Path, given)
    try:
        buckets.require(text)
        buckets.check_bucket(_bucket(text))
    except OSError as error:
        raise UrlError(str(error)) from None
    return cast(Path, UrlPath(text.rstrip("/")))


def _bucket(url: str) -> str:
    scheme, rest = url.split("://", 1)
    bucket = rest.partition("/")[0]
    if not bucket:
        raise UrlError(f"{url}: it names no bucket; {scheme}://BUCKET/FOLDER does")
    if not _BUCKET.fullmatch(bucket):
        raise UrlError(
            f"{url}: no bucket can be called {bucket!r}; names have 3 to 63 small letters, digits, "
            "dots, dashes and underscores, and begin and end with a letter or digit"
        )
    return f"{scheme}://{bucket}"
