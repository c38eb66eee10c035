"""The prepared form: each video's frames or flow as JPEG, written once, read frame by frame.

Training decodes only the frames of a clip from it, 6 to 8 times faster than seeking in MP4.
A data set is one subclass of `PreparedVideos` that names its manifest; everything else,
decoding, broken files, labels, progress and going on after an interruption, is here.
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
from vidjax.data.dataset_assembly import MADE, begin, describe, require_there
from vidjax.data.dataset_info import ARRAY_RECORD, Description
from vidjax.data.decode_jobs import Job, frames, video_name
from vidjax.data.decoded_cache import Decoded, Spool, spool_of
from vidjax.data.expected_videos import outlook
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
from vidjax.data.prepared_lookup import find, is_finished
from vidjax.data.shard_executors.beam import make_with_beam
from vidjax.data.shard_executors.dask import make_on_dask
from vidjax.data.shard_executors.here import make_here
from vidjax.data.shard_plan import plan
from vidjax.data.shard_writer import Made, Task
from vidjax.data.source_files import Sources
from vidjax.data.tfds_features import features_of
from vidjax.storage.local_copies import remove_folder
from vidjax.storage.ownership import owned
from vidjax.storage.paths import as_path

# TFDS reads what is in its folder, and may import what is named there: it gets none.
_NOWHERE = os.path.join(os.devnull, "tfds")


class PreparationError(ValueError):
    """The videos of a data set cannot be prepared."""


class PreparedVideos(tfds.core.GeneratorBasedBuilder):
    """Common base of the video data sets.

    Args:
      manifest: the videos, their labels and splits.
      request: how and where to prepare them.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: Mapping[str, str] = {"1.0.0": "JPEG frames, labels, rates and groups."}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Leaves TFDS's own data sets their names."""
        super().__init_subclass__(skip_registration=True, **kwargs)

    def __init__(self, *, manifest: Manifest, request: Request) -> None:
        self.manifest = manifest
        self.request = request
        self.sources = Sources.of(manifest)
        self.broken: list[Row] = [
            _row(exclusion.entry, exclusion.reason) for exclusion in manifest.excluded
        ]
        self.stem = f"{manifest.digest[:12]}-{request.storage.tag}"
        config = tfds.core.BuilderConfig(name=f"{self.stem}-{self.sources.digest[:8]}")
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
        """TFDS's own way to write; `prepare_videos` makes shards that need no common folder."""
        raise NotImplementedError("vidjax.data.builders.prepare_videos(builder) prepares it")

    def _generate_examples(self) -> Any:
        """As `_split_generators`."""
        raise NotImplementedError("vidjax.data.builders.prepare_videos(builder) prepares it")

    def tasks(self) -> list[Task]:
        """The shards to be made."""
        manifest, storage = self.manifest, self.request.storage
        return [
            Task(
                shard,
                root=str(manifest.root),
                folder=str(self.folder),
                made=str(spool_of(self.folder) / MADE),
                classes=manifest.classes,
                multi_label=manifest.multi_label,
                storage=storage,
                code=code_version(),
            )
            for shard in plan(self.name, manifest, storage)
        ]

    def decode_again(self, name: str) -> Decoded | None:
        """A video's frames as they would be stored; None if there is no such video.

        Raises:
          DecodeError: it cannot be decoded.
        """
        for entry in self.manifest.entries:
            if video_name(entry) == name:
                spool = Spool(spool_of(self.folder))
                return frames(Job(self.manifest.file(entry), entry, self.request.storage, spool))
        return None

    def leave_out(self, broken: Mapping[str, str]) -> None:
        """Takes what cannot be decoded into the data set's record, in the order of the manifest.

        Args:
          broken: why, by the video's name.
        """
        self.broken[len(self.manifest.excluded) :] = [
            _row(entry, broken[name])
            for entry in self.manifest.entries
            if (name := video_name(entry)) in broken
        ]

    def check_budget(self, split: str, *, whole: bool = False) -> None:
        """Refuses a split of which too many videos are broken.

        Args:
          split: its name.
          whole: whether all of it has been tried.

        Raises:
          PreparationError: names their number per class, and the first.
        """
        tried = self.broken[len(self.manifest.excluded) :]
        broken = [row for row in tried if row["split"] == split]
        listed, budget = len(self.manifest.split(split)), self.request.storage.bad_video_budget
        if len(broken) > budget * listed or (whole and len(broken) == listed):
            per_class = collections.Counter(row["label"] for row in broken)
            raise PreparationError(
                f"{len(broken)} of {listed} videos of split {split!r} cannot be read, above the "
                f"budget of {budget:.0%} (per class: {dict(per_class)}). "
                f"First: {broken[0]['error']}. "
                "Remove these videos from the manifest, or raise data.bad_video_budget."
            )


