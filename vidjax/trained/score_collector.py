"""Collects all scores of predictions, video by video, and writes them as one file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vidjax.data.decode_jobs import video_name
from vidjax.data.manifest import Entry
from vidjax.evaluation.score_files import SUFFIX, ScoresError, ScoreTable, write_scores
from vidjax.storage.writing import refuse_there
from vidjax.trained.predicting import WindowPrediction
from vidjax.trained.prediction import Prediction
from vidjax.trained.trained_network import Trained
from vidjax.untrusted_names import printable


class ScoreCollector:
    """Scores to be written as a file of `vidjax.evaluation.score_files`.

    Args:
      file: the file to write at the end.

    Raises:
      ScoresError: its suffix is not `.npz`.
      FileExistsError: the file exists already.
    """

    def __init__(self, file: Path) -> None:
        if file.suffix != SUFFIX:
            raise ScoresError(
                f"--scores={printable(str(file))}: the file of scores must end in .npz"
            )
        refuse_there(file)
        self._file = file
        self._names: list[str] = []
        self._labels: list[str] = []
        self._scores: list[np.ndarray] = []
        self._splits: set[str] = set()

    def add(self, entry: Entry, prediction: Prediction) -> None:
        """Adds the prediction for a video or a piece of it."""
        self._keep(video_name(entry), entry.label, prediction)
        self._splits.add(entry.split)

    def passing(self, video: Path, found: Iterator[WindowPrediction]) -> Iterator[WindowPrediction]:
        """Adds the prediction for each window of a video, and passes it on."""
        for window in found:
            self._keep(f"{video}@{window.start:.3f}-{window.end:.3f}", "", window)
            yield window

    def _keep(self, name: str, label: str, prediction: Prediction) -> None:
        self._names.append(name)
        self._labels.append(label)
        self._scores.append(np.asarray(prediction.probabilities, np.float32))

    def write(self, trained: Trained) -> Path:
        """Writes the file and returns its path.

        Raises:
          FileExistsError: somebody else has created the file meanwhile.
          OSError: the file cannot be written.
        """
        seen = trained.preprocessing
        about = {
            "network": trained.name,
            "weights": printable(trained.source),
            "multi_label": trained.multi_label,
            "views": {
                "clips": trained.clips,
                "crops": trained.crops,
                "size": seen.size,
                "frames": seen.frames,
                "stride": seen.stride,
                "sampling": seen.sampling,
            },
        }
        split = self._splits.pop() if len(self._splits) == 1 else ""
        table = ScoreTable.of(
            self._names, np.stack(self._scores), trained.labels, self._labels, split, about
        )
        refuse_there(self._file)
        write_scores(self._file, table)
        return self._file
