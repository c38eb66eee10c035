"""Mini-Kinetics-200: the subset of Kinetics-400 given by two lists of video ids."""

from collections.abc import Iterator
from pathlib import Path

from vidjax.data.annotations import lines, locate
from vidjax.data.builders.kinetics import Kinetics, kinetics_entries
from vidjax.data.builders.published_videos import Listing
from vidjax.data.manifest import Entry, Exclusion
from vidjax.data.video_files import videos_by_stem


class MiniKinetics200(Kinetics):
    """Mini-Kinetics-200 (Xie et al. 2018): 400 training and 25 validation clips per class."""

    name = "mini_kinetics200"
    HOMEPAGE = "https://github.com/s9xie/Mini-Kinetics-200"
    LAYOUT = f"""{Kinetics.LAYOUT.rstrip()}
        train_ytid_list.txt, val_ytid_list.txt beside them, one video id per line
        """
    CLASSES = 200
    VIDEOS = (("train", 80000), ("val", 5000))
    TRAPS = (
        *Kinetics.TRAPS,
        "The videos and the CSVs with labels and times are those of Kinetics-400.",
        "Newer CSVs of Kinetics-400 lack some of the listed ids; excluded.csv names them.",
        "Some papers use the name Mini-Kinetics for all Kinetics-400 clips of 200 classes (121,215 "
        "for training). That is another data set.",
    )

    @classmethod
    def read(cls, folder: Path) -> Listing:
        """Reads the listed part of Kinetics-400's training and validation splits."""
        files = videos_by_stem(folder, prefer="replacement")
        entries: list[Entry] = []
        unknown: list[Exclusion] = []
        for split in ("train", "val"):
            known: dict[str, list[Entry]] = {}
            for entry in kinetics_entries(folder, split, files):
                known.setdefault(entry.group, []).append(entry)
            for video in _ids(folder, split):
                entries += known.get(video, [])
                if video not in known:
                    reason = f"{video} is not in the {split} list of Kinetics-400"
                    unknown.append(Exclusion(Entry(video, "", split, group=video), reason))
        return Listing.of(sorted({entry.label for entry in entries}), entries, unknown)


def _ids(folder: Path, split: str) -> Iterator[str]:
    name = f"{split}_ytid_list.txt"
    file = locate(folder, name, f"*/{name}")
    return (match[0] for _, match in lines(file, r"[\w-]{11}", "---QUuC4vJs"))


prepare = MiniKinetics200.prepare
