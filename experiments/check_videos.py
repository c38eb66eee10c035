"""Decodes every video of a folder or a manifest, and says of each whether it is sound.

Writes a CSV with one line a file: verdict (ok, changed size, truncated, no video stream,
undecodable, empty, ...), what was found, size, rate, frames, codec, rotation and a hash. All cores
work; a file that hangs, takes too much memory or kills its process costs that file alone. The same
command goes on where it was interrupted, and looks again at files that have changed.

Examples:
  vidjax check_videos videos/ --output=verdicts.csv
  vidjax check_videos videos.csv --output=verdicts.csv --seconds=60

Exit codes: 0 all can be used, 1 some cannot, 2 something given does not fit.
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
from vidjax.data.verdicts import COLUMNS, Limits, Verdict, digest, judge, place_of, read_verdicts
from vidjax.data.video_files import VIDEO_SUFFIXES, videos_below
from vidjax.progress import ProgressLine
from vidjax.storage.paths import as_path
from vidjax.storage.writing import appending, make_folder, writing
from vidjax.terminal import say
from vidjax.untrusted_names import told

from . import command_line

_OUTPUT = flags.DEFINE_string("output", None, "CSV of verdicts; what is in it already is kept")
_ROOT = flags.DEFINE_string("root", "", "folder that a CSV's paths are relative to, if not its own")
_WORKERS = flags.DEFINE_integer(
    "workers", None, "processes; one a core if not given", 1, MOST_WORKERS
)
_SECONDS = flags.DEFINE_float("seconds", 600.0, "that one file may take")
_MEMORY = flags.DEFINE_integer("memory_mb", 4096, "that one file may take, where it can be limited")
_PIXELS = flags.DEFINE_integer("max_pixels", Limits().pixels, "of a frame")
_FRAMES = flags.DEFINE_integer("max_frames", Limits().frames, "of a video")
flags.mark_flag_as_required("output")


def main(given: str) -> int:
    """Judges what has no verdict yet, and counts the verdicts."""
    root, names = _files(as_path(given))
    root = as_path(_ROOT.value) if _ROOT.value else root
    output = as_path(_OUTPUT.value)
    known = {verdict.path: verdict for verdict in _earlier(output)}
    left = [name for name in names if not _is_known(place_of(root, name), known.get(told(name)))]
    again = set(map(told, left))
    _write(output, [verdict for path, verdict in known.items() if path not in again])
    limits = Limits(_PIXELS.value, _FRAMES.value, _SECONDS.value)
    work = functools.partial(judge, root=root, limits=limits)
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
    return _summarize([known[told(name)] for name in names], output)


def _files(given: Path) -> tuple[Path, list[str]]:
    """The folder that names start from, and the names."""
    if given.is_dir():
        names = sorted(videos_below(given))
        if not names:
            raise ValueError(f"{given}: no videos in it (of {', '.join(sorted(VIDEO_SUFFIXES))})")
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
        # What cannot be read may be readable another time.
        return False


def _write(file: Path, verdicts: Iterable[Verdict]) -> None:
    make_folder(file.parent)
    with writing(file) as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerows([COLUMNS, *map(_row, verdicts)])


def _row(verdict: Verdict) -> list[Any]:
    return tables.cells(dataclasses.asdict(verdict).values())


def _lost(root: Path, name: str, lost: Lost) -> Verdict:
    """The verdict on a file that its worker did not survive."""
    facts: dict[str, Any] = {}
    # It may have vanished meanwhile.
    with contextlib.suppress(OSError):
        file = place_of(root, name)
        facts = {"bytes": file.stat().st_size, "sha256": digest(file)}
    return Verdict(told(name), lost.reason, lost.detail, **facts)


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
    command_line.run(main, __doc__, ("DIR or MANIFEST.csv",))
