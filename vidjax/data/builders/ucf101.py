"""UCF-101: actions in videos of the web, in three official splits."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vidjax.data.annotations import lines, locate, locate_if_there
from vidjax.data.builders.published_videos import Listing, PublishedVideos
from vidjax.data.manifest import Entry, ManifestError

_FORM = r"(?P<path>(?P<label>\w+)/\w+\.avi)(?:\s+\d+)?"
_NAME = re.compile(r"v_\w+?_g(?P<group>\d+)_c\d+")
# Groups of 1 to 25 that each official split tests on.
_TEST_GROUPS = {1: range(1, 8), 2: range(8, 15), 3: range(15, 22)}


class UCF101(PublishedVideos):
    """UCF-101 (Soomro et al. 2012): 13,320 clips of 101 actions, 320x240, 25 frames a second."""

    name = "ucf101"
    HOMEPAGE = "https://www.crcv.ucf.edu/data/UCF101.php"
    LAYOUT = """
        UCF-101/ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi, or the class folders themselves
        ucfTrainTestlist/classInd.txt, trainlist01.txt, testlist01.txt, ... 02, 03; without them
        the splits follow from the groups in the file names, as the lists do
        """
    CLASSES = 101
    VIDEOS = (("train", 9537), ("test", 3783))
    TRAPS = (
        "v_PommelHorse_g05_c01 to c04 are 400x226, not 320x240; each video keeps its size here.",
        "The files of the folder HandstandPushups are spelt v_HandStandPushups.",
        "Test splits overlap: a network trained on split 1 has seen videos that split 2 tests on.",
    )

    @classmethod
    def read(cls, folder: Path, split: int = 1) -> Listing:
        """The official split `split`, 1 to 3; a group of clips is cut from one video."""
        if split not in _TEST_GROUPS:
            raise ManifestError(f"data.options.split = {split!r}: 1, 2 or 3")
        videos = locate_if_there(folder, "UCF-101") or folder
        lists = locate_if_there(folder, "ucfTrainTestlist", "splits_classification")
        rows = _listed(lists, split) if lists else _by_groups(videos, split)
        found = [
            Entry(f"{videos.name}/{path}" if videos != folder else path, label, part, group=group)
            for path, label, part, group in rows
        ]
        return Listing.of(_classes(lists, videos), found)


def _classes(lists: Path | None, videos: Path) -> list[str]:
    if lists is None:
        return sorted(entry.name for entry in videos.iterdir() if entry.is_dir())
    rows = lines(locate(lists, "classInd.txt"), r"(\d+)\s+(\w+)", "1 ApplyEyeMakeup")
    return [match[2] for _, match in sorted(rows, key=lambda row: int(row[1][1]))]


def _listed(lists: Path, split: int) -> Iterator[tuple[str, str, str, str]]:
    for part in ("train", "test"):
        file = locate(lists, f"{part}list{split:02}.txt")
        for where, match in lines(file, _FORM, "ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1"):
            group = _group(match["path"], where)
            yield match["path"], match["label"], part, f"{match['label']} {group}"


def _by_groups(videos: Path, split: int) -> Iterator[tuple[str, str, str, str]]:
    for file in sorted(videos.glob("*/*.avi")):
        path = file.relative_to(videos).as_posix()
        group = _group(path, str(file))
        part = "test" if int(group) in _TEST_GROUPS[split] else "train"
        yield path, file.parent.name, part, f"{file.parent.name} {group}"


def _group(path: str, where: str) -> Any:
    match = _NAME.fullmatch(Path(path).stem)
    if match is None:
        raise ManifestError(f"{where}: {path!r} is not of the form 'v_ApplyEyeMakeup_g01_c01.avi'")
    return match["group"]


prepare = UCF101.prepare
