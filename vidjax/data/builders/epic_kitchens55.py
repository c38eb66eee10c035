"""EPIC-Kitchens-55: egocentric videos of people in their own kitchens."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from vidjax.data.annotations import in_order, locate, number, seconds, table
from vidjax.data.builders.published_videos import Listing, PublishedVideos
from vidjax.data.manifest import Entry, ManifestError
from vidjax.data.video_files import videos_by_stem

_COLUMNS = (
    "participant_id",
    "video_id",
    "start_timestamp",
    "stop_timestamp",
    "verb_class",
    "noun_class",
)
_TARGETS = ("verb", "noun", "action")
_LAST_OF_TRAINING = 25

Row = tuple[str, Mapping[str, str]]


class EpicKitchens55(PublishedVideos):
    """EPIC-Kitchens-55 (Damen et al. 2018): 28,472 labelled segments of 272 videos, 28 kitchens."""

    name = "epic_kitchens55"
    HOMEPAGE = "https://github.com/epic-kitchens/epic-kitchens-55-annotations"
    LAYOUT = """
        EPIC_train_action_labels.csv, EPIC_verb_classes.csv, EPIC_noun_classes.csv, here or in a
        folder such as epic-kitchens-55-annotations/
        whole videos in any folders, such as EPIC_KITCHENS_2018/videos/train/P01/P01_01.MP4
        """
    CLASSES = 125
    VIDEOS = (("train", 28472),)
    # Only training clips are published; some of them are used for validation here.
    WHOLE = 0.7
    TRAPS = (
        "The official test sets have no labels. Of the published training clips, those of "
        "participants P01 to P25 are used for training and the others for validation, as in "
        "Baradel et al. 2018.",
        "Frame numbers in the annotations assume 60 frames per second, which few videos have. "
        "Segments are cut by their times instead.",
        "Segments overlap. If a segment is listed with two labels, the second one is excluded.",
        "There are 125 verbs, 352 nouns, and 2,513 actions, which are verb-noun pairs.",
    )

    @classmethod
    def read(cls, folder: Path, target: str = "verb") -> Listing:
        """Reads the labels of `target`: `verb`, `noun`, or `action`, which is both together."""
        if target not in _TARGETS:
            raise ManifestError(f"data.options.target = {target!r}: must be {', '.join(_TARGETS)}")
        name = "EPIC_train_action_labels.csv"
        annotations = locate(folder, name, f"*/{name}")
        rows = list(table(annotations, _COLUMNS))
        verbs, nouns = (_names(annotations.parent, kind) for kind in ("verb", "noun"))
        pairs = [_pair(row, verbs, nouns) for row in rows]
        names = {
            "verb": [verbs[verb] for verb, _ in pairs],
            "noun": [nouns[noun] for _, noun in pairs],
            "action": [f"{verbs[verb]} {nouns[noun]}" for verb, noun in pairs],
        }
        actions = (f"{verbs[verb]} {nouns[noun]}" for verb, noun in sorted(set(pairs)))
        classes = {"verb": verbs, "noun": nouns, "action": actions}
        return Listing.of(classes[target], _entries(rows, names[target], videos_by_stem(folder)))


def _names(folder: Path, kind: str) -> list[str]:
    """Reads the names of the verbs or nouns in the order of their numbers."""
    file = locate(folder, f"EPIC_{kind}_classes.csv")
    rows = table(file, (f"{kind}_id", "class_key"))
    pairs = (
        (int(number(row[f"{kind}_id"], f"{kind}_id", where)), row["class_key"])
        for where, row in rows
    )
    return in_order(pairs, 0, file)


def _pair(row: Row, verbs: Sequence[str], nouns: Sequence[str]) -> tuple[int, int]:
    where, values = row
    found = []
    for name, known in (("verb_class", verbs), ("noun_class", nouns)):
        index = int(number(values[name], name, where))
        if not 0 <= index < len(known):
            raise ManifestError(f"{where}: {name} {index} is not in the list of {len(known)}")
        found.append(index)
    return found[0], found[1]


def _entries(
    rows: Iterable[Row], labels: Iterable[str], files: Mapping[str, str]
) -> Iterator[Entry]:
    for (where, row), label in zip(rows, labels, strict=True):
        person, video = row["participant_id"], row["video_id"]
        if not (person[:1] == "P" and person[1:].isdecimal()):
            raise ManifestError(f"{where}: participant_id {person!r} does not look like 'P01'")
        split = "train" if int(person[1:]) <= _LAST_OF_TRAINING else "val"
        start = seconds(row["start_timestamp"], "start_timestamp", where)
        end = seconds(row["stop_timestamp"], "stop_timestamp", where)
        path = files.get(video, f"videos/train/{person}/{video}.MP4")
        yield Entry(path, label, split, start, end, group=person)


prepare = EpicKitchens55.prepare
