"""Moments in Time: three-second clips of events and actions."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from vidjax.data.annotations import in_order, lines, locate
from vidjax.data.builders.published_videos import Listing, PublishedVideos
from vidjax.data.manifest import Entry

_CSVS = {"train": ("trainingSet.csv", "training"), "val": ("validationSet.csv", "validation")}
_FORM = r"(?P<path>.+?/.+),(?P<label>[^,]+),\d+,\d+"
_EXAMPLE = "blocking/getty-karate-video-id635808620_4.mp4,blocking,3,0"


class MomentsInTime(PublishedVideos):
    """Moments in Time v1 (Monfort et al. 2019): 836,000 clips of 3 s in 339 classes."""

    name = "moments_in_time"
    HOMEPAGE = "http://moments.csail.mit.edu"
    LAYOUT = """
        Moments_in_Time_256x256_30fps/ or Moments_in_Time_Raw/ or Moments_in_Time_Mini/, or its
        contents:
        moments_categories.txt: name,index
        trainingSet.csv, validationSet.csv: video,label,votes for it,votes against it
        training/blocking/getty-karate-video-id635808620_4.mp4, validation/...
        """
    CLASSES = 339
    VIDEOS = (("train", 802264), ("val", 33900))
    TRAPS = (
        "Version 2 has 305 classes with 727,305 training and 30,500 validation clips; the mini set "
        "has 200 classes with 100,000 and 10,000. Both are read the same way.",
        "Class indices are those of moments_categories.txt, which is not in alphabetical order.",
        "The labels of the test split were never published.",
        "The multi-label version has files of the same names. It is not supported.",
        "A few files are broken, and some names are too long for some file systems.",
    )
    LEAKS = (
        "It is not documented whether training and validation share source videos. The official "
        "splits are used unchanged, so that scores are comparable with published ones."
    )

    @classmethod
    def read(cls, folder: Path) -> Listing:
        """Reads both splits. A group is the source video: the file name without the second."""
        categories = locate(folder, "moments_categories.txt", "*/moments_categories.txt")
        rows = lines(categories, r"(?P<name>[^,]+),\s*(?P<index>\d+)", "clapping,0")
        names = ((int(match["index"]), match["name"]) for _, match in rows)
        home = categories.parent
        entries = [
            entry for split in _CSVS for entry in _listed(home, home.relative_to(folder), split)
        ]
        return Listing.of(in_order(names, 0, categories), entries)


def _listed(home: Path, place: Path, split: str) -> Iterator[Entry]:
    file, videos = _CSVS[split]
    for _, match in lines(locate(home, file), _FORM, _EXAMPLE):
        source = PurePosixPath(match["path"]).stem.rpartition("_")[0]
        path = (place / videos / match["path"]).as_posix()
        yield Entry(path, match["label"], split, group=source)


prepare = MomentsInTime.prepare
