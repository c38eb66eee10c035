r"""Extracts features of videos with a trained network.

The features are the embedding before the classifier, or the mean of a stage (--layer). The output
is an .npz or .h5 file with one row per video; with --noaverage, one row per clip; with
--window_stride, one row every so many seconds of a long video. Each row also has the video's name,
its label and split if there are any, and the seconds that it spans. docs/features.md describes the
file.

The same command continues where it was interrupted. Unreadable videos are skipped and listed.

Examples:
  vidjax features --weights=i3d:kinetics400 --videos=videos --output=features.npz
  vidjax features --weights=i3d:kinetics400 --config.data.manifest=videos.csv \
      --clips=4 --output=features.h5
  vidjax features --workdir=runs/mine --videos=long.mp4 --window_stride=2 --output=long.npz
"""

from __future__ import annotations

import dataclasses

from absl import flags

from vidjax.data.manifest import Manifest, read_manifest
from vidjax.data.video_list import list_videos
from vidjax.progress import ProgressLine
from vidjax.run.config import Config
from vidjax.storage.paths import as_path
from vidjax.terminal import complain, say
from vidjax.trained.feature_extraction import Extraction, extract
from vidjax.trained.feature_files.files import read_features
from vidjax.trained.feature_files.table import DTYPES
from vidjax.trained.features import EMBEDDING
from vidjax.training.preemption import EXIT_CODE

from . import command_line, network_flags

_VIDEOS = flags.DEFINE_string(
    "videos",
    None,
    "PATH: A video, a folder of videos, or a CSV with the columns path[,label,split,start,end]. "
    "Labels are not needed.",
)
_OUTPUT = flags.DEFINE_string("output", None, "FILE: File to write, .npz or .h5.")
_LAYER = flags.DEFINE_string(
    "layer", EMBEDDING, "LAYER: Embedding, or a stage such as stem or stage1, whose mean is taken."
)
_CLIPS = flags.DEFINE_integer(
    "clips", None, "Number of clips per video. By default the setting eval.clips.", 1
)
_AVERAGE = flags.DEFINE_bool("average", True, "Writes one row per video, the mean of its clips.")
_WINDOW_STRIDE = flags.DEFINE_float(
    "window_stride",
    None,
    "SECONDS: Writes a row for each window, with this distance between their starts.",
)
_DTYPE = flags.DEFINE_enum("dtype", "float32", DTYPES, "Type of the numbers in the file.")
_SPLIT = flags.DEFINE_string(
    "split", "all", "SPLIT: Split whose videos are used, such as train; `all` uses all videos."
)
flags.adopt_module_key_flags(network_flags)
command_line.renamed("every", "window_stride")
flags.mark_flag_as_required("output")
_CONFIG = network_flags.define_config()
# Skipped videos that are named; for more, the number is printed.
_NAMED = 10


def main() -> None:
    """Writes the file, and prints what is in it."""
    if _WINDOW_STRIDE.value is not None and (_CLIPS.value is not None or not _AVERAGE.value):
        raise ValueError(
            "--window_stride writes a row for each window: leave out --clips and --noaverage"
        )
    config, trained = network_flags.opened(_CONFIG.value)
    how = Extraction(
        layer=_LAYER.value,
        clips=_CLIPS.value or trained.clips,
        crops=trained.crops,
        average=_AVERAGE.value,
        window_stride=_WINDOW_STRIDE.value,
        dtype=_DTYPE.value,
        batch_size=config.eval.batch_size,
        threads=max(1, config.data.threads),
    )
    output = as_path(_OUTPUT.value)
    with ProgressLine() as progress:
        skipped = extract(trained, _split(_manifest(config)), output, how, progress)
    found = read_features(output)
    rows, width = found.features.shape
    videos = len(set(found.video.tolist()))
    say(f"{_count(rows, 'row')} of {width} features, of {_count(videos, 'video')}: {output}")
    for each in skipped[:_NAMED]:
        # The error may begin with the whole path.
        complain(f"skipped {each.video}: {each.error.rpartition(f'{each.video}: ')[2]}")
    if skipped:
        several = _count(len(skipped), "video")
        complain(f"{several} could not be read; `about` in the file lists all of them")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _manifest(config: Config) -> Manifest:
    """Returns the videos that --videos names, or those of the data set."""
    if _VIDEOS.value:
        return list_videos(_VIDEOS.value, root=config.data.root or None)
    if config.data.name != "video_folder" or not config.data.manifest:
        raise ValueError(
            "no videos: name a folder, a file or a CSV with --videos, or a data set with "
            "--config.data.manifest"
        )
    data = config.data
    return read_manifest(
        data.manifest,
        root=data.root or None,
        allow_group_leak=data.allow_group_leak,
        multi_label=data.multi_label,
    )


def _split(manifest: Manifest) -> Manifest:
    """Returns the videos of the split that --split names.

    Raises:
      ValueError: there are none.
    """
    if _SPLIT.value == "all":
        return manifest
    entries = manifest.split(_SPLIT.value)
    if not entries:
        there = ", ".join(sorted({entry.split for entry in manifest.entries} - {""})) or "none"
        raise ValueError(f"--split={_SPLIT.value} has no videos; the splits are: {there}")
    return dataclasses.replace(manifest, entries=entries)


if __name__ == "__main__":
    command_line.run(main, __doc__, terminated=EXIT_CODE)
