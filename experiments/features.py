r"""Writes features of videos: what a network makes of them before it classifies.

A file `.npz` or `.h5` gets a row a video, or with --noaverage a row a clip, or with --every a row
every so many seconds of a long video. Each row has the video's name, its label and split where
there are some, the seconds that it spans, and features: the embedding that the classifier gets, or
the mean of a stage (--layer). The same command goes on where it was interrupted. Videos that cannot
be read are skipped and listed. docs/features.md has the form of the file.

Examples:
  vidjax features --weights=i3d:kinetics400 --videos=videos --output=features.npz
  vidjax features --weights=i3d:kinetics400 --config.data.manifest=videos.csv \
      --clips=4 --output=features.h5
  vidjax features --workdir=runs/mine --videos=long.mp4 --every=2 --output=long.npz
"""

from __future__ import annotations

import dataclasses

from absl import flags

from vidjax.data.manifest import Manifest, read_manifest
from vidjax.data.video_list import any_videos
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
    "videos", None, "a video, a folder or a CSV path[,label,split,start,end]; labels are not needed"
)
_OUTPUT = flags.DEFINE_string("output", None, "file to write, .npz or .h5")
_LAYER = flags.DEFINE_string("layer", EMBEDDING, "or stem, stage1, ...: its mean")
_CLIPS = flags.DEFINE_integer("clips", None, "clips of a video; eval.clips if not given", 1)
_AVERAGE = flags.DEFINE_bool("average", True, "one row a video, the mean of its clips")
_EVERY = flags.DEFINE_float("every", None, "seconds from row to row of windows that slide")
_DTYPE = flags.DEFINE_enum("dtype", "float32", DTYPES, "numbers of the file")
_SPLIT = flags.DEFINE_string("split", "all", "of the videos that have one, such as train")
flags.adopt_module_key_flags(network_flags)
flags.mark_flag_as_required("output")
_CONFIG = network_flags.define_config()
# Videos that are named; of more, how many there are.
_NAMED = 10


def main() -> None:
    """Writes the file, and says what is in it."""
    if _EVERY.value is not None and (_CLIPS.value is not None or not _AVERAGE.value):
        raise ValueError("--every takes windows, a row each: leave out --clips and --noaverage")
    config, trained = network_flags.opened(_CONFIG.value)
    how = Extraction(
        layer=_LAYER.value,
        clips=_CLIPS.value or trained.clips,
        crops=trained.crops,
        average=_AVERAGE.value,
        every=_EVERY.value,
        dtype=_DTYPE.value,
        batch_size=config.eval.batch_size,
        threads=max(1, config.data.threads),
    )
    output = as_path(_OUTPUT.value)
    with ProgressLine() as progress:
        skipped = extract(trained, _split(_manifest(config)), output, how, progress)
    found = read_features(output)
    rows, width = found.features.shape
    say(f"{rows} rows of {width} features of {len(set(found.video.tolist()))} videos: {output}")
    for each in skipped[:_NAMED]:
        complain(f"skipped {each.video}: {each.error}")
    if skipped:
        complain(f"{len(skipped)} videos could not be read; the file lists them under `about`")


def _manifest(config: Config) -> Manifest:
    """The videos that are named, or those of the data set."""
    if _VIDEOS.value:
        return any_videos(_VIDEOS.value, root=config.data.root or None)
    if config.data.name != "video_folder" or not config.data.manifest:
        raise ValueError(
            "no videos: say --videos=FOLDER, a file or a CSV, or --config.data.manifest=, a data "
            "set with labels"
        )
    data = config.data
    return read_manifest(
        data.manifest,
        root=data.root or None,
        allow_group_leak=data.allow_group_leak,
        multi_label=data.multi_label,
    )


def _split(manifest: Manifest) -> Manifest:
    """The videos of the split that is named.

    Raises:
      ValueError: there are none.
    """
    if _SPLIT.value == "all":
        return manifest
    entries = manifest.split(_SPLIT.value)
    if not entries:
        there = ", ".join(sorted({entry.split for entry in manifest.entries} - {""})) or "none"
        raise ValueError(f"--split={_SPLIT.value} has no videos; splits are: {there}")
    return dataclasses.replace(manifest, entries=entries)


if __name__ == "__main__":
    command_line.run(main, __doc__, terminated=EXIT_CODE)
