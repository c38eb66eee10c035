"""HMDB-51: actions in films and web videos, with three official splits."""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from vidjax.data.annotations import lines, locate
from vidjax.data.builders.published_videos import Listing, PublishedVideos
from vidjax.data.manifest import Entry, ManifestError
from vidjax.data.video_files import videos_by_stem

# Meaning of the digit after a video's name in a list; 0 is neither.
_PARTS = {"1": "train", "2": "test"}
# Visible body parts, camera, people, side, quality and number follow source and class.
_END = r"_[a-z]_[a-z]{2}_np\d+_[a-z]{2}_[a-z]{3}_\d+"


class HMDB51(PublishedVideos):
    """HMDB-51 (Kuehne et al. 2011): 6,766 clips of 51 actions, 5,100 of them in each split."""

    name = "hmdb51"
    HOMEPAGE = "https://serre-lab.clps.brown.edu/resource/hmdb-a-large-human-motion-database"
    LAYOUT = """
        brush_hair/April_09_brush_hair_u_nm_np1_ba_goo_0.avi, ..., here or in a folder such as
        videos/ or hmdb51_org/
        testTrainMulti_7030_splits/brush_hair_test_split1.txt, ..., or these files themselves
        """
    CLASSES = 51
    VIDEOS = (("train", 3570), ("test", 1530))
    TRAPS = (
        "The lists mark 1,666 videos of each split with a 0: they are in neither train nor test.",
        "A group is a source film and a class, from the file name. A film may have several groups.",
        "File names contain brackets and other characters that shells and glob read as patterns.",
        "Test splits overlap: a network trained on split 1 has seen test videos of split 2.",
    )

    @classmethod
    def read(cls, folder: Path, split: int = 1) -> Listing:
        """Reads official split number `split`, 1 to 3."""
        return read_lists(folder, split, "testTrainMulti*", "012")


def read_lists(folder: Path, split: int, lists: str, marks: str) -> Listing:
    """Reads one list per class, `<class>_test_split<n>.txt`, with a digit after each video's name.

    Args:
      folder: the data set's.
      split: 1 to 3.
      lists: pattern of the folder that contains the lists.
      marks: the digits that may occur: 0 for neither, 1 for train, 2 for test.

    Raises:
      ManifestError: the lists are missing or malformed.
    """
    if split not in (1, 2, 3):
        raise ManifestError(f"data.options.split = {split!r}: must be 1, 2 or 3")
    end = f"_test_split{split}.txt"
    home = locate(folder, *list_patterns(lists, split)).parent
    files = videos_by_stem(folder)
    found = sorted(file for file in home.glob(f"*{end}") if file.name[0] != ".")
    labels = [file.name.removesuffix(end) for file in found]
    entries: list[Entry] = []
    for label, file in zip(labels, found, strict=True):
        entries += _listed(file, label, marks, files)
    return Listing.of(labels, entries)


def list_patterns(lists: str, split: int) -> list[str]:
    """Returns the patterns of where a split's lists may be below a data set's folder."""
    name = f"*_test_split{split}.txt"
    return [name, f"{lists}/{name}", f"*/{lists}/{name}"]


def _listed(file: Path, label: str, marks: str, files: dict[str, str]) -> Iterator[Entry]:
    example = f"April_09_{label}_u_nm_np1_ba_goo_0.avi 1"
    for where, match in lines(file, rf"(?P<name>.+\.\w+)\s+(?P<mark>[{marks}])", example):
        stem = PurePosixPath(match["name"]).stem
        group = source(stem, label, where)
        if match["mark"] in _PARTS:
            path = files.get(stem, f"{label}/{match['name']}")
            yield Entry(path, label, _PARTS[match["mark"]], group=f"{label}/{group}")


def source(stem: str, label: str, where: str) -> str:
    """Returns the film or video that a clip was cut from, as its file name says.

    Raises:
      ManifestError: the name is malformed.
    """
    match = re.fullmatch(rf"(?P<source>.+?)_{re.escape(label)}{_END}", stem)
    if match is None:
        raise ManifestError(
            f"{where}: {stem!r} does not look like '<source>_{label}_u_nm_np1_ba_goo_0'"
        )
    return match["source"]


prepare = HMDB51.prepare
