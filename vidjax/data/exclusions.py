"""Reasons to exclude a listed video from a data set. Each check returns the reason, or ''."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from vidjax.data.manifest import Entry, Manifest, ManifestError, few
from vidjax.data.verdicts import Verdict, read_verdicts
from vidjax.storage.file_info import files_below
from vidjax.storage.paths import is_url

Flaw = Callable[[Entry], str]
MISSING = "missing"
# Verdicts that exclude no video: the file exists now, and decoding will find other problems.
_OF_THE_MOMENT = ("absent", "unreadable")


def duplicates() -> Flaw:
    """Makes a check for duplicates: the same segment of the same file in the same split."""
    seen: dict[tuple[object, ...], str] = {}

    def flaw(entry: Entry) -> str:
        first = seen.setdefault(key := (entry.path, entry.start, entry.end, entry.split), "")
        if not first:
            seen[key] = entry.label
            return ""
        return "listed twice" if first == entry.label else f"listed twice, first as {first!r}"

    return flaw


def empty_segment(entry: Entry) -> str:
    """Checks for a segment with a negative start, or an end that is not after its start."""
    start = entry.start or 0.0
    if start < 0:
        return f"its segment starts at {start:g} s"
    if entry.end is not None and entry.end <= start:
        return f"its segment goes from {start:g} s to {entry.end:g} s"
    return ""


def missing_file(root: Path) -> Flaw:
    """Makes a check for missing files."""
    if not is_url(root):
        return lambda entry: "" if entry.file(root).is_file() else MISSING
    # Asking for each object would take hours; listing all takes minutes.
    there = {path for path, _ in files_below(root)}
    return lambda entry: "" if entry.path in there else MISSING


def broken_video(verdicts: Path, manifest: Manifest) -> Flaw:
    """Makes a check for videos that `vidjax check_videos` found broken.

    Verdicts on files whose size has changed since are ignored; such files are decoded again.

    Args:
      verdicts: CSV written by `vidjax check_videos`.
      manifest: the data set. Its paths and those of the CSV may start from different folders.

    Raises:
      ManifestError: the CSV is missing, or contains none of the videos.
    """
    if not verdicts.is_file():
        raise ManifestError(f"data.verdicts = {str(verdicts)!r}: no such file")
    known: dict[str, list[Verdict]] = {}
    for verdict in _read(verdicts):
        known.setdefault(PurePosixPath(verdict.path).name, []).append(verdict)
    found = {entry.path: _find(known, entry.path) for entry in manifest.entries}
    if manifest.entries and not any(found.values()):
        raise ManifestError(
            f"{verdicts} contains none of the {len(manifest.entries)} videos, such as "
            f"{manifest.entries[0].path!r}; it contains {few(sorted(known))}"
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
    """Finds the verdict on a file; the checked folder may be above or below the manifest's."""
    path = PurePosixPath(path).as_posix()
    alike = [
        verdict
        for verdict in known.get(PurePosixPath(path).name, ())
        if f"/{verdict.path}".endswith(f"/{path}") or f"/{path}".endswith(f"/{verdict.path}")
    ]
    exact = [verdict for verdict in alike if verdict.path == path]
    return exact[0] if exact else alike[0] if len(alike) == 1 else None
