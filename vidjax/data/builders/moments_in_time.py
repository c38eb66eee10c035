"""Moments in Time: three seconds in which something happens, whoever does it."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from vidjax.data.annotations import in_order, lines, locate
from vidjax.data.builders.published_videos import Listing, PublishedVideos
from vidjax.data.manifest import Entry

_CSVS = {"train": ("trainingSet.csv", "training"), "val": ("validationSet.csv", "validation")}
_FORM = r"(?P<path>.+?/.+),(?P<label>[^,]+),\d+,\d+"
_EXAMPLE = "blocking/getty-karate-video-id635808620_4.mp4,blocking,3,0"


class MomentsInTime(PublishedVideos):
    """Moments in Time (Monfort et al. 2019): 836,000 clips of 3 s in 339 classes, first version."""

    name = "moments_in_time"
    HOMEPAGE = "http://moments.csail.mit.edu"
    LAYOUT = """
        Moments_in_Time_256x256_30fps/ or Moments_in_Time_Raw/ or Moments_in_Time_Mini/, or what
        is in it:
        moments_categories.txt: name,index
        trainingSet.csv, validationSet.csv: video,label,responses for it,responses against it
        training/blocking/getty-karate-video-id635808620_4.mp4, validation/...
        """
    CLASSES = 339
    VIDEOS = (("train", 802264), ("val", 33900))
    TRAPS = (
        "The second version has 305 classes and 727,305 and 30,500 clips, the small one 200 and "
        "100,000 and 10,000; either is read as the first is.",
        "Indices are those of moments_categories.txt, which is not in alphabetical order.",
        "Labels of the test split were never published.",
        "The multi-label set has files of the same names and is not read here.",
        "A few files are broken, and some names are too long for some file systems.",
    )
    LEAKS = (
        "Whether its training and validation share source videos is not documented. Moments of one "
        "source stay where the official splits have them, so that scores compare with others'."
    )

    @classmethod
    def read(cls, folder: Path) -> Listing:
        """A group is the video that moments were cut from, the file's name up to their second."""
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
