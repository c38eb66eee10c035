"""EGTEA Gaze+: egocentric cooking videos, with three official splits."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from vidjax.data.annotations import in_order, lines, locate
from vidjax.data.builders.published_videos import Listing, PublishedVideos
from vidjax.data.manifest import Entry, ManifestError
from vidjax.data.video_files import videos_by_stem

_CLIP = r"(?P<clip>(?P<session>[^\s-]+-[^\s-]+-[^\s-]+)-\d+-\d+-F\d+-F\d+)"
_LINE = rf"{_CLIP}\s+(?P<action>\d+)(?:\s+\d+)*"
_EXAMPLE = "P21-R04-ContinentalBreakfast-291175-294945-F006979-F007088 1 1 1"


class EGTEAGazePlus(PublishedVideos):
    """EGTEA Gaze+ (Li et al. 2018): 10,321 clips of 106 actions from 86 cooking sessions."""

    name = "egtea_gaze_plus"
    HOMEPAGE = "https://cbs.ic.gatech.edu/fpv"
    LAYOUT = """
        cropped_clips/P21-R04-ContinentalBreakfast/<clip>.mp4, or the clips in any folders
        action_idx.txt, train_split1.txt, test_split1.txt, ... 2, 3, here or in a folder such as
        action_annotation/
        """
    CLASSES = 106
    VIDEOS = (("train", 8299), ("test", 2022))
    TRAPS = (
        "Action numbers start at 1 in the lists and at 0 in the prepared data set.",
        "Clips are used whole. They are slightly longer than the times in their names say.",
        "A group is a session. To hold out validation videos, take whole sessions.",
    )
    LEAKS = (
        "The official splits divide each class, not the sessions. Most sessions are in both train "
        "and test, so that the same kitchen, person and dish are seen in training."
    )

    @classmethod
    def read(cls, folder: Path, split: int = 1) -> Listing:
        """Reads official split number `split`, 1 to 3."""
        if split not in (1, 2, 3):
            raise ManifestError(f"data.options.split = {split!r}: must be 1, 2 or 3")
        actions = locate(folder, "action_idx.txt", "*/action_idx.txt", "*/*/action_idx.txt")
        rows = lines(actions, r"(?P<name>.*\S)\s+(?P<index>\d+)", "Inspect/Read recipe 1")
        names = in_order(((int(match["index"]), match["name"]) for _, match in rows), 1, actions)
        files = videos_by_stem(folder)
        entries: list[Entry] = []
        for part in ("train", "test"):
            file = locate(actions.parent, f"{part}_split{split}.txt")
            entries += _listed(file, part, names, files)
        return Listing.of(names, entries)


def _listed(
    file: Path, part: str, names: Sequence[str], files: Mapping[str, str]
) -> Iterator[Entry]:
    for where, match in lines(file, _LINE, _EXAMPLE):
        action, clip, session = int(match["action"]), match["clip"], match["session"]
        if not 1 <= action <= len(names):
            raise ManifestError(f"{where}: action {action} is not in the list of {len(names)}")
        path = files.get(clip, f"cropped_clips/{session}/{clip}.mp4")
        yield Entry(path, names[action - 1], part, group=session)


prepare = EGTEAGazePlus.prepare
