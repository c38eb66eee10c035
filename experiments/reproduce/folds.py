"""Real videos in folds: a fold is for testing, and the others are for training.

Clips of one source, such as a film or a filmed sequence, are always in one fold.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from vidjax.storage.writing import make_folder, writing

_Line = Mapping[str, str]


@dataclass(frozen=True)
class Folds:
    """How a list of clips is cut into folds.

    Attributes:
      source: CSV in the folder of real videos; its paths are relative to its own folder.
      path: column with the path.
      count: number of folds.
      fold: takes a line of the list and returns its fold; None leaves the clip out.
    """

    source: str
    path: str
    count: int
    fold: Callable[[_Line], int | None]

    def write(self, folder: Path, test: int, manifest: Path) -> None:
        """Writes a manifest with the columns path, label, split and group.

        Args:
          folder: folder of real videos.
          test: fold for testing.
          manifest: CSV to write.
        """
        with (folder / self.source).open(newline="", encoding="utf-8") as stream:
            clips = [(self.fold(line), line) for line in csv.DictReader(stream)]
        make_folder(manifest.parent)
        with writing(manifest) as text:
            writer = csv.writer(text)
            writer.writerow(["path", "label", "split", "group"])
            for fold, line in clips:
                if fold is not None:
                    split = "test" if fold == test else "train"
                    writer.writerow([line[self.path], line["label"], split, line["group"]])


def _of_jhmdb(line: _Line) -> int | None:
    return int(line["fold"]) if line["dataset"] == "jhmdb" else None


def _of_ut_interaction(line: _Line) -> int:
    """Puts sequences 1 and 2 into fold 0, 3 and 4 into fold 1, and so on."""
    return (int(line["group"].removeprefix("set1/seq")) - 1) // 2


JHMDB = Folds("manifest.csv", "file", 4, _of_jhmdb)
UT_INTERACTION = Folds("ut_interaction/manifest.csv", "path", 5, _of_ut_interaction)
