"""Requests to Cloud Storage and S3 through fsspec, with clear errors."""

from __future__ import annotations

import contextlib
import errno
import functools
import json
import logging
import os
import re
import threading
from collections.abc import Iterator
from typing import Any

from vidjax.installed_packages import is_installed

# Otherwise etils opens gs:// with TensorFlow, which supports neither s3:// nor the local store of
# a test. etils reads the variable at each use, so it may be imported earlier.
os.environ.setdefault("EPATH_USE_TF", "false")
# Otherwise gcsfs asks for each bucket, again and again, whether it is zonal.
os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")

# Package, extra of vidjax, and how to sign in, by scheme.
_KINDS = {
    "gs": (
        "gcsfs",
        "gcs",
        "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS",
    ),
    "s3": ("s3fs", "s3", "run `aws configure`, or set AWS_ACCESS_KEY_ID and its companions"),
}
# Time limit of one request in seconds.
_LONGEST = 100
_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+)://")
_QUOTA = re.compile(r"quota|rate ?limit|SlowDown|insufficient storage", re.IGNORECASE)
_WHO = re.compile(
    r"credential|token|Unauthorized|Anonymous caller|expired|InvalidAccessKeyId|"
    r"SignatureDoesNotMatch",
    re.IGNORECASE,
)
# Packages whose errors come from a store, and TensorStore's messages about a store.
_CLIENTS = ("gcsfs", "s3fs", "aiohttp", "aiobotocore", "botocore")
_TENSORSTORE = re.compile(r"http_response_code='(4(?!04)\d\d|5\d\d)'|All \d+ retry attempts failed")
# Messages of S3-compatible stores about a failed condition.
_CONDITION = re.compile(r"PreconditionFailed|pre-?conditions?\b|ConditionalRequestConflict", re.I)
_setting = threading.Lock()


class BucketError(OSError):
    """A request to a bucket failed; the message names the URL and the fix."""


def scheme_of(url: str) -> str | None:
    """Returns the scheme of a URL, such as `gs`; None for a local path."""
    found = _SCHEME.match(url)
    return found[1] if found else None


def require(url: str) -> None:
    """Checks that a URL's scheme is supported and its package is installed.

    Raises:
      BucketError: names the supported schemes, or the missing package.
    """
    scheme = scheme_of(url) or ""
    if scheme not in _KINDS:
        known = " and ".join(f"{each}://" for each in _KINDS)
        local = "; for a local file, give just its path" if scheme == "file" else ""
        raise BucketError(f"{url}: supported are {known}, not {scheme}://{local}")
    package, extra, _ = _KINDS[scheme]
    if not is_installed(package):
        raise BucketError(f"{url} needs the package {package}: pip install 'vidjax[{extra}]'")


def file_system(url: str) -> Any:
    """Returns the fsspec file system of a URL, the same one that etils and Orbax use.

    Raises:
      BucketError: the scheme is not supported, or its package is not installed.
    """
    require(url)
    _configure()
    from etils.epath import backend

    return backend.fsspec_backend.fs(url)


@functools.cache
def _configure() -> None:
    """Sets the defaults of all file systems, whoever opens them."""
    import fsspec.config

    with _setting:
        for protocol in ("gcs", "gs", "s3"):
            settings = fsspec.config.conf.setdefault(protocol, {})
            # Other processes write there too, so listings must not be cached.
            settings.setdefault("use_listings_cache", False)
        for protocol in ("gcs", "gs"):
            fsspec.config.conf[protocol].setdefault("requests_timeout", _LONGEST)
    # gcsfs also logs a traceback of each error that it raises.
    logging.getLogger("gcsfs").setLevel(logging.CRITICAL)


