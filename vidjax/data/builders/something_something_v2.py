"""Something-Something v2: hands acting on objects, labelled by caption templates."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vidjax.data.annotations import (
    in_order,
    lines,
    locate,
    locate_if_there,
    mapping,
    number,
    objects,
)
from vidjax.data.builders.published_videos import Listing, PublishedVideos
from vidjax.data.manifest import Entry
from vidjax.data.video_files import videos_by_stem

_NAMES = {"train": "train", "val": "validation", "test": "test"}
_VIDEOS = "20bn-something-something-v2"


class SomethingSomethingV2(PublishedVideos):
    """Something-Something v2 (Goyal et al. 2017): 220,847 videos of 174 actions with objects."""

    name = "something_something_v2"
    HOMEPAGE = "https://www.qualcomm.com/developer/software/something-something-v-2-dataset"
    LAYOUT = """
        20bn-something-something-v2/78687.webm, ..., or the videos in any other folder
        labels/labels.json, train.json, validation.json, test.json, test-answers.csv, or here
        something-something-v2-labels.json, ...
        """
    CLASSES = 174
    VIDEOS = (("train", 168913), ("val", 24777), ("test", 27157))
    TRAPS = (
        "Some labels distinguish left from right: train with augment.flip=0.",
        "The test split needs test-answers.csv, which contains its labels.",
        "Videos have 12 frames per second. Frame numbers of copies extracted at 30 do not apply.",
        "The person who filmed a video is not published, so each video is its own group.",
    )

    @classmethod
    def read(cls, folder: Path) -> Listing:
        """Reads all splits. Labels are templates without brackets, in the published order."""
        files = videos_by_stem(folder)
        labels = _labels(locate(folder, *_patterns("labels.json")))
        entries = [*_listed(folder, "train", files), *_listed(folder, "val", files)]
        return Listing.of(labels, [*entries, *_answered(folder, files)])


def _patterns(name: str) -> list[str]:
    names = (name, f"something-something-v2-{name}")
    return [f"{place}{each}" for each in names for place in ("", "labels/", "*/", "*/labels/")]


def _labels(file: Path) -> list[str]:
    pairs = (
        (int(number(index, label, str(file))), label) for label, index in mapping(file).items()
    )
    return in_order(pairs, 0, file)


def _listed(folder: Path, split: str, files: Mapping[str, str]) -> Iterator[Entry]:
    file = locate(folder, *_patterns(f"{_NAMES[split]}.json"))
    for _, row in objects(file, ("id", "template")):
        label = str(row["template"]).replace("[", "").replace("]", "")
        yield _entry(row["id"], label, split, files)


def _answered(folder: Path, files: Mapping[str, str]) -> Iterator[Entry]:
    answers = locate_if_there(folder, *_patterns("test-answers.csv"))
    if answers is None:
        return
    for _, match in lines(answers, r"(?P<id>\d+);(?P<label>.+)", "1420;Throwing something"):
        yield _entry(match["id"], match["label"].strip(), "test", files)


def _entry(video: Any, label: str, split: str, files: Mapping[str, str]) -> Entry:
    path = files.get(str(video), f"{_VIDEOS}/{video}.webm")
    return Entry(path, label, split, group=str(video))


prepare = SomethingSomethingV2.prepare
