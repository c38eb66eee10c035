"""Prepares video data sets: each video's frames or flow are stored as JPEG, once.

Training then decodes only the frames of a clip, 6 to 8 times faster than seeking in MP4. A data set
is one subclass of `PreparedVideos` with a manifest. Decoding, broken files, labels, progress and
resuming after an interruption are handled here.
"""

from __future__ import annotations

import collections
import contextlib
import errno
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from vidjax.data.catalog import Request
from vidjax.data.code_version import code_version
from vidjax.data.dataset_assembly import MADE, require_shards, save_plan, write_metadata
from vidjax.data.dataset_info import ARRAY_RECORD, DatasetInfo
from vidjax.data.decode_jobs import Job, frames, video_name
from vidjax.data.decoded_cache import Decoded, DecodedCache, unfinished_folder
from vidjax.data.expected_videos import expected_videos
from vidjax.data.frame_rates import rates_note
from vidjax.data.integrity import open_data_set
from vidjax.data.manifest import Entry, Manifest
from vidjax.data.preparation_report import (
    EXCLUDED,
    REPORT,
    ReportError,
    Row,
    read_report,
    total,
    write_report,
)
from vidjax.data.prepared_lookup import find_prepared, is_finished
from vidjax.data.shard_executors.beam import make_with_beam
from vidjax.data.shard_executors.dask import make_on_dask
from vidjax.data.shard_executors.local import make_locally
from vidjax.data.shard_plan import plan
from vidjax.data.shard_writer import Made, Task
from vidjax.data.source_files import SourceFiles
from vidjax.data.tfds_features import features_of
from vidjax.storage.local_copies import remove_folder
from vidjax.storage.ownership import owned
from vidjax.storage.paths import as_path
from vidjax.terminal import without_absl_warnings

# TFDS may import code that files in its folder name, so it gets a folder that cannot exist.
_NOWHERE = os.path.join(os.devnull, "tfds")


class PreparationError(ValueError):
    """A data set cannot be prepared, for example because too many videos are broken."""


