"""Diving-48: competitive dives that differ only in their motion."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from vidjax.data.annotations import in_order, json_list, locate, objects
from vidjax.data.builders.published_videos import Listing, PublishedVideos
from vidjax.data.manifest import Entry, ManifestError
from vidjax.data.video_files import videos_by_stem

_LISTS = {1: "Diving48_{}.json", 2: "Diving48_V2_{}.json"}


class Diving48(PublishedVideos):
    """Diving-48 (Li et al. 2018): 16,997 dives of 48 classes, with the labels corrected in 2020."""

    name = "diving48"
    HOMEPAGE = "http://www.svcl.ucsd.edu/projects/resound/dataset.html"
    LAYOUT = """
        rgb/-mmq0PT-u8k_00155.mp4, ..., or the videos in any other folder
        Diving48_vocab.json, Diving48_V2_train.json, Diving48_V2_test.json, here or in a folder
        (Diving48_train.json and Diving48_test.json are the first version)
        """
    CLASSES = 48
    VIDEOS = (("train", 15027), ("test", 1970))
    TRAPS = (
        "The labels of version 1 are noisy. Do not compare its results with those of version 2.",
        "Clips are used whole, because end_frame is wrong for some of them.",
        "A group is one competition video: the first 11 characters of a clip's name.",
    )

    @classmethod
    def read(cls, folder: Path, version: int = 2) -> Listing:
        """Reads one version's lists. Labels are takeoff+somersaults+twists+position."""
        if version not in _LISTS:
            raise ManifestError(f"data.options.version = {version!r}: must be 1 or 2")
        vocabulary = locate(folder, "Diving48_vocab.json", "*/Diving48_vocab.json")
        names = ["+".join(map(str, parts)) for parts in json_list(vocabulary)]
        classes = in_order(enumerate(names), 0, vocabulary)
        files = videos_by_stem(folder)
        entries: list[Entry] = []
        for part in ("train", "test"):
            name = _LISTS[version].format(part)
            entries += _listed(locate(folder, name, f"*/{name}"), part, classes, files)
        return Listing.of(classes, entries)


def _listed(
    file: Path, part: str, classes: Sequence[str], files: Mapping[str, str]
) -> Iterator[Entry]:
    for where, row in objects(file, ("vid_name", "label")):
        video, label = str(row["vid_name"]), row["label"]
        if not (isinstance(label, int) and 0 <= label < len(classes)):
            raise ManifestError(f"{where}: label {label!r} is not one of 0 to {len(classes) - 1}")
        path = files.get(video, f"rgb/{video}.mp4")
        yield Entry(path, classes[label], part, group=video[:11])


prepare = Diving48.prepare
