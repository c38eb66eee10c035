"""The file systems behind URLs, what they are asked, and what their errors mean."""

from __future__ import annotations

import contextlib
import errno
import functools
import importlib.util
import json
import logging
import os
import re
import threading
from collections.abc import Iterator
from typing import Any

# etils would give gs:// to TensorFlow, which knows neither s3:// nor where a test's store listens.
# It is read at each use, so that an earlier import of etils does no harm.
os.environ.setdefault("EPATH_USE_TF", "false")
# Otherwise gcsfs asks of each bucket whether it is zonal, by another protocol, again and again.
os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")

# Package, extra of this package, and what makes a store of each kind take our word for who we are.
_KINDS = {
    "gs": (
        "gcsfs",
        "gcs",
        "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS",
    ),
    "s3": ("s3fs", "s3", "run `aws configure`, or set AWS_ACCESS_KEY_ID and its companions"),
}
# Seconds that one request may take.
_LONGEST = 100
_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+)://")
_QUOTA = re.compile(r"quota|rate ?limit|SlowDown|insufficient storage", re.IGNORECASE)
_WHO = re.compile(
    r"credential|token|Unauthorized|Anonymous caller|expired|InvalidAccessKeyId|"
    r"SignatureDoesNotMatch",
    re.IGNORECASE,
)
# Where errors of stores come from, and what TensorStore says of them.
_CLIENTS = ("gcsfs", "s3fs", "aiohttp", "aiobotocore", "botocore")
_TENSORSTORE = re.compile(r"http_response_code='(4(?!04)\d\d|5\d\d)'|All \d+ retry attempts failed")
# What S3 and those who speak its protocol say of a condition that does not hold.
_CONDITION = re.compile(r"PreconditionFailed|pre-?conditions?\b|ConditionalRequestConflict", re.I)
_setting = threading.Lock()


class BucketError(OSError):
    """A bucket cannot do what is asked; the message names the URL and the fix."""


def scheme_of(url: str) -> str | None:
    """`gs` of `gs://bucket/folder`; None of a local path."""
    found = _SCHEME.match(url)
    return found[1] if found else None


def require(url: str) -> None:
    """Refuses a URL whose kind is unknown or needs a package.

    Raises:
      BucketError: names the kinds, or the package.
    """
    scheme = scheme_of(url) or ""
    if scheme not in _KINDS:
        known = " and ".join(f"{each}://" for each in _KINDS)
        local = "; a local file is named by its path alone" if scheme == "file" else ""
        raise BucketError(f"{url}: URLs begin with {known}, not {scheme}://{local}")
    package, extra, _ = _KINDS[scheme]
    if importlib.util.find_spec(package) is None:
        raise BucketError(f"{url} needs the package {package}: pip install 'vidjax[{extra}]'")


def file_system(url: str) -> Any:
    """The fsspec file system of a URL, the same one that etils and Orbax use.

    Raises:
      BucketError: its kind is unknown or needs a package.
    """
    require(url)
    _configure()
    from etils.epath import backend

    return backend.fsspec_backend.fs(url)


@functools.cache
def _configure() -> None:
    """Sets what holds for every file system of a kind, whoever opens it."""
    import fsspec.config

    with _setting:
        for protocol in ("gcs", "gs", "s3"):
            settings = fsspec.config.conf.setdefault(protocol, {})
            # Others write there too: what is listed is what is there now.
            settings.setdefault("use_listings_cache", False)
        for protocol in ("gcs", "gs"):
            fsspec.config.conf[protocol].setdefault("requests_timeout", _LONGEST)
    # It prints a traceback of each error that it raises, too.
    logging.getLogger("gcsfs").setLevel(logging.CRITICAL)


@functools.lru_cache(maxsize=256)
def check_bucket(url: str) -> None:
    """Asks once a process whether a URL's bucket is there and may be read.

    Raises:
      BucketError: it is not there, or this account may not read it.
    """
    fs = file_system(url)
    bucket, key = _split(url)
    try:
        with telling(url):
            if scheme_of(url) == "gs":
                fs.call("GET", "b/{}/o", bucket, prefix=key, maxResults=1, json_out=True)
            else:
                fs.call_s3("list_objects_v2", Bucket=bucket, Prefix=key, MaxKeys=1)
    except FileNotFoundError:
        scheme = scheme_of(url)
        raise BucketError(
            f"{url}: there is no bucket {bucket!r}. Make it, or correct the name "
            f"({scheme}://BUCKET/FOLDER)"
        ) from None


def _split(url: str) -> tuple[str, str]:
    bucket, _, key = url.split("://", 1)[1].partition("/")
    return bucket, key