class PreparedVideos(tfds.core.GeneratorBasedBuilder):
    """Base class of the video data sets.

    Args:
      manifest: the videos, their labels and splits.
      request: how and where to prepare them.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: Mapping[str, str] = {"1.0.0": "JPEG frames, labels, rates and groups."}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Skips TFDS's registry, so that TFDS's own data sets keep their names."""
        super().__init_subclass__(skip_registration=True, **kwargs)

    def __init__(self, *, manifest: Manifest, request: Request) -> None:
        self.manifest = manifest
        self.request = request
        self.sources = SourceFiles.of(manifest)
        self.broken: list[Row] = [
            _row(exclusion.entry, exclusion.reason) for exclusion in manifest.excluded
        ]
        self.stem = f"{manifest.digest[:12]}-{request.storage.tag}"
        config = tfds.core.BuilderConfig(name=f"{self.stem}-{self.sources.digest[:8]}")
        # TFDS warns of a configuration that is not in its list, as none is.
        with without_absl_warnings():
            super().__init__(config=config, file_format=ARRAY_RECORD, data_dir=_NOWHERE)
        data_dir = as_path(request.data_dir).absolute()
        self.folder = data_dir / self.name / config.name / str(self.VERSION)

    def _info(self) -> tfds.core.DatasetInfo:
        manifest = self.manifest
        return tfds.core.DatasetInfo(
            builder=self,
            description=type(self).__doc__ or "",
            features=features_of(
                manifest.classes,
                multi_label=manifest.multi_label,
                flow=self.request.storage.flow is not None,
            ),
            metadata=tfds.core.MetadataDict(manifest=manifest.digest, broken=self.broken),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        """Not used: `prepare_videos` writes the shards, without a folder shared by all workers."""
        raise NotImplementedError("vidjax.data.builders.prepare_videos(builder) prepares it")

    def _generate_examples(self) -> Any:
        """Not used, like `_split_generators`."""
        raise NotImplementedError("vidjax.data.builders.prepare_videos(builder) prepares it")

    def tasks(self) -> list[Task]:
        """Returns one task per shard."""
        manifest, storage = self.manifest, self.request.storage
        return [
            Task(
                shard,
                root=str(manifest.root),
                folder=str(self.folder),
                made=str(unfinished_folder(self.folder) / MADE),
                classes=manifest.classes,
                multi_label=manifest.multi_label,
                storage=storage,
                code=code_version(),
            )
            for shard in plan(self.name, manifest, storage)
        ]

    def decode_again(self, name: str) -> Decoded | None:
        """Decodes a video to the frames that would be stored; None if there is no such video.

        Raises:
          DecodeError: the video cannot be decoded.
        """
        for entry in self.manifest.entries:
            if video_name(entry) == name:
                cache = DecodedCache(unfinished_folder(self.folder))
                return frames(Job(self.manifest.file(entry), entry, self.request.storage, cache))
        return None

    def leave_out(self, broken: Mapping[str, str]) -> None:
        """Records the undecodable videos, in the order of the manifest.

        Args:
          broken: the reason, by video name.
        """
        self.broken[len(self.manifest.excluded) :] = [
            _row(entry, broken[name])
            for entry in self.manifest.entries
            if (name := video_name(entry)) in broken
        ]

    def check_budget(self, split: str, *, whole: bool = False) -> None:
        """Refuses a split with too many broken videos.

        Args:
          split: name of the split.
          whole: whether all of its videos have been tried.

        Raises:
          PreparationError: gives the number of broken videos per class, and the first error.
        """
        tried = self.broken[len(self.manifest.excluded) :]
        broken = [row for row in tried if row["split"] == split]
        listed, budget = len(self.manifest.split(split)), self.request.storage.bad_video_budget
        if len(broken) > budget * listed or (whole and len(broken) == listed):
            per_class = collections.Counter(row["label"] for row in broken)
            raise PreparationError(
                f"{len(broken)} of {listed} videos of split {split!r} cannot be read; the budget "
                f"is {budget:.0%} (per class: {dict(per_class)}). "
                f"First error: {broken[0]['error']}. "
                "Remove these videos from the manifest, or raise data.bad_video_budget."
            )


def prepare_videos(builder: PreparedVideos) -> Path:
    """Prepares the data set of `builder` if it is not prepared yet; returns its folder.

    Videos that were decoded before an interruption are not decoded again. Beside the data, the
    folder gets `report.csv`, which counts found, missing and broken videos per class,
    `excluded.csv`, which lists each excluded video with the reason, a record of the source files,
    and an index of the videos. A complete data set is only read, since others may own it.

    Raises:
      PreparationError: too many videos cannot be read, or the manifest has one label per video and
        `request.multi_label` is set, or the reverse.
      DamagedError: the data set exists and is damaged.
      OSError: the machine failed, for example because the disk is full. No video is excluded for
        that, and the same call resumes.
      ValueError: raised by `Request.judge`, whether the data set exists or not.
    """
    request, folder, manifest = builder.request, builder.folder, builder.manifest
    _require_kind(builder)
    storage = request.storage
    request.judge(
        manifest.classes,
        manifest.splits,
        lambda split: expected_videos(
            manifest, split, short_side=storage.short_side, fps=storage.fps
        ),
    )
    found = find_prepared(
        folder, builder.stem, builder.sources, manifest.splits, builder.decode_again
    )
    if found.note:
        request.note(f"{builder.name}: {found.note}")
    if found.folder is None and not is_finished(folder):
        request.begin(f"there is no prepared data set in {folder}")
        with (
            owned(folder, beside=True, wait=True, say=request.note),
            _blame_the_machine(request.note),
        ):
            if not is_finished(folder):
                _complete(builder)
    _check_again(builder, found.folder or folder)
    return found.folder or folder


def _require_kind(builder: PreparedVideos) -> None:
    asked, there = builder.request.multi_label, builder.manifest.multi_label
    if asked != there:
        raise PreparationError(
            f"data.multi_label = {asked}, but a video of {builder.name} has "
            f"{'several labels' if there else 'one label'}; set data.multi_label={there}"
        )


def _complete(builder: PreparedVideos) -> None:
    folder = builder.folder
    if not (folder / REPORT).is_file():
        made = _make(builder)
        write_metadata(folder, builder.info, made)
        if note := rates_note([rate for shard in made for rate in shard.rates]):
            builder.request.note(f"{builder.name}: {note}")
        if builder.manifest.drawn:
            builder.request.note(_division(builder))
        builder.sources.write(folder, builder.manifest.notes)
        write_report(folder, builder.manifest, builder.broken)
    # Removed last: while it exists, the same command resumes.
    remove_folder(unfinished_folder(folder))


def _division(builder: PreparedVideos) -> str:
    """Says how videos without splits were divided."""
    manifest = builder.manifest
    train, test = (len(manifest.split(name)) for name in ("train", "test"))
    return (
        f"{train} videos train, {test} test: {manifest.root} names no splits, so about a fifth of "
        "each class became the test set"
    )


@contextlib.contextmanager
def _blame_the_machine(note: Callable[[str], None]) -> Iterator[None]:
    """Explains that an error of the machine is not the fault of a video, and that nothing is lost.

    Raises:
      OSError: the machine's error, even if ArrayRecord raised it as another type.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        failed = error if isinstance(error, OSError) else _failure_in(str(error))
        if failed is None:
            raise
        note(
            "preparation stopped because of an error of this machine, not of a video. No video was "
            "excluded for it. Fix the problem and run the same command again: it resumes"
        )
        raise failed from None


def _failure_in(text: str) -> OSError | None:
    """Finds the system error that is quoted in a library's error message."""
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EACCES, errno.EROFS):
        if f"{os.strerror(number)}; " in text:
            file = text.rpartition("writing ")[2].partition(";")[0]
            return OSError(number, os.strerror(number), file)
    return None


