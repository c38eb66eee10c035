"""Data sets as their authors publish them: annotation files, folders of videos, official splits.

A data set is one subclass that states where to get it and what its folder contains, and that reads
its annotations. Missing, broken, duplicate and misplaced videos are handled here and reported by
name.
"""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from vidjax.data.builders.prepared_videos import PreparedVideos, prepare_videos
from vidjax.data.catalog import Request
from vidjax.data.exclusions import broken_video, duplicates, empty_segment, missing_file
from vidjax.data.manifest import (
    SPLITS,
    Entry,
    Exclusion,
    Manifest,
    ManifestError,
    few,
    refuse_leak,
)
from vidjax.data.preparation_report import EXCLUDED, read_report
from vidjax.storage.paths import as_path


@dataclass(frozen=True)
class Listing:
    """The contents of a data set's annotations.

    Attributes:
      classes: class names in the order of their indices.
      entries: the videos; paths are relative to the data set's folder.
      excluded: listed videos that cannot be used, with the reason.
    """

    classes: tuple[str, ...]
    entries: tuple[Entry, ...]
    excluded: tuple[Exclusion, ...] = ()

    @classmethod
    def of(
        cls, classes: Iterable[str], entries: Iterable[Entry], excluded: Iterable[Exclusion] = ()
    ) -> Listing:
        """Makes a listing from any iterables."""
        return cls(tuple(classes), tuple(entries), tuple(excluded))


class PublishedVideos(PreparedVideos):
    """Base class of the published video data sets.

    Attributes:
      HOMEPAGE: where to get the data set.
      LAYOUT: contents of the folder that `--manual_dir` names, as text.
      CLASSES: published number of classes.
      VIDEOS: published number of clips per split; of the first one if there are several official
        splits.
      WHOLE: fraction of `VIDEOS` below which a list counts as truncated. Copies differ a little.
      TRAPS: known pitfalls and how they are handled.
      LEAKS: what the official splits share between training and evaluation. If empty, a group in
        both is an error.
    """

    HOMEPAGE: ClassVar[str]
    LAYOUT: ClassVar[str]
    CLASSES: ClassVar[int]
    VIDEOS: ClassVar[tuple[tuple[str, int], ...]]
    WHOLE: ClassVar[float] = 0.9
    TRAPS: ClassVar[tuple[str, ...]] = ()
    LEAKS: ClassVar[str] = ""

    @classmethod
    @abstractmethod
    def read(cls, folder: Path) -> Listing:
        """Reads the annotations below `folder`. Keyword arguments of subclasses are options.

        Raises:
          ManifestError: a file is missing or differs from its published format.
        """

    @classmethod
    def manifest_of(cls, request: Request) -> Manifest:
        """Lists the usable videos, and the excluded ones with the reason.

        Raises:
          ManifestError: the folder or its annotations are wrong, no video exists, or a group is in
            both training and evaluation.
        """
        folder = _folder(cls, request)
        listing = _read(cls, folder, request.options)
        _refuse_unknown_labels(cls.name, listing)
        manifest = Manifest(folder.absolute(), listing.entries, listing.classes, listing.excluded)
        manifest = (
            manifest.without(duplicates()).without(empty_segment).without(missing_file(folder))
        )
        if not manifest.entries:
            lost = [exclusion.entry.path for exclusion in manifest.excluded]
            none = (
                f"none of the {len(lost)} videos in its annotations, such as {few(lost)}"
                if lost
                else "no videos"
            )
            layout = inspect.cleandoc(cls.LAYOUT)
            raise ManifestError(f"{folder} contains {none}. Expected folder contents:\n{layout}")
        if request.verdicts:
            manifest = manifest.without(broken_video(as_path(request.verdicts), manifest))
        _judge_leak(cls, manifest, request)
        return manifest

    @classmethod
    def prepare(cls, request: Request) -> Path:
        """Prepares the data set in `request.manual_dir`; returns its folder.

        Raises:
          ValueError: like `manifest_of`, or too many videos cannot be read.
        """
        manifest = cls.manifest_of(request)
        builder = cls(manifest=manifest, request=request)
        for what in (_part(cls, manifest), _left_out(manifest)):
            if what:
                request.note(f"{cls.name}: {what}")
        folder = prepare_videos(builder)
        broken = sum(each.broken for each in read_report(folder))
        if broken or manifest.excluded:
            request.note(f"{cls.name}: {folder / EXCLUDED} lists them, and {broken} broken videos")
        return folder

    @classmethod
    def describe(cls) -> str:
        """Describes the data set for users, as text."""
        videos = ", ".join(f"{split} {count:,}" for split, count in cls.VIDEOS)
        parts = [
            inspect.cleandoc(cls.__doc__ or ""),
            f"From {cls.HOMEPAGE}. {cls.CLASSES} classes; clips as published: {videos}.",
            f"Folder that --manual_dir names:\n{inspect.cleandoc(cls.LAYOUT)}",
        ]
        options = list(inspect.signature(cls.read).parameters.values())[1:]
        if options:
            given = ", ".join(f"{option.name}={option.default}" for option in options)
            parts.append(f"Options and their defaults: {given}")
        traps = "\n".join(f"- {trap}" for trap in (*cls.TRAPS, cls.LEAKS) if trap)
        return "\n\n".join([*parts, traps])


