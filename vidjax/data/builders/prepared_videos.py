"""The prepared form: each video's frames as JPEG, written once, read frame by frame.

Training decodes only the frames of a clip from it, 6 to 8 times faster than seeking in MP4.
A data set is one subclass of `PreparedVideos` that names its manifest; everything else,
decoding, broken files, labels, progress and going on after an interruption, is here.
"""

from __future__ import annotations

import collections
import contextlib
import errno
import io
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from vidjax.data.catalog import Request
from vidjax.data.contents import write_contents
from vidjax.data.damage import DamagedError, telling_damage
from vidjax.data.description import INFO, Description
from vidjax.data.examples import Example
from vidjax.data.integrity import open_data_set, refuse_halves
from vidjax.data.manifest import Entry, Manifest
from vidjax.data.outlook import outlook
from vidjax.data.rates import rates_note
from vidjax.data.recognition import find, is_finished, spool_of
from vidjax.data.report import EXCLUDED, ReportError, Row, read_report, total, write_report
from vidjax.data.seal import Sealing
from vidjax.data.several_labels import joined
from vidjax.data.sources import Sources
from vidjax.data.spool import Decoded, Spool
from vidjax.data.video_jobs import Job, decode, example, frames, on_a_cluster, video_name
from vidjax.data.workers import Lost, run_each
from vidjax.storage.ownership import owned
from vidjax.storage.paths import as_path

