"""Downloads files: resumes interrupted downloads, and names a file only when it is complete."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pooch

from vidjax.progress import ProgressLine
from vidjax.storage.ownership import owned
from vidjax.storage.writing import PART, finish, growing, make_folder

# Limits: consecutive attempts that receive nothing, and attempts in total.
_ATTEMPTS, _MOST_ATTEMPTS = 3, 100
# Seconds before another attempt, times the failures in a row; and of silence before a timeout.
_PAUSE, _SILENCE = 1.0, 30.0
# Bytes written at once, which is also what a broken connection loses at most.
_CHUNK = 2**16
# Hexadecimal digits of a version's hash, and the pattern that finds them in file names.
_DIGITS = 12
_MARK = "[0-9a-f]" * _DIGITS
# Status codes for which another attempt may succeed.
_PASSING = (408, 425, 429)
_REASON = re.compile(r"\[Errno -?\d+\] ([^'\")]+)")
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class DownloadError(Exception):
    """A file cannot be downloaded; says why in a few words."""


def download(url: str, file: Path, check: Callable[[Path], None]) -> None:
    """Downloads a file, unless another process has done so meanwhile.

    Received data is kept beside it in a file that ends in `.part`. A later call resumes from there
    if the server still has the same file.

    Args:
      url: http or https; redirects are followed.
      file: where to put it.
      check: called with the received file; raises a ValueError if it is the wrong one.

    Raises:
      DownloadError: the file cannot be downloaded, or is the wrong one; then the data is removed.
      OSError: the file cannot be written.
    """
    make_folder(file.parent)
    with owned(file, beside=True, wait=True):
        if file.exists():
            return
        part = _arrived(url, file)
        try:
            check(part)
        except ValueError as error:
            part.unlink()
            raise DownloadError(str(error).replace(str(part), "what arrived")) from None
        finish(part, file)


def _arrived(url: str, file: Path) -> Path:
    """Returns the complete part file; tries again as long as an attempt receives data."""
    with ProgressLine() as line:
        transfer, failures = _Transfer(file, line), 0
        for _ in range(_MOST_ATTEMPTS):
            before = transfer.size
            try:
                return transfer.run(url)
            except OSError as error:
                # Errors of this machine have an errno, network errors have none.
                if error.errno is not None:
                    raise
                failures = 0 if transfer.size > before else failures + 1
                if failures >= _ATTEMPTS or not _may_pass(error):
                    raise DownloadError(_in_words(error)) from None
            time.sleep(_PAUSE * max(1, failures))
    raise DownloadError(f"the connection broke off {_MOST_ATTEMPTS} times")


class _HereError(Exception):
    """A part of the file is here already: request the rest."""


class _Transfer:
    """The transfer of one file, in as many requests as it takes.

    `pooch` downloads. It writes into this object, which sees each response of the server first.
    """

    def __init__(self, file: Path, line: ProgressLine) -> None:
        self._file, self._line = file, line
        self._part: Path | None = None
        self._stream: IO[bytes] | None = None
        self._total: int | None = None
        self.size = 0

    def run(self, url: str) -> Path:
        """Downloads the file, or the missing rest of it.

        Raises:
          OSError: without an errno, the connection failed or the server refused; with one, the file
            cannot be written.
        """
        try:
            self._ask(url)
        except _HereError:
            if self.size != self._total:
                self._ask(url)
        if self._part is None or self._total not in (None, self.size):
            raise OSError(f"the connection broke off after {self.size:,} bytes of {self._total:,}")
        return self._part

    def _ask(self, url: str) -> None:
        headers = {"Accept-Encoding": "identity"}
        if self.size:
            headers["Range"] = f"bytes={self.size}-"
        fetch = pooch.HTTPDownloader(
            chunk_size=_CHUNK,
            timeout=_SILENCE,
            headers=headers,
            hooks={"response": self._answered},
        )
        with contextlib.ExitStack() as self._open:
            fetch(url, self, None)

    def _answered(self, response: Any, **_: Any) -> None:
        """Opens the part file that a response belongs to; redirects and refusals have none."""
        # Otherwise the connection stays open until garbage collection.
        self._open.callback(response.close)
        if response.status_code == 200:
            self._begin(response)
        elif response.status_code == 206:
            self._go_on(response)
        elif response.status_code == 416:
            self._forget()

    def _begin(self, response: Any) -> None:
        """Starts receiving the whole file, or requests the rest if a part of it is here."""
        length = response.headers.get("Content-Length", "")
        self._total = int(length) if length.isdigit() else None
        part = self._named(response)
        for other in self._file.parent.glob(f"{glob.escape(self._file.name)}.{_MARK}{PART}"):
            if other != part:
                other.unlink(missing_ok=True)
        asked, self._part = self.size, part
        here = part.stat().st_size if part.exists() else 0
        resumes = response.headers.get("Accept-Ranges") == "bytes" and not asked
        if resumes and self._total is not None and 0 < here <= self._total:
            self.size = here
            raise _HereError
        self._stream = self._open.enter_context(growing(part))
        self._stream.truncate(0)
        self._stream.seek(0)
        self.size = 0

    def _go_on(self, response: Any) -> None:
        """Continues with the rest, if it belongs to the same file."""
        found = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        self._total = int(found[2]) if found and found[2] != "*" else self._total
        same = found and int(found[1]) == self.size and self._named(response) == self._part
        if not same or self._part is None:
            self._forget()
            raise OSError("the server's file has changed")
        self._stream = self._open.enter_context(growing(self._part))

    def _named(self, response: Any) -> Path:
        """Returns the part file, a different one for each version of the server's file."""
        heads = response.headers
        version = heads.get("ETag") or heads.get("Last-Modified") or ""
        mark = hashlib.sha256(f"{version} {self._total}".encode()).hexdigest()[:_DIGITS]
        return self._file.with_name(f"{self._file.name}.{mark}{PART}")

    def _forget(self) -> None:
        if self._part is not None:
            self._part.unlink(missing_ok=True)
        self._part, self.size = None, 0

    def write(self, chunk: bytes) -> None:
        """Writes received data."""
        assert self._stream is not None
        self._stream.write(chunk)
        self.size += len(chunk)
        of = f" of {self._total / 1e6:,.1f}" if self._total else ""
        self._line.show(f"fetching {self._file.name}: {self.size / 1e6:,.1f}{of} MB")

    def flush(self) -> None:
        """Does nothing: the system decides when to write."""


def _status(error: OSError) -> int | None:
    return getattr(getattr(error, "response", None), "status_code", None)


def _may_pass(error: OSError) -> bool:
    status = _status(error)
    return status is None or status >= 500 or status in _PASSING


def _in_words(error: OSError) -> str:
    status = _status(error)
    if status == 404:
        return "HTTP 404: the file does not exist"
    if status is not None:
        return f"HTTP {status}" + (": too many redirects" if status < 400 else "")
    text = str(error)
    if reason := _REASON.search(text):
        return f"no connection: {reason[1].strip()}"
    if "timed out" in text.lower():
        return f"no answer within {_SILENCE:.0f} seconds"
    if "IncompleteRead" in text or "broke off" in text:
        return "the connection broke off before the end"
    return " ".join(f"{type(error).__name__}: {text}".split())[:200]