def _folder(cls: type[PublishedVideos], request: Request) -> Path:
    if request.manual_dir and as_path(request.manual_dir).is_dir():
        return as_path(request.manual_dir)
    problem = (
        f"data.manual_dir = {request.manual_dir!r} is not a folder"
        if request.manual_dir
        else "data.manual_dir is empty"
    )
    raise ManifestError(
        f"{problem}. Get {cls.name} from {cls.HOMEPAGE}. Expected folder contents:\n"
        f"{inspect.cleandoc(cls.LAYOUT)}"
    )


def _read(cls: type[PublishedVideos], folder: Path, options: Mapping[str, Any]) -> Listing:
    known = list(inspect.signature(cls.read).parameters)[1:]
    for name in options:
        if name not in known:
            raise ManifestError(
                f"data.options.{name} is unknown to {cls.name}; "
                f"{f'its options: {few(known)}' if known else 'it has no options'}"
            )
    return cls.read(folder, **options)


def _refuse_unknown_labels(name: str, listing: Listing) -> None:
    unknown = sorted({entry.label for entry in listing.entries} - set(listing.classes))
    if unknown:
        raise ManifestError(
            f"{name}: {few(unknown)} is not in its list of {len(listing.classes)} classes "
            f"({few(listing.classes)}); correct the annotations"
        )


def _judge_leak(cls: type[PublishedVideos], manifest: Manifest, request: Request) -> None:
    if not manifest.leaked_groups:
        return
    if not (cls.LEAKS or request.allow_group_leak):
        refuse_leak(cls.name, manifest)
    request.note(
        f"warning: {cls.name}: group {few(manifest.leaked_groups)} is in both training and "
        f"evaluation, which inflates the score. {cls.LEAKS}".rstrip()
    )


def _part(cls: type[PublishedVideos], manifest: Manifest) -> str:
    """Says how much of the published data set is missing, because truncated lists look valid."""
    classes = len({entry.label for entry in manifest.entries})
    whole = max(cls.CLASSES, len(manifest.classes))
    listed = _count(manifest, listed=True)
    short = [
        f"{listed[split]:,} of {videos:,} {split} videos listed"
        for split, videos in cls.VIDEOS
        if listed[split] < cls.WHOLE * videos
    ]
    return ", ".join([f"{classes} of {whole} classes"] * (classes < whole) + short)


def _left_out(manifest: Manifest) -> str:
    """Says how many listed videos of each split are excluded, and names the first."""
    if not manifest.excluded:
        return ""
    listed, used = _count(manifest, listed=True), _count(manifest, listed=False)
    parts = [
        f"{listed[split] - used[split]:,} of {listed[split]:,} {split} videos"
        for split in SPLITS
        if listed[split] > used[split]
    ]
    first = manifest.excluded[0]
    return f"excluded: {', '.join(parts)}, the first {first.entry.path!r} ({first.reason})"


def _count(manifest: Manifest, *, listed: bool) -> Counter[str]:
    out = [exclusion.entry for exclusion in manifest.excluded] if listed else []
    return Counter(entry.split for entry in (*manifest.entries, *out))
