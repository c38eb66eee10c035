"""HACS Clips: two-second clips of untrimmed videos, each a positive or negative of its class."""

from collections.abc import Mapping
from pathlib import Path

from vidjax.data.annotations import locate, number, table
from vidjax.data.builders.published_videos import Listing, PublishedVideos
from vidjax.data.manifest import Entry, ManifestError
from vidjax.data.splits import split_name
from vidjax.data.video_files import videos_by_stem

_COLUMNS = ("classname", "youtube_id", "subset", "start", "end", "label")
_SHOWN, _NOT_SHOWN = "1", "-1"
# The class of negative clips.
NONE = "none of them"


class HACS(PublishedVideos):
    """HACS Clips v1.1.1 (Zhao et al. 2019): 1.55 million clips of 2 s from 504,000 videos."""

    name = "hacs"
    HOMEPAGE = "http://hacs.csail.mit.edu"
    LAYOUT = """
        HACS_v1.1.1/HACS_clips_v1.1.1.csv: classname,youtube_id,subset,start,end,label
        whole videos in any folders, such as Archery/v_a2X2hz1G6i8.mp4 or a2X2hz1G6i8.mp4
        """
    CLASSES = 200
    VIDEOS = (("train", 1509478), ("val", 20245))
    # About a third of the clips are positives.
    WHOLE = 0.2
    TRAPS = (
        "Whole videos are published. Clips are cut here by their start and end in seconds.",
        "Label -1 only says that a clip does not show its class. About two thirds of the clips are "
        f"such negatives. data.options.negatives=true includes them as a class {NONE!r}. A "
        "negative that is a positive of another class is listed only under that class.",
        "Testing clips without labels are excluded.",
    )

    @classmethod
    def read(cls, folder: Path, negatives: bool = False) -> Listing:
        """Reads the positive clips, and with `negatives` also the negatives, grouped by video."""
        file = locate(folder, "HACS_clips*.csv", "*/HACS_clips*.csv")
        files = videos_by_stem(folder)
        shown: list[Entry] = []
        others: list[Entry] = []
        classes: set[str] = set()
        for where, row in table(file, _COLUMNS):
            classes.add(row["classname"])
            if _labelled(row, where):
                (shown if row["label"] == _SHOWN else others).append(_entry(row, files, where))
        if not negatives:
            return Listing.of(sorted(classes), shown)
        # Positives first: a clip's second listing is excluded.
        return Listing.of([*sorted(classes), NONE], [*shown, *others])


def _labelled(row: Mapping[str, str], where: str) -> bool:
    if row["label"] in (_SHOWN, _NOT_SHOWN):
        return True
    if split_name(row["subset"]) == "test":
        return False
    raise ManifestError(f"{where}: label {row['label']!r} must be 1 or -1")


def _entry(row: Mapping[str, str], files: Mapping[str, str], where: str) -> Entry:
    split = split_name(row["subset"])
    if split not in ("train", "val", "test"):
        raise ManifestError(f"{where}: subset {row['subset']!r}: training, validation or testing")
    video, label = row["youtube_id"], row["classname"]
    start, end = (number(row[name], name, where) for name in ("start", "end"))
    missing = f"{label.replace(' ', '_')}/v_{video}.mp4"
    path = files.get(f"v_{video}") or files.get(video) or missing
    label = label if row["label"] == _SHOWN else NONE
    return Entry(path, label, split, start, end, group=video)


prepare = HACS.prepare
