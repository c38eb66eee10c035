"""What keeps a listed video out of a data set: each says why, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from vidjax.data.manifest import Entry, Manifest, ManifestError, few
from vidjax.data.verdicts import Verdict, read_verdicts
from vidjax.storage.file_info import files_below
from vidjax.storage.paths import is_url

Flaw = Callable[[Entry], str]
MISSING = "missing"
# Verdicts that were no fault of the file: it is there now, and decoding will tell.
_OF_THE_MOMENT = ("absent", "unreadable")


def repeated() -> Flaw:
    """Finds what was listed before: the same piece of the same file in the same split."""
    seen: dict[tuple[object, ...], str] = {}

    def flaw(entry: Entry) -> str:
        first = seen.setdefault(key := (entry.path, entry.start, entry.end, entry.split), "")
        if not first:
            seen[key] = entry.label
            return ""
        return "listed twice" if first == entry.label else f"listed twice, first as {first!r}"

    return flaw


def empty(entry: Entry) -> str:
    """Finds a piece that begins before its video, or does not end after its beginning."""
    start = entry.start or 0.0
    if start < 0:
        return f"its piece begins at {start:g} s"
    if entry.end is not None and entry.end <= start:
        return f"its piece goes from {start:g} s to {entry.end:g} s"
    return ""


def absent(root: Path) -> Flaw:
    """Finds what is not on the disk."""
    if not is_url(root):
        return lambda entry: "" if entry.file(root).is_file() else MISSING
    # A look at each object would take hours; the list of all takes minutes.
    there = {path for path, _ in files_below(root)}
    return lambda entry: "" if entry.path in there else MISSING


def condemned(verdicts: Path, manifest: Manifest) -> Flaw:
    """Finds what `vidjax check_videos` found unsound.

    A verdict on a file that has changed its size since counts for nothing: decoding will tell.

    Args:
      verdicts: its CSV.
      manifest: the data set; paths of either are those of its files, from their own folder on.

    Raises:
      ManifestError: the CSV is absent, or speaks of none of the videos.
    """
    if not verdicts.is_file():
        raise ManifestError(f"data.verdicts = {str(verdicts)!r}: no such file")
    known: dict[str, list[Verdict]] = {}
    for verdict in _read(verdicts):
        known.setdefault(PurePosixPath(verdict.path).name, []).append(verdict)
    found = {entry.path: _find(known, entry.path) for entry in manifest.entries}
    if manifest.entries and not any(found.values()):
        raise ManifestError(
            f"{verdicts} speaks of none of the {len(manifest.entries)} videos, such as "
            f"{manifest.entries[0].path!r}; it has {few(sorted(known))}"
        )

    def flaw(entry: Entry) -> str:
        verdict = found[entry.path]
        file = manifest.file(entry)
        if verdict is None or verdict.usable or not file.is_file():
            return ""
        if verdict.verdict in _OF_THE_MOMENT or file.stat().st_size != verdict.bytes:
            return ""
        return f"verdict {verdict.verdict}: {verdict.detail}"

    return flaw


def _read(verdicts: Path) -> Iterator[Verdict]:
    try:
        yield from read_verdicts(verdicts)
    except ValueError as error:
        raise ManifestError(f"data.verdicts: {error}") from None


def _find(known: dict[str, list[Verdict]], path: str) -> Verdict | None:
    """The verdict on a file; the folder that was scanned may lie above or below the manifest's."""
    path = PurePosixPath(path).as_posix()
    alike = [
        verdict
        for verdict in known.get(PurePosixPath(path).name, ())
        if f"/{verdict.path}".endswith(f"/{path}") or f"/{path}".endswith(f"/{verdict.path}")
    ]
    exact = [verdict for verdict in alike if verdict.path == path]
    return exact[0] if exact else alike[0] if len(alike) == 1 else None
