"""WebDataset tar shards in a folder or bucket: each video beside its label."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from vidjax import untrusted_names
from vidjax.data import labels
from vidjax.data.builders.prepared_videos import PreparedVideos, prepare_videos
from vidjax.data.catalog import Request
from vidjax.data.exclusions import broken_video
from vidjax.data.manifest import Entry, Exclusion, Manifest, ManifestError, few, hash_split
from vidjax.data.preparation_report import EXCLUDED, read_report
from vidjax.data.splits import is_split, split_name
from vidjax.data.webdataset import LABELS, Sample, TarError, label_of, read_tar
from vidjax.storage.file_info import files_below
from vidjax.storage.paths import as_path, is_url

_CLASSES = "classes.txt"
_OPTIONS = {"label": "", "damaged": "refuse"}
_LABEL = re.compile(rf"({'|'.join(LABELS)}|json:.+)?")
# Label in the report of a video without one.
_UNKNOWN = "(no label)"
# Tars read concurrently: most of the time goes into waiting for a bucket.
_AT_ONCE = 16


class Tar(PreparedVideos):
    """Videos in WebDataset tar files: `key.mp4` beside `key.cls`, `key.json` or `key.txt`.

    All `.tar` files below the folder are read in place. None is unpacked.

    Attributes:
      HOMEPAGE: homepage of the format.
      CLASSES: text for the number of classes, which depends on the tars.
      VIDEOS: number of videos per split, which depends on the tars.
      TRAPS: where labels and splits come from, and which videos are excluded.
    """

    HOMEPAGE = "https://github.com/webdataset/webdataset"
    CLASSES = "any number of"
    VIDEOS: tuple[tuple[str, int], ...] = ()
    TRAPS = (
        "Labels are read from key.cls (a class name or index), from the field `label` of key.json, "
        "or from key.txt: the first that exists. --option=label=txt reads only that one, and "
        "--option=label=json:action reads another field.",
        "If classes.txt is beside the tars (one name per line, index 0 first), class indices "
        "become names.",
        "The split comes from a folder train/, val/ or test/, or from a name such as "
        "train-000123.tar. If no tar names a split, about a fifth of each class is for testing.",
        "Videos without a label, or whose key occurs twice in the tar, are excluded and listed.",
        "A damaged tar stops the command. --option=damaged=skip skips damaged tars.",
    )

    @classmethod
    def prepare(cls, request: Request) -> Path:
        """Prepares the videos of the tars in `request.manual_dir`; returns the prepared folder.

        Raises:
          ValueError: there are no tars, one is damaged, or the labels are inconsistent.
        """
        manifest = _manifest(request, _options(request.options))
        if request.verdicts:
            manifest = manifest.without(broken_video(as_path(request.verdicts), manifest))
        folder = prepare_videos(cls(manifest=manifest, request=request))
        lost = sum(count.listed - count.prepared for count in read_report(folder))
        if lost:
            total = len(manifest.entries) + len(manifest.excluded)
            request.note(f"{lost} of {total} videos are excluded; {folder / EXCLUDED} says why")
        return folder

    @classmethod
    def describe(cls) -> str:
        """Describes the data set for users, as text."""
        first, second = (inspect.cleandoc(cls.__doc__ or "").split("\n\n"))[:2]
        options = ", ".join(f"{name}={value}" for name, value in _OPTIONS.items())
        parts = [
            first,
            f"From {cls.HOMEPAGE}. {second} There can be {cls.CLASSES} classes.",
            f"Options and their defaults: {options}",
            "\n".join(f"- {trap}" for trap in cls.TRAPS),
        ]
        return "\n\n".join(parts)


def _options(given: Mapping[str, Any]) -> dict[str, str]:
    for name in given:
        if name not in _OPTIONS:
            raise ManifestError(
                f"data.options.{name} is unknown to tar: {untrusted_names.nearest(name, _OPTIONS)}"
            )
    options = _OPTIONS | {name: str(value) for name, value in given.items()}
    if not _LABEL.fullmatch(options["label"]):
        raise ManifestError(
            f"data.options.label = {options['label']!r} must be {', '.join(LABELS)} or json:FIELD"
        )
    if options["damaged"] not in ("refuse", "skip"):
        raise ManifestError(f"data.options.damaged = {options['damaged']!r} must be refuse or skip")
    return options


def _manifest(request: Request, options: Mapping[str, str]) -> Manifest:
    root = as_path(request.manual_dir) if request.manual_dir else None
    if root is None or not root.is_dir():
        raise ManifestError(
            f"data.manual_dir = {request.manual_dir!r} is not a folder; name the folder of the tars"
        )
    tars = _tars(root)
    if not tars:
        raise ManifestError(f"{root} contains no .tar files")
    samples = _samples(root, tars, options["damaged"] == "skip", request)
    known = _class_names(root)
    rows, excluded = list[Entry](), list[Exclusion]()
    for name, sample in samples:
        for entry, why in _entries(name, sample, options["label"], known):
            if why:
                excluded.append(Exclusion(entry, why))
            else:
                rows.append(entry)
    if not rows:
        first = f": {excluded[0].entry.path} {excluded[0].reason}" if excluded else ""
        raise ManifestError(f"the {len(tars)} tars in {root} contain no video with a label{first}")
    return _checked(root, rows, excluded)


def _tars(root: Path) -> list[str]:
    if is_url(root):
        found = [path for path, _ in files_below(root)]
    else:
        found = [file.relative_to(root).as_posix() for file in root.rglob("*") if file.is_file()]
    return sorted(path for path in found if path.lower().endswith(".tar"))


def _samples(
    root: Path, tars: Sequence[str], skip: bool, request: Request
) -> Iterator[tuple[str, Sample]]:
    """Yields each sample with the name of its tar.

    Raises:
      ManifestError: a tar is damaged and `skip` is False.
    """

    def read(name: str) -> list[Sample] | str:
        try:
            return read_tar(root / name, name)
        except TarError as error:
            return str(error)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = list(pool.map(read, tars))
    damaged = [each for each in found if isinstance(each, str)]
    if damaged:
        what = f"{len(damaged)} of {len(tars)} tars are damaged: {damaged[0]}"
        if not skip:
            raise ManifestError(
                f"{what}; download them again, or skip them with data.options.damaged=skip"
            )
        request.note(f"{what}; they are skipped")
    for name, samples in zip(tars, found, strict=True):
        if not isinstance(samples, str):
            yield from ((name, sample) for sample in samples)


def _class_names(root: Path) -> list[str]:
    file = root / _CLASSES
    return file.read_text(encoding="utf-8").splitlines() if file.is_file() else []


def _entries(
    tar: str, sample: Sample, wanted: str, known: Sequence[str]
) -> Iterator[tuple[Entry, str]]:
    """Yields the videos of a sample, each with why it cannot be used; empty if it can."""
    split, label, why = _split(tar), "", ""
    try:
        label = labels.normal(_named(label_of(sample, wanted), known))
        why = (
            untrusted_names.flaw(label)
            and f"its label {untrusted_names.printable(label)!r} {untrusted_names.flaw(label)}"
        )
    except (ValueError, IndexError) as error:
        why = f"its label cannot be read ({error})"
    if sample.doubled:
        why = f"its key occurs twice in {tar} (with .{sample.doubled[0]})"
    for suffix, place in sample.videos.items():
        path = f"{tar}/{sample.key}.{suffix}"
        flaw = untrusted_names.flaw(path) and f"its name {untrusted_names.flaw(path)}"
        entry = Entry(untrusted_names.printable(path), label or _UNKNOWN, split, place=place)
        yield entry, flaw or why or ("" if label else "it has no label")


def _named(label: str, known: Sequence[str]) -> str:
    """Returns the class name of a label that may be a class index."""
    if not known or not label.isdecimal():
        return label
    if int(label) >= len(known):
        raise ValueError(f"class index {label}, but {_CLASSES} has {len(known)} classes")
    return known[int(label)]


def _split(tar: str) -> str:
    """Returns the split that a tar's folder or name gives; empty if neither does."""
    path = PurePosixPath(tar)
    said = [*path.parts[:-1], re.split(r"[-_.]", path.name)[0]]
    return next((split_name(part) for part in said if is_split(part)), "")