# What one video may cost before it counts as broken.
_SECONDS = 600.0
_MEMORY = 8 * 2**30


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
        self._done = 0
        self.broken: list[Row] = [
            _row(exclusion.entry, exclusion.reason) for exclusion in manifest.excluded
        ]
        self.stem = f"{manifest.digest[:12]}-{request.storage.tag}"
        config = tfds.core.BuilderConfig(name=f"{self.stem}-{self.sources.digest[:8]}")
        data_dir = request.data_dir.absolute()
        there = data_dir / self.name / config.name / str(self.VERSION)
        if (there / INFO).is_file():
            # TFDS reads what is there. It may import what is named in it.
            open_data_set(there)
        with telling_damage(there):
            super().__init__(config=config, file_format="array_record", data_dir=str(data_dir))
        self.folder = as_path(self.data_dir)
        self.spool = Spool(spool_of(self.folder))

    def _info(self) -> tfds.core.DatasetInfo:
        label = tfds.features.ClassLabel(names=list(self.manifest.classes))
        several = self.manifest.multi_label
        features = {
            "frames": tfds.features.Sequence(
                tfds.features.Image(shape=(None, None, 3), encoding_format="jpeg")
            ),
            **({"labels": tfds.features.Sequence(label)} if several else {"label": label}),
            "video": tfds.features.Text(),
            "group": tfds.features.Text(),
            "fps": np.float32,
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description=type(self).__doc__ or "",
            features=tfds.features.FeaturesDict(features),
            metadata=tfds.core.MetadataDict(manifest=self.manifest.digest, broken=self.broken),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        del dl_manager
        return {split: self._generate_examples(split) for split in self.manifest.splits}

    def _generate_examples(self, split: str) -> Any:
        request, several = self.request, self.manifest.multi_label
        jobs = [
            Job(self.manifest.file(entry), entry, request.storage, self.spool, several)
            for entry in self.manifest.split(split)
        ]
        return on_a_cluster(jobs) if request.beam else self._here(split, jobs)

    def _here(self, split: str, jobs: list[Job]) -> Iterator[tuple[str, dict[str, Any]]]:
        for job, found in self._decoded(jobs):
            self._done += 1
            self.request.progress("prepare", self._done, len(self.manifest.entries))
            if isinstance(found, str):
                self.broken.append(_row(job.entry, found))
            else:
                yield example(job, found)
        self.check_budget(split)

    def _decoded(self, jobs: list[Job]) -> Iterator[tuple[Job, Decoded | str]]:
        """Each job with its frames, or what is wrong with its video; first what is in the spool."""
        left = []
        for job in jobs:
            decoded = job.spool.load(job.name)
            if decoded is None:
                left.append(job)
            else:
                yield job, decoded
        for job, found in run_each(
            decode, left, workers=self.request.workers, seconds=_SECONDS, memory=_MEMORY
        ):
            if isinstance(found, Lost):
                yield job, f"{job.file}: {found}"
            else:
                yield job, found or job.spool.reload(job.name)

    def decode_again(self, name: str) -> Decoded | None:
        """A video's frames as they would be stored; None if there is no such video.

        Raises:
          DecodeError: it cannot be decoded.
        """
        for entry in self.manifest.entries:
            if video_name(entry) == name:
                file = self.manifest.file(entry)
                return frames(Job(file, entry, self.request.storage, self.spool))
        return None

    def check_budget(self, split: str) -> None:
        """Refuses a split of which too many videos are broken.

        Raises:
          PreparationError: names their number per class, and the first.
        """
        tried = self.broken[len(self.manifest.excluded) :]
        broken = [row for row in tried if row["split"] == split]
        listed, budget = len(self.manifest.split(split)), self.request.storage.bad_video_budget
        if len(broken) == listed or len(broken) > budget * listed:
            per_class = collections.Counter(row["label"] for row in broken)
            raise PreparationError(
                f"{len(broken)} of {listed} videos of split {split!r} cannot be read, above the "
                f"budget of {budget:.0%} (per class: {dict(per_class)}). "
                f"First: {broken[0]['error']}. "
                "Remove these videos from the manifest, or raise data.bad_video_budget."
            )

    def gather_failures(self) -> None:
        """Takes what Beam's workers, if any, could not decode into the data set's record.

        Raises:
          PreparationError: as `check_budget`.
        """
        failures = self.spool.failures()
        new = failures.keys() - {row["video"] for row in self.broken}
        failed = [
            _row(entry, failures[name])
            for entry in self.manifest.entries
            if (name := video_name(entry)) in new and not self.spool.has(name)
        ]
        self.broken += failed
        for split in self.manifest.splits:
            self.check_budget(split)
        if failed:
            self.info.metadata["broken"] = self.broken
            self.info.write_to_directory(self.folder)


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
    if not (folder / INFO).is_file():
        _write(builder)
    else:
        # Ended after the data were written and before all was said of them.
        builder.broken[:] = builder.info.metadata["broken"]
    builder.gather_failures()
    sealing, rates = Sealing(Description.read(folder)), list[float]()
    with _told_as_the_machine(folder):
        write_contents(folder, _read_back(sealing, builder.manifest, rates))
    sealing.write()
    if note := rates_note(rates):
        builder.request.note(f"{builder.name}: {note}")
    builder.sources.write(folder, builder.manifest.notes)
    write_report(folder, builder.manifest, builder.broken)
    builder.spool.remove()


def _read_back(
    sealing: Sealing, manifest: Manifest, rates: list[float]
) -> Iterator[tuple[str, str, str]]:
    """Split, class and name of each video; its rate is added to `rates`."""
    for split in manifest.splits:
        for content in sealing.read(split):
            example = Example(content)
            rates.append(example.real("fps"))
            if manifest.multi_label:
                label = joined(manifest.classes[place] for place in example.wholes("labels"))
            else:
                label = manifest.classes[example.whole("label")]
            yield split, label, example.text("video")


@contextlib.contextmanager
def _told_as_the_machine(folder: Path) -> Iterator[None]:
    """What was written just now and cannot be read is no damage but a failure.

    Raises:
      OSError: in its stead.
    """
    try:
        yield
    except DamagedError as error:
        text = f"what was written cannot be read back ({error})"
        raise OSError(errno.EIO, text, str(folder)) from None


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


def _write(builder: PreparedVideos) -> None:
    refuse_halves(builder.folder)
    _remove_unfinished(builder.folder)
    tfds.disable_progress_bar()
    beam = builder.request.beam
    # TFDS tells of downloads and sizes that are unknown here; `progress` tells what is done.
    with contextlib.redirect_stdout(io.StringIO()):
        builder.download_and_prepare(download_config=_beam_config(builder) if beam else None)


def _beam_config(builder: PreparedVideos) -> tfds.download.DownloadConfig:
    beam = builder.request.beam
    try:
        from apache_beam.options.pipeline_options import PipelineOptions
    except ImportError:
        raise ValueError("Apache Beam is not installed: pip install 'vidjax[beam]'") from None
    assert beam is not None
    options = PipelineOptions(list(beam.options))
    return tfds.download.DownloadConfig(beam_runner=beam.runner, beam_options=options)


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


def _remove_unfinished(folder: Path) -> None:
    """Removes what a killed preparation left of TFDS's files; the spool has what they hold."""
    for unfinished in folder.parent.glob(f"incomplete.*_{folder.name}"):
        shutil.rmtree(unfinished)
    if folder.is_dir():
        folder.rmdir()


def _row(entry: Entry, error: str) -> Row:
    row = {"video": video_name(entry), "label": entry.label}
    return row | {"split": entry.split, "error": error}
