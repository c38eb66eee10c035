"""Common base of the Kinetics data sets: one CSV per split, clips named by video id and seconds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

from vidjax.data.annotations import columns_of, locate, locate_if_there, number, table
from vidjax.data.builders.published_videos import Listing, PublishedVideos
from vidjax.data.manifest import Entry, ManifestError
from vidjax.data.splits import SPLITS, split_name
from vidjax.data.video_files import videos_by_stem

_COLUMNS = ("label", "youtube_id", "time_start", "time_end")
_FILES = {"train": ("train",), "val": ("val", "validate", "validation"), "test": ("test",)}
_PLACES = ("{}.csv", "annotations/{}.csv", "*/{}.csv", "*_{}.csv", "annotations/*_{}.csv")


class Kinetics(PublishedVideos):
    """Common base of the Kinetics data sets, whose clips are trimmed by the downloader."""

    HOMEPAGE = "https://github.com/cvdfoundation/kinetics-dataset"
    LAYOUT = """
        annotations/train.csv, val.csv (or validate.csv), test.csv, or these files themselves:
        label,youtube_id,time_start,time_end,split
        videos in any folders, such as train/---QUuC4vJs_000084_000094.mp4 or ---QUuC4vJs.mp4
        replacement/.../<video>.mp4 replaces a video of the same name
        """
    TRAPS: ClassVar[tuple[str, ...]] = (
        "A test.csv without the column label is ignored, because it cannot be scored.",
        "Videos disappear from YouTube, so every copy is different. Missing videos are listed in "
        "excluded.csv, and the digest in the folder's name distinguishes copies.",
        "About 1,400 training videos of the common copy of Kinetics-400 are broken; its folder "
        "replacement contains intact ones.",
        "Kinetics-400, -600 and -700 overlap across splits. Do not evaluate on one of them a "
        "network that was trained on another.",
    )

    @classmethod
    def read(cls, folder: Path) -> Listing:
        """Reads all splits. As is usual, class indices follow the sorted training labels."""
        files = videos_by_stem(folder, prefer="replacement")
        entries = [entry for split in SPLITS for entry in kinetics_entries(folder, split, files)]
        return Listing.of(sorted({e.label for e in entries if e.split == "train"}), entries)


def kinetics_entries(folder: Path, split: str, files: Mapping[str, str]) -> Iterator[Entry]:
    """Reads the rows of one split's CSV. A test split without a CSV or labels has none.

    Args:
      folder: the data set's.
      split: `train`, `val` or `test`.
      files: paths of the videos by file name without suffix.

    Raises:
      ManifestError: the CSV is missing or differs from its published format.
    """
    patterns = [place.format(name) for name in _FILES[split] for place in _PLACES]
    if split == "test":
        file = locate_if_there(folder, *patterns)
        if file is None or "label" not in columns_of(file):
            return
    else:
        file = locate(folder, *patterns)
    for where, row in table(file, _COLUMNS):
        yield _entry(row, split, files, where)


def _entry(row: Mapping[str, str], split: str, files: Mapping[str, str], where: str) -> Entry:
    video, label = row["youtube_id"], row["label"]
    if len(video) != 11 or not label:
        raise ManifestError(
            f"{where}: label {label!r}, youtube_id {video!r}: a row needs a label and an id of 11 "
            "characters"
        )
    if split_name(row.get("split", "")) in set(SPLITS) - {split}:
        raise ManifestError(f"{where}: split {row['split']!r} in the CSV of split {split!r}")
    start, end = (int(number(row[name], name, where)) for name in ("time_start", "time_end"))
    stem = f"{video}_{start:06}_{end:06}"
    path = files.get(stem) or files.get(video) or f"{split}/{stem}.mp4"
    return Entry(path, label, split, group=video)
