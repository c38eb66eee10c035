"""Decodes every video of a folder or a manifest, and reports which ones are sound.

It writes a CSV with one line per file: the verdict (ok, changed size, truncated, no video stream,
undecodable, empty, ...), details, size, frame rate, frames, codec, rotation and a hash. It uses all
cores. If a file hangs, takes too much memory or crashes its process, that file gets a verdict and
the others are still checked. The same command continues where it was interrupted, and checks files
that have changed again.

Examples:
  vidjax check_videos videos/ --output=verdicts.csv
  vidjax check_videos videos.csv --output=verdicts.csv --seconds=60

Exit codes: 0 if all videos can be used, 1 if some cannot, 2 if a flag or an argument is wrong.
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import functools
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from absl import flags

from vidjax.data import tables
from vidjax.data.process_pool import MOST_WORKERS, Lost, run_each
from vidjax.data.verdicts import (
    COLUMNS,
    Limits,
    Verdict,
    check_video,
    digest,
    read_verdicts,
    video_path,
)
from vidjax.data.video_files import VIDEO_SUFFIXES, videos_below
from vidjax.progress import ProgressLine
from vidjax.storage.paths import as_path
from vidjax.storage.writing import appending, make_folder, writing
from vidjax.terminal import say
from vidjax.untrusted_names import printable

from . import command_line

_OUTPUT = flags.DEFINE_string(
    "output", None, "FILE: CSV of verdicts. Verdicts that are in it already are kept."
)
_ROOT = flags.DEFINE_string(
    "root", "", "FOLDER: Folder that the paths in a CSV are relative to. By default the CSV's own."
)
_WORKERS = flags.DEFINE_integer(
    "workers", None, "Number of processes. By default one per core.", 1, MOST_WORKERS
)
_SECONDS = flags.DEFINE_float("seconds", 600.0, "SECONDS: Time limit for decoding one file.")
_MEMORY = flags.DEFINE_integer(
    "memory_mb", 4096, "MB: Memory limit for decoding one file, if the system can limit it."
)
_PIXELS = flags.DEFINE_integer(
    "max_pixels", Limits().pixels, "Largest number of pixels of a frame."
)
_FRAMES = flags.DEFINE_integer(
    "max_frames", Limits().frames, "Largest number of frames of a video."
)
flags.mark_flag_as_required("output")


def main(given: str) -> int:
    """Checks the files without a verdict, and counts the verdicts."""
    root, names = _files(as_path(given))
    root = as_path(_ROOT.value) if _ROOT.value else root
    output = as_path(_OUTPUT.value)
    known = {verdict.path: verdict for verdict in _earlier(output)}
    left = [
        name for name in names if not _is_known(video_path(root, name), known.get(printable(name)))
    ]
    again = set(map(printable, left))
    _write(output, [verdict for path, verdict in known.items() if path not in again])
    limits = Limits(_PIXELS.value, _FRAMES.value, _SECONDS.value)
    work = functools.partial(check_video, root=root, limits=limits)
    settings = {"workers": _WORKERS.value, "seconds": _SECONDS.value}
    results = run_each(work, left, memory=_MEMORY.value * 2**20, **settings)
    with ProgressLine() as progress, appending(output) as stream:
        writer = csv.writer(stream, lineterminator="\n")
        for done, (name, result) in enumerate(results, start=1):
            verdict = _lost(root, name, result) if isinstance(result, Lost) else result
            known[verdict.path] = verdict
            writer.writerow(_row(verdict))
            stream.flush()
            progress.show(f"checked {done}/{len(left)}: {verdict.path}", final=done == len(left))
    return _summarize([known[printable(name)] for name in names], output)


def _files(given: Path) -> tuple[Path, list[str]]:
    """Returns the folder that the names are relative to, and the names."""
    if given.is_dir():
        names = sorted(videos_below(given))
        if not names:
            raise ValueError(
                f"{given} has no videos (files ending in {', '.join(sorted(VIDEO_SUFFIXES))})"
            )
        return given, names
    if not given.is_file():
        raise ValueError(f"{given}: no such folder or manifest")
    if "path" not in (found := tables.columns(given)):
        raise ValueError(f"{given}: a CSV with a column path is expected, not {found}")
    rows = tables.rows(given, ["path"])
    return given.parent, list(dict.fromkeys(row["path"].strip() for _, row in rows))


def _earlier(output: Path) -> Iterable[Verdict]:
    if output.is_dir():
        raise ValueError(f"--output={output} is a folder; name a file")
    return read_verdicts(output) if output.is_file() else ()


def _is_known(file: Path, verdict: Verdict | None) -> bool:
    if verdict is None:
        return False
    try:
        if not file.is_file():
            return verdict.verdict == "absent"
        return file.stat().st_size == verdict.bytes and digest(file) == verdict.sha256
    except OSError:
        # An unreadable file may be readable next time.
        return False


def _write(file: Path, verdicts: Iterable[Verdict]) -> None:
    make_folder(file.parent)
    with writing(file) as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerows([COLUMNS, *map(_row, verdicts)])


def _row(verdict: Verdict) -> list[Any]:
    return tables.cells(dataclasses.asdict(verdict).values())


def _lost(root: Path, name: str, lost: Lost) -> Verdict:
    """Returns the verdict on a file that crashed or hung its worker."""
    facts: dict[str, Any] = {}
    # The file may be gone by now.
    with contextlib.suppress(OSError):
        file = video_path(root, name)
        facts = {"bytes": file.stat().st_size, "sha256": digest(file)}
    return Verdict(printable(name), lost.reason, lost.detail, **facts)


def _summarize(verdicts: list[Verdict], output: Path) -> int:
    for name, count in Counter(verdict.verdict for verdict in verdicts).most_common():
        say(f"{count:8}  {name}")
    unusable = [verdict for verdict in verdicts if not verdict.usable]
    for verdict in unusable[:20]:
        say(f"{verdict.path}: {verdict.verdict}, {verdict.detail}")
    if len(unusable) > 20:
        say(f"and {len(unusable) - 20} more")
    say(f"  {output}")
    return 1 if unusable else 0


if __name__ == "__main__":
    command_line.run(main, __doc__, ("FOLDER_OR_CSV",))
