"""Converts the paths that users give: local paths, or URLs of a bucket."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, cast

from vidjax.storage import buckets

_ONE_SLASH = re.compile(r"^(gs|s3):/+(?=[^/])")
# Names with dots may be longer, in parts of up to 63 characters.
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")


class UrlError(ValueError):
    """A URL cannot be used; the message says why and what to do."""


def is_url(path: str | os.PathLike[str]) -> bool:
    """Returns whether a path is a URL of a bucket."""
    return buckets.scheme_of(os.fspath(path)) is not None


def for_libraries(path: Path) -> Any:
    """Converts a path for Orbax and TFDS, which write by themselves: an etils path for a URL."""
    if not is_url(path):
        return path
    from etils import epath

    return epath.Path(str(path))


def as_path(given: str | os.PathLike[str]) -> Path:
    """Converts a user's path to a `pathlib.Path`, or a URL to a `UrlPath`, which reads like one.

    The bucket is checked once per process, so that a wrong name is reported before work begins.

    >>> as_path("runs/demo").name
    'demo'

    Raises:
      UrlError: the scheme is not supported, the bucket does not exist or is not readable, or a
        package is missing.
    """
    text = os.fspath(given)
    if not is_url(text):
        if slip := _ONE_SLASH.match(text):
            raise UrlError(f"{text}: a URL needs two slashes, as in {slip[1]}://bucket/folder")
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
        raise UrlError(f"{url}: the bucket is missing; write {scheme}://BUCKET/FOLDER")
    if not _BUCKET.fullmatch(bucket):
        raise UrlError(
            f"{url}: {bucket!r} is not a valid bucket name; names have 3 to 63 lowercase letters, "
            "digits, dots, dashes and underscores, and start and end with a letter or digit"
        )
    return f"{scheme}://{bucket}"