def _make(builder: PreparedVideos) -> list[Made]:
    """Writes the shards and records the videos that could not be decoded.

    Returns:
      The shards, in the order of the plan.

    Raises:
      PreparationError: too many videos are broken; raised as soon as that is known.
    """
    tasks, made = builder.tasks(), dict[str, Made]()
    save_plan(builder.folder, tasks)
    for shard in _finished_shards(builder, tasks):
        made[shard.file] = shard
        if shard.broken:
            lost = {name: why for each in made.values() for name, why in each.broken.items()}
            builder.leave_out(lost)
            builder.check_budget(shard.split)
    require_shards(builder.folder, tasks)
    for split in builder.manifest.splits:
        builder.check_budget(split, whole=True)
    return [made[task.shard.file] for task in tasks]


def _finished_shards(builder: PreparedVideos, tasks: Sequence[Task]) -> Iterator[Made]:
    """Yields the shards as they are finished by this machine, Beam or Dask, as requested."""
    request, total, done = builder.request, len(builder.manifest.entries), 0

    def progress(videos: int) -> None:
        nonlocal done
        done += videos
        request.progress("prepare", done, total)

    if not (request.beam or request.dask):
        yield from make_locally(tasks, workers=request.workers, progress=progress)
        return
    elsewhere = (
        make_with_beam(tasks, request.beam)
        if request.beam
        else make_on_dask(tasks, request.dask, request.note)
    )
    for shard in elsewhere:
        progress(len(shard.videos) + len(shard.broken))
        yield shard


def _check_again(builder: PreparedVideos, folder: Path) -> None:
    """Checks an existing data set against the budget, since it may have been prepared with another.

    A damaged report is written again.

    Raises:
      PreparationError: names the split and its number of broken videos.
      DamagedError: the data set is damaged.
    """
    info = open_data_set(folder).info
    if not _report_is_current(folder, info):
        builder.request.begin(f"the report of {folder} is damaged")
        write_report(folder, builder.manifest, info.broken)
    budget = builder.request.storage.bad_video_budget
    for split in total(read_report(folder)):
        readable = split.broken + split.prepared
        if split.broken > budget * readable:
            raise PreparationError(
                f"{split.broken} of {readable} videos of split {split.split!r} cannot be read; the "
                f"budget is {budget:.0%}. {folder / EXCLUDED} lists them. Remove them from the "
                "manifest, or raise data.bad_video_budget."
            )


def _report_is_current(folder: Path, info: DatasetInfo) -> bool:
    """Returns whether the report exists and agrees with the number of videos."""
    try:
        counts = {each.split: each.prepared for each in total(read_report(folder))}
    except ReportError:
        return False
    return all(
        counts.get(split) == sum(records for _, records in shards)
        for split, shards in info.splits.items()
    )


def _row(entry: Entry, error: str) -> Row:
    row = {"video": video_name(entry), "label": entry.label}
    return row | {"split": entry.split, "error": error}
