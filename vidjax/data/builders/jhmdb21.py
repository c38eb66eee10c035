"""JHMDB-21: clips of HMDB-51, trimmed to the action of one person with annotated joints."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from vidjax.data.annotations import locate_if_there, table
from vidjax.data.builders.hmdb51 import list_patterns, read_lists
from vidjax.data.builders.published_videos import Listing, PublishedVideos
from vidjax.data.manifest import Entry, ManifestError

_COLUMNS = ("file", "label", "group", "split", "fold", "dataset", "origin")
_LISTS = "splits"


class JHMDB21(PublishedVideos):
    """JHMDB-21 (Jhuang et al. 2013): 928 clips of 21 actions, 15 to 40 frames each."""

    name = "jhmdb21"
    HOMEPAGE = "http://jhmdb.is.tue.mpg.de"
    LAYOUT = """
        brush_hair/April_09_brush_hair_u_nm_np1_ba_goo_0.avi, ..., here or in a folder such as
        ReCompress_Videos/
        splits/brush_hair_test_split1.txt, ..., or these files themselves
        or, in place of the lists, manifest.csv here or in the folder above:
        file,label,group,split,fold,dataset,origin
        """
    CLASSES = 21
    VIDEOS = (("train", 660), ("test", 268))
    TRAPS = (
        "The published archives contain .AppleDouble and .DS_Store files, which are not videos.",
        "In the official splits a group is a source film and a class. In the folds of a "
        "manifest.csv it is a source film.",
        "Results on folds are not comparable with published results.",
    )

    @classmethod
    def read(cls, folder: Path, split: int | None = None, fold: int | None = None) -> Listing:
        """Reads official split `split`, 1 to 3, or uses one `fold` of a manifest.csv as test split.

        The default is split 1, or fold 0 if there are no lists.
        """
        if split is not None and fold is not None:
            raise ManifestError("data.options has both a split and a fold; give one of them")
        manifests = [place / "manifest.csv" for place in (folder, folder.absolute().parent)]
        there = [file for file in manifests if file.is_file()]
        listed = locate_if_there(folder, *list_patterns(_LISTS, split or 1)) is not None
        if fold is None and (split is not None or listed or not there):
            return read_lists(folder, 1 if split is None else split, _LISTS, "12")
        if not there:
            raise ManifestError(f"data.options.fold = {fold}: no manifest.csv in {folder} or above")
        return _folds(there[0], folder, fold or 0)


def _folds(file: Path, folder: Path, fold: int) -> Listing:
    rows = [(where, row) for where, row in table(file, _COLUMNS) if row["dataset"] == "jhmdb"]
    folds = sorted({row["fold"] for _, row in rows})
    if str(fold) not in folds:
        raise ManifestError(f"data.options.fold = {fold!r}: {file} has the folds {folds}")
    home = file.parent.absolute()
    entries = list(_entries(rows, home, folder.absolute(), str(fold)))
    return Listing.of(sorted({entry.label for entry in entries}), entries)


def _entries(
    rows: list[tuple[str, Mapping[str, str]]], home: Path, folder: Path, fold: str
) -> Iterator[Entry]:
    for where, row in rows:
        path = home / row["file"]
        if not path.is_relative_to(folder):
            raise ManifestError(f"{where}: {row['file']!r} is not below {folder}")
        # A group is written `class/source`. Folds never share a source, not even between classes.
        source = row["group"].rpartition("/")[2]
        part = "test" if row["fold"] == fold else "train"
        yield Entry(path.relative_to(folder).as_posix(), row["label"], part, group=source)


prepare = JHMDB21.prepare