@functools.lru_cache(maxsize=256)
def check_bucket(url: str) -> None:
    """Checks, once per process, that a URL's bucket exists and is readable.

    Raises:
      BucketError: the bucket does not exist, or this account may not read it.
    """
    fs = file_system(url)
    bucket, key = _split(url)
    try:
        with bucket_errors(url):
            if scheme_of(url) == "gs":
                fs.call("GET", "b/{}/o", bucket, prefix=key, maxResults=1, json_out=True)
            else:
                fs.call_s3("list_objects_v2", Bucket=bucket, Prefix=key, MaxKeys=1)
    except FileNotFoundError:
        scheme = scheme_of(url)
        raise BucketError(
            f"{url}: there is no bucket {bucket!r}. Create it, or correct the name "
            f"({scheme}://BUCKET/FOLDER)"
        ) from None


def _split(url: str) -> tuple[str, str]:
    bucket, _, key = url.split("://", 1)[1].partition("/")
    return bucket, key


@contextlib.contextmanager
def bucket_errors(url: str | os.PathLike[str]) -> Iterator[None]:
    """Turns the errors of a store's client into `OSError`s that name the URL and the fix.

    Raises:
      FileNotFoundError: there is no such object.
      FileExistsError: there is an object that must not exist.
      BucketError: any other error.
    """
    try:
        yield
    except BucketError:
        raise
    except FileNotFoundError as error:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fspath(url)) from error
    except (FileExistsError, IsADirectoryError, NotADirectoryError):
        raise
    except Exception as error:
        raise BucketError(_reason(os.fspath(url), error)) from error


def _reason(url: str, error: Exception) -> str:
    scheme = scheme_of(url) or ""
    sign_in = _KINDS[scheme][2] if scheme in _KINDS else "sign in"
    text = " ".join(str(error).split())[:200]
    code = str(getattr(error, "code", ""))
    forbidden = isinstance(error, PermissionError) or text.startswith("Forbidden") or code == "403"
    if code == "429" or _QUOTA.search(text):
        return (
            f"{url}: the store's quota is exceeded ({text}); raise it, or delete what you do not "
            "need. Then run the same command again: it resumes"
        )
    module = type(error).__module__
    if code == "401" or module.startswith("google.auth") or (not forbidden and _WHO.search(text)):
        return f"{url}: the credentials are missing or have expired; {sign_in}"
    if forbidden:
        return (
            f"{url}: this account has no permission for that ({text}); give it a role that can "
            "read or write objects there, or use another bucket"
        )
    return (
        f"{url}: the request to the store failed ({type(error).__name__}: {text}); run the same "
        "command again when the store works: it resumes"
    )


def store_error(error: BaseException) -> str | None:
    """Describes a store's error that reached a library such as Orbax instead of this module.

    Returns:
      One line, or None if the error has another cause.
    """
    text = " ".join(str(error).split())
    # gcsfs has no exception type for it.
    if isinstance(error, OSError) and text.startswith("Forbidden: "):
        return f"this account has no permission for that ({text[:200]})"
    if type(error).__module__.partition(".")[0] in _CLIENTS:
        return f"the request to the store failed ({type(error).__name__}: {text[:200]})"
    if _TENSORSTORE.search(text):
        return f"the request to the store failed ({text[:200]})"
    return None


def version(url: str) -> str | None:
    """Returns the version of an object for conditional writes; None if there is no object.

    Raises:
      BucketError: the request fails.
    """
    found = facts(url)
    return None if found is None else str(found.get("generation") or found["ETag"])


def facts(url: str) -> dict[str, Any] | None:
    """Returns an object's metadata, with one request; None if there is no object.

    Raises:
      BucketError: the request fails.
    """
    fs, (bucket, key) = file_system(url), _split(url)
    if not key:
        return None
    try:
        with bucket_errors(url):
            if scheme_of(url) == "gs":
                found: dict[str, Any] = fs.call("GET", "b/{}/o/{}", bucket, key, json_out=True)
            else:
                found = fs.info(url)
    except FileNotFoundError:
        return None
    return None if found.get("type") == "directory" else found