@contextlib.contextmanager
def telling(url: str | os.PathLike[str]) -> Iterator[None]:
    """Makes whatever a store's client raises an `OSError` that names the URL and the fix.

    Raises:
      FileNotFoundError: nothing is there.
      FileExistsError: something is there that must not be.
      BucketError: everything else.
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
            f"{url}: the store's quota is used up ({text}); raise it, or remove what is not "
            "needed. The same command goes on afterwards"
        )
    module = type(error).__module__
    if code == "401" or module.startswith("google.auth") or (not forbidden and _WHO.search(text)):
        return f"{url}: the credentials are missing or have expired; {sign_in}"
    if forbidden:
        return (
            f"{url}: this account has no right to do that ({text}); give it the role of a reader "
            "or writer of objects there, or name another bucket"
        )
    return (
        f"{url}: the store did not answer as it should ({type(error).__name__}: {text}); when it "
        "does, the same command goes on"
    )


def of_store(error: BaseException) -> str | None:
    """What a store did not do, where its clients tell libraries such as Orbax, not this module.

    Returns:
      One line, or None where the error is of another kind.
    """
    text = " ".join(str(error).split())
    # gcsfs has no kind of its own for it.
    if isinstance(error, OSError) and text.startswith("Forbidden: "):
        return f"this account has no right to do that ({text[:200]})"
    if type(error).__module__.partition(".")[0] in _CLIENTS:
        return f"the store did not answer as it should ({type(error).__name__}: {text[:200]})"
    if _TENSORSTORE.search(text):
        return f"the store did not answer as it should ({text[:200]})"
    return None


def version(url: str) -> str | None:
    """What stands for an object's content now, for conditional writes; None where none is.

    Raises:
      BucketError: the store does not say.
    """
    found = facts(url)
    return None if found is None else str(found.get("generation") or found["ETag"])


def facts(url: str) -> dict[str, Any] | None:
    """What a store says of an object, in one request; None where none is.

    Raises:
      BucketError: the store does not say.
    """
    fs, (bucket, key) = file_system(url), _split(url)
    if not key:
        return None
    try:
        with telling(url):
            if scheme_of(url) == "gs":
                found: dict[str, Any] = fs.call("GET", "b/{}/o/{}", bucket, key, json_out=True)
            else:
                found = fs.info(url)
    except FileNotFoundError:
        return None
    return None if found.get("type") == "directory" else found


def is_folder(url: str) -> bool:
    """Whether objects lie below a URL; one request.

    Raises:
      BucketError: the store does not say.
    """
    fs, (bucket, key) = file_system(url), _split(url)
    if scheme_of(url) != "gs":
        with telling(url):
            return bool(fs.isdir(url))
    below = {"prefix": f"{key.rstrip('/')}/"} if key else {}
    with contextlib.suppress(FileNotFoundError), telling(url):
        found = fs.call("GET", "b/{}/o", bucket, maxResults=1, json_out=True, **below)
        return bool(found.get("items")) or not key
    return False


def read(url: str) -> tuple[bytes, str] | None:
    """An object's content and its version; None where none is.

    Raises:
      BucketError: the store does not say.
    """
    # Read between two looks, so that the two belong together.
    while (before := version(url)) is not None:
        try:
            with telling(url):
                content: bytes = file_system(url).cat_file(url)
        except FileNotFoundError:
            return None
        if version(url) == before:
            return content, before
    return None


def write(url: str, content: bytes, *, over: str | None = "") -> str:
    """Writes an object whole.

    Args:
      url: of the object.
      content: of it.
      over: the version that it replaces; None where no object may be there yet, and empty where
        it does not matter.

    Returns:
      The new version.

    Raises:
      FileExistsError: the object is not the one that is to be replaced.
      BucketError: it cannot be written.
    """
    fs = file_system(url)
    with telling(url):
        try:
            made = (_write_gs if scheme_of(url) == "gs" else _write_s3)(fs, url, content, over)
        except FileExistsError:
            # An answer may be lost after the work was done; the next try meets its own object.
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
    """Puts a file of this machine in the place of an object, which is seen whole or not at all.

    Raises:
      BucketError: it cannot be written.
    """
    with telling(url):
        file_system(url).put_file(os.fspath(file), url)


def download(url: str, file: str | os.PathLike[str]) -> None:
    """Copies an object to a file of this machine.

    Raises:
      FileNotFoundError: no object is there.
      BucketError: it cannot be read.
    """
    with telling(url):
        file_system(url).get_file(url, os.fspath(file))


def remove_below(url: str) -> None:
    """Removes every object of a folder, if there are any.

    Raises:
      BucketError: one cannot be removed.
    """
    with contextlib.suppress(FileNotFoundError), telling(url):
        file_system(url).rm(url, recursive=True)


def remove(url: str, *, only: str = "") -> None:
    """Removes an object, if it is there.

    Args:
      url: of the object.
      only: the version that is removed; another one stays.

    Raises:
      BucketError: it cannot be removed.
    """
    bucket, key = _split(url)
    fs = file_system(url)
    with contextlib.suppress(FileNotFoundError, FileExistsError), telling(url):
        if scheme_of(url) == "gs":
            condition = {"ifGenerationMatch": only} if only else {}
            fs.call("DELETE", "b/{}/o/{}", bucket, key, **condition)
        elif not only or version(url) == only:
            fs.call_s3("delete_object", Bucket=bucket, Key=key)