def prepare_videos(builder: PreparedVideos) -> Path:
    """Writes the data set of `builder` unless it is there; returns its folder.

    What was decoded before an interruption is not decoded again. Beside the data come
    `report.csv`, with the videos found, missing and broken of each class, `excluded.csv`, with the
    name of each video that is left out and why, and records of the files that it was made of and of
    the order of its videos. A data set that is complete is read, and nothing else: others may own
    it.

    Raises:
      PreparationError: too many videos cannot be read, or they have one label where several are
        asked for, or the other way round.
      DamagedError: it is there, and not as it was written.
      OSError: the machine fails, such as by a full disk. No video is condemned for it, and the same
        call goes on.
      ValueError: of `Request.judge`, whether the data set is there or not.
    """
    request, folder, manifest = builder.request, builder.folder, builder.manifest
    _require_kind(builder)
    storage = request.storage
    request.judge(
        manifest.classes,
        manifest.splits,
        lambda split: outlook(manifest, split, short_side=storage.short_side, fps=storage.fps),
    )
    found = find(folder, builder.stem, builder.sources, manifest.splits, builder.decode_again)
    if found.note:
        request.note(f"{builder.name}: {found.note}")
    if found.folder is None and not is_finished(folder):
        request.begin(f"there is no prepared data set in {folder}")
        with (
            owned(folder, beside=True, wait=True, say=request.note),
            _no_video_to_blame(request.note),
        ):
            if not is_finished(folder):
                _complete(builder)
    _check_again(builder, found.folder or folder)
    return found.folder or folder


def _require_kind(builder: PreparedVideos) -> None:
    asked, there = builder.request.multi_label, builder.manifest.multi_label
    if asked != there:
        raise PreparationError(
            f"data.multi_label = {asked}: a video of {builder.name} has "
            f"{'several labels' if there else 'one label'}; set data.multi_label={there}"
        )


def _complete(builder: PreparedVideos) -> None:
    folder = builder.folder
    if not (folder / REPORT).is_file():
        made = _make(builder)
        describe(folder, builder.info, made)
        if note := rates_note([rate for shard in made for rate in shard.rates]):
            builder.request.note(f"{builder.name}: {note}")
        builder.sources.write(folder, builder.manifest.notes)
        write_report(folder, builder.manifest, builder.broken)
    # The record of what was made goes last: until then the same command goes on.
    remove_folder(spool_of(folder))


@contextlib.contextmanager
def _no_video_to_blame(note: Callable[[str], None]) -> Iterator[None]:
    """Says of an error of the machine that it is no video's, and that nothing is lost.

    Raises:
      OSError: the machine's error, also where ArrayRecord made another kind of it.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        failed = error if isinstance(error, OSError) else _failure_in(str(error))
        if failed is None:
            raise
        note(
            "preparing stopped because the machine failed, as the error says. No video is "
            "condemned for it; once it is mended, the same command goes on"
        )
        raise failed from None


def _failure_in(text: str) -> OSError | None:
    """The system's error that a library's own error tells in words."""
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EACCES, errno.EROFS):
        if f"{os.strerror(number)}; " in text:
            file = text.rpartition("writing ")[2].partition(";")[0]
            return OSError(number, os.strerror(number), file)
    return None


def _make(builder: PreparedVideos) -> list[Made]:
    """Makes the shards, and takes what they lack into the data set's record.

    Returns:
      What was made, in the order of the plan.

    Raises:
      PreparationError: of `check_budget`, as soon as it is so.
    """
    tasks, made = builder.tasks(), dict[str, Made]()
    begin(builder.folder, tasks)
    for shard in _makers(builder, tasks):
        made[shard.file] = shard
        if shard.broken:
            lost = {name: why for each in made.values() for name, why in each.broken.items()}
            builder.leave_out(lost)
            builder.check_budget(shard.split)
    require_there(builder.folder, tasks)
    for split in builder.manifest.splits:
        builder.check_budget(split, whole=True)
    return [made[task.shard.file] for task in tasks]


def _makers(builder: PreparedVideos, tasks: Sequence[Task]) -> Iterator[Made]:
    """The shards as they are made, by whomever the request names."""
    request, total, done = builder.request, len(builder.manifest.entries), 0

    def progress(videos: int) -> None:
        nonlocal done
        done += videos
        request.progress("prepare", done, total)

    if not (request.beam or request.dask):
        yield from make_here(tasks, workers=request.workers, progress=progress)
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
    """The budget holds for a data set that is there, too: it may have been prepared with another.

    A report that is damaged is written anew.

    Raises:
      PreparationError: names the split and what is broken of it.
      DamagedError: of `open_data_set`.
    """
    info = open_data_set(folder).info
    if not _is_told(folder, info):
        builder.request.begin(f"the report of {folder} is damaged")
        write_report(folder, builder.manifest, info.broken)
    budget = builder.request.storage.bad_video_budget
    for split in total(read_report(folder)):
        readable = split.broken + split.prepared
        if split.broken > budget * readable:
            raise PreparationError(
                f"{split.broken} of {readable} videos of split {split.split!r} cannot be read, "
                f"above the budget of {budget:.0%}; {folder / EXCLUDED} names them. Remove "
                "them from the manifest, or raise data.bad_video_budget."
            )


def _is_told(folder: Path, info: Description) -> bool:
    """Whether the report is there and counts as many videos as there are."""
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