def _checked(root: Path, rows: list[Entry], excluded: list[Exclusion]) -> Manifest:
    """Makes a manifest of rows, drawing test videos if no row has a split.

    Raises:
      ManifestError: only some rows have a split, or a class has no training video.
    """
    bare = [entry for entry in rows if not entry.split]
    if bare and len(bare) < len(rows):
        raise ManifestError(
            f"{root}: {few(sorted({entry.held_in for entry in bare}))} is in no split, but other "
            "tars are; put it in a folder train/, val/ or test/"
        )
    rows = hash_split(bare) if bare else rows
    if bare:
        excluded = [Exclusion(replace(each.entry, split="train"), each.reason) for each in excluded]
    trained = {entry.label for entry in rows if entry.split == "train"}
    classes = trained or {entry.label for entry in rows}
    if unknown := sorted({entry.label for entry in rows} - classes):
        near = untrusted_names.did_you_mean(unknown, classes)
        raise ManifestError(
            f"{root}: no training video has the label {few(unknown)}, but other videos do"
            f"{near}; add training videos with it, or remove the others"
        )
    if same := labels.equal_numbers(classes):
        raise ManifestError(
            f"{root}: the labels {few(same)} are the same number; write it in one way"
        )
    ordered = sorted(classes, key=lambda name: (int(name) if name.isdecimal() else -1, name))
    known = tuple(ordered)
    return Manifest(root.absolute(), tuple(rows), known, tuple(excluded), drawn=bool(bare))


prepare = Tar.prepare
