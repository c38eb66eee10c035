"""UCF-101: actions in web videos, with three official splits."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from vidjax.data.annotations import in_order, lines, locate, locate_if_there
from vidjax.data.builders.published_videos import Listing, PublishedVideos
from vidjax.data.manifest import Entry, ManifestError
from vidjax.data.video_files import videos_by_stem

_FORM = r"(?P<path>(?P<label>\w+)/\w+\.avi)(?:\s+\d+)?"
_NAME = re.compile(r"v_(?P<label>\w+?)_g(?P<group>0[1-9]|1\d|2[0-5])_c\d+", re.IGNORECASE)
# Which of the groups 1 to 25 are in the test set of each official split.
_TEST_GROUPS = {1: range(1, 8), 2: range(8, 15), 3: range(15, 22)}


class UCF101(PublishedVideos):
    """UCF-101 (Soomro et al. 2012): 13,320 clips of 101 actions, 320x240, 25 frames per second."""

    name = "ucf101"
    HOMEPAGE = "https://www.crcv.ucf.edu/data/UCF101.php"
    LAYOUT = """
        UCF-101/ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi, or the class folders themselves, or
        all videos in one folder
        ucfTrainTestlist/classInd.txt, trainlist01.txt, testlist01.txt, ... 02, 03; without them
        the splits are derived from the groups in the file names, which gives the same splits
        """
    CLASSES = 101
    VIDEOS = (("train", 9537), ("test", 3783))
    TRAPS = (
        "v_PommelHorse_g05_c01 to c04 are 400x226, not 320x240. Each video keeps its size.",
        "The files in HandstandPushups are named v_HandStandPushups in some copies and "
        "v_HandstandPushups in others. Names are compared case-insensitively.",
        "Test splits overlap: a network trained on split 1 has seen test videos of split 2.",
        "Truncated copies of the lists are in circulation. A note says if videos are missing.",
    )

    @classmethod
    def read(cls, folder: Path, split: int = 1) -> Listing:
        """Reads official split number `split`, 1 to 3. The clips of a group come from one video."""
        if split not in _TEST_GROUPS:
            raise ManifestError(f"data.options.split = {split!r}: must be 1, 2 or 3")
        files = {stem.lower(): path for stem, path in videos_by_stem(folder).items()}
        found = locate_if_there(folder, "classInd.txt", "*/classInd.txt")
        if found is None:
            entries = list(_by_groups(files.values(), split))
            return Listing.of(sorted({entry.label for entry in entries}, key=str.lower), entries)
        classes = _classes(found)
        return Listing.of(classes, _listed(found.parent, split, files, classes))


def _classes(file: Path) -> list[str]:
    rows = lines(file, r"(\d+)\s+(\w+)", "1 ApplyEyeMakeup")
    return in_order(((int(match[1]), match[2]) for _, match in rows), 1, file)


def _listed(
    lists: Path, split: int, files: dict[str, str], classes: Iterable[str]
) -> Iterator[Entry]:
    spelt = {label.lower(): label for label in classes}
    for part in ("train", "test"):
        file = locate(lists, f"{part}list{split:02}.txt")
        for where, match in lines(file, _FORM, "ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1"):
            path = PurePosixPath(match["path"])
            group = _name(path, where)["group"]
            label = spelt.get(match["label"].lower(), match["label"])
            there = files.get(path.stem.lower(), str(path))
            yield Entry(there, label, part, group=f"{label} {group}")


def _by_groups(files: Iterable[str], split: int) -> Iterator[Entry]:
    """Derives a split like the lists do: the group number decides between train and test."""
    for path in map(PurePosixPath, files):
        name = _name(path, str(path))
        # The folder has the spelling of the class.
        label = path.parent.name if _alike(path.parent.name, name["label"]) else name["label"]
        part = "test" if int(name["group"]) in _TEST_GROUPS[split] else "train"
        yield Entry(str(path), label, part, group=f"{label} {name['group']}")


def _alike(one: str, other: str) -> bool:
    return one.lower() == other.lower()


def _name(path: PurePosixPath, where: str) -> re.Match[str]:
    match = _NAME.fullmatch(path.stem)
    if match is None:
        raise ManifestError(
            f"{where}: {path.name!r} does not look like 'v_ApplyEyeMakeup_g01_c01.avi' with a "
            "group of g01 to g25"
        )
    return match


prepare = UCF101.prepare
