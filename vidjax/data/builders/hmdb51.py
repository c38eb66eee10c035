"""HMDB-51: actions in films and videos of the web, in three official splits."""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from vidjax.data.annotations import lines, locate
from vidjax.data.builders.published_videos import Listing, PublishedVideos
from vidjax.data.manifest import Entry, ManifestError
from vidjax.data.video_files import videos_by_stem

# What the 0, 1 and 2 behind a video's name in a list stand for.
_PARTS = {"1": "train", "2": "test"}
# Parts of the body seen, camera, people, side, quality and number, behind source and class.
_END = r"_[a-z]_[a-z]{2}_np\d+_[a-z]{2}_[a-z]{3}_\d+"


class HMDB51(PublishedVideos):
    """HMDB-51 (Kuehne et al. 2011): 6,766 clips of 51 actions, 5,100 of them in a split."""

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
        "Lists mark 1,666 videos of each split with a 0: they belong to neither side.",
        "A group is a source and its class, by the file's name; two classes of one film are two.",
        "Names hold brackets and other signs that shells and glob take for patterns.",
        "Test splits overlap: a network trained on split 1 has seen videos that split 2 tests on.",
    )

    @classmethod
    def read(cls, folder: Path, split: int = 1) -> Listing:
        """The official split `split`, 1 to 3."""
        return read_lists(folder, split, "testTrainMulti*", "012")


def read_lists(folder: Path, split: int, lists: str, marks: str) -> Listing:
    """One list a class, `<class>_test_split<n>.txt`, with a mark behind each video's name.

    Args:
      folder: the data set's.
      split: 1 to 3.
      lists: pattern of the folder that the lists are in.
      marks: the marks that may occur: 0 for neither side, 1 for training, 2 for test.

    Raises:
      ManifestError: the lists are absent or do not have their form.
    """
    if split not in (1, 2, 3):
        raise ManifestError(f"data.options.split = {split!r}: 1, 2 or 3")
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
    """Where the lists of a split may be below a data set's folder."""
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
    """The film or video that a clip is cut from, by its name.

    Raises:
      ManifestError: the name has another form.
    """
    match = re.fullmatch(rf"(?P<source>.+?)_{re.escape(label)}{_END}", stem)
    if match is None:
        raise ManifestError(
            f"{where}: {stem!r} is not of the form '<source>_{label}_u_nm_np1_ba_goo_0'"
        )
    return match["source"]


prepare = HMDB51.prepare