def is_folder(url: str) -> bool:
    """Returns whether there are objects below a URL, with one request.

    Raises:
      BucketError: the request fails.
    """
    fs, (bucket, key) = file_system(url), _split(url)
    if scheme_of(url) != "gs":
        with bucket_errors(url):
            return bool(fs.isdir(url))
    below = {"prefix": f"{key.rstrip('/')}/"} if key else {}
    with contextlib.suppress(FileNotFoundError), bucket_errors(url):
        found = fs.call("GET", "b/{}/o", bucket, maxResults=1, json_out=True, **below)
        return bool(found.get("items")) or not key
    return False


def read(url: str) -> tuple[bytes, str] | None:
    """Reads an object's content and version; None if there is no object.

    Raises:
      BucketError: the request fails.
    """
    # The version is read before and after the content, so that the two belong together.
    while (before := version(url)) is not None:
        try:
            with bucket_errors(url):
                content: bytes = file_system(url).cat_file(url)
        except FileNotFoundError:
            return None
        if version(url) == before:
            return content, before
    return None


def write(url: str, content: bytes, *, over: str | None = "") -> str:
    """Writes a whole object.

    Args:
      url: URL of the object.
      content: content of the object.
      over: the version that may be replaced. None requires that there is no object yet. An empty
        text replaces any version.

    Returns:
      The new version.

    Raises:
      FileExistsError: the existing object is another version.
      BucketError: the object cannot be written.
    """
    fs = file_system(url)
    with bucket_errors(url):
        try:
            made = (_write_gs if scheme_of(url) == "gs" else _write_s3)(fs, url, content, over)
        except FileExistsError:
            # The answer to a successful write may get lost. The retry then finds its own object.
            there = read(url) if over != "" else None
            if there is None or there[0] != content:
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), url) from None
            return there[1]
    return made


def _write_gs(fs: Any, url: str, content: bytes, over: str | None) -> str:
    bucket, key = _split(url)
    condition = {} if over == "" else {"ifGenerationMatch": over or 0}
    _, answer = fs.call(
        "POST",
        f"{fs._location}/upload/storage/v1/b/{bucket}/o",
        data=content,
        headers={"Content-Type": "application/octet-stream"},
        uploadType="media",
        name=key,
        **condition,
    )
    return str(json.loads(answer)["generation"])


def _write_s3(fs: Any, url: str, content: bytes, over: str | None) -> str:
    bucket, key = _split(url)
    condition = {} if over == "" else {"IfMatch": over} if over else {"IfNoneMatch": "*"}
    try:
        answer = fs.call_s3("put_object", Bucket=bucket, Key=key, Body=content, **condition)
    except OSError as error:
        if _CONDITION.search(f"{error} {error.__cause__}") or error.errno == errno.EBUSY:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), url) from None
        raise
    return str(answer["ETag"])


def upload(file: str | os.PathLike[str], url: str) -> None:
    """Uploads a local file to an object, which appears complete or not at all.

    Raises:
      BucketError: the object cannot be written.
    """
    with bucket_errors(url):
        file_system(url).put_file(os.fspath(file), url)


def download(url: str, file: str | os.PathLike[str]) -> None:
    """Downloads an object to a local file.

    Raises:
      FileNotFoundError: there is no object.
      BucketError: the object cannot be read.
    """
    with bucket_errors(url):
        file_system(url).get_file(url, os.fspath(file))


def remove_below(url: str) -> None:
    """Removes all objects of a folder, if there are any.

    Raises:
      BucketError: an object cannot be removed.
    """
    with contextlib.suppress(FileNotFoundError), bucket_errors(url):
        file_system(url).rm(url, recursive=True)


def remove(url: str, *, only: str = "") -> None:
    """Removes an object, if it exists.

    Args:
      url: URL of the object.
      only: remove only this version.

    Raises:
      BucketError: the object cannot be removed.
    """
    bucket, key = _split(url)
    fs = file_system(url)
    with contextlib.suppress(FileNotFoundError, FileExistsError), bucket_errors(url):
        if scheme_of(url) == "gs":
            condition = {"ifGenerationMatch": only} if only else {}
            fs.call("DELETE", "b/{}/o/{}", bucket, key, **condition)
        elif not only or version(url) == only:
            fs.call_s3("delete_object", Bucket=bucket, Key=key)
