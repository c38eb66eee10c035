"""Classifies features with a linear probe or nearest neighbours, and prints the accuracy.

It trains on one split of a file that `vidjax features` wrote, predicts another split, and prints
top-1, top-5 and the accuracy of each class. With --output it also writes an evaluation (scores,
predictions, confusions), which `vidjax compare` can compare with another one.

Examples:
  vidjax probe --features=features.npz
  vidjax probe --features=features.npz --method=knn --k=10 --output=probes/knn
  vidjax probe --features=train.h5 --test=test.h5
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from vidjax.evaluation import knn, linear_probe, metrics
from vidjax.evaluation.linear_probes import STRENGTHS, LinearProbe
from vidjax.evaluation.probe_result import ProbeResult
from vidjax.evaluation.report import write_report
from vidjax.storage.paths import as_path
from vidjax.storage.writing import is_there
from vidjax.terminal import say, table
from vidjax.trained.feature_files.files import read_features
from vidjax.trained.feature_files.table import Features
from vidjax.untrusted_names import printable

from . import command_line, help_text

_FEATURES = flags.DEFINE_string("features", None, "FILE: File that `vidjax features` wrote.")
_TEST = flags.DEFINE_string("test", None, "FILE: File with the test split, if it is another one.")
_TRAIN_SPLIT = flags.DEFINE_string("train_split", "train", "SPLIT: Split to train on.")
_TEST_SPLIT = flags.DEFINE_string("test_split", "test", "SPLIT: Split to predict.")
_METHOD = flags.DEFINE_enum(
    "method", "linear", ("linear", "knn"), "Linear probe, or k nearest neighbours."
)
_C = flags.DEFINE_float(
    "C",
    None,
    "Inverse strength of the linear probe's regularisation. By default cross-validated.",
    1e-12,
    1e12,
)
_K = flags.DEFINE_integer("k", 20, "Number of neighbours that vote.", 1)
_TEMPERATURE = flags.DEFINE_float(
    "temperature", 0.07, "Temperature of the weights of the neighbours' votes.", 1e-3, 1e3
)
_OUTPUT = flags.DEFINE_string("output", None, "FOLDER: New folder for the evaluation.")
flags.mark_flag_as_required("features")
help_text.group("Features", _FEATURES, _TEST, _TRAIN_SPLIT, _TEST_SPLIT)
help_text.group("Classifier", _METHOD, _C, _K, _TEMPERATURE)
help_text.group("Output", _OUTPUT)
# Facts that two files must share for their features to be comparable.
_ALIKE = ("network", "weights_crc32", "layer")


def main() -> None:
    """Classifies, prints and writes."""
    train, test = _parts()
    folder = as_path(_OUTPUT.value) if _OUTPUT.value else None
    if folder and is_there(folder):
        raise ValueError(f"--output={folder} exists already; name another folder")
    given = train.features, train.label, test.features, test.label
    if _METHOD.value == "knn":
        found: ProbeResult = knn(*given, k=_K.value, temperature=_TEMPERATURE.value)
    else:
        strengths = STRENGTHS if _C.value is None else (_C.value,)
        found = linear_probe(*given, groups=_groups(train), strengths=strengths)
    _print(found, train, test)
    if folder:
        for file in _write(folder, found, test):
            say(f"  {file}")


def _parts() -> tuple[Features, Features]:
    """Returns the rows to train on and the rows to predict.

    Raises:
      ValueError: there are none, some have no label, or two networks made them.
    """
    first = read_features(_FEATURES.value)
    second = read_features(_TEST.value) if _TEST.value else first
    for name in _ALIKE:
        here, there = first.about.get(name), second.about.get(name)
        if here != there:
            raise ValueError(
                f"{_FEATURES.value} has {name} = {here}, {_TEST.value} has {there}: extract both "
                "with the same weights and layer"
            )
    for file, part in ((_FEATURES.value, first), (_TEST.value or _FEATURES.value, second)):
        if part.about.get("multi_label"):
            raise ValueError(
                f"{file} has videos with several labels, and a probe needs one label per video: "
                "fine-tune the network with data.multi_label=True instead"
            )
    parts = first.of_split(_TRAIN_SPLIT.value), second.of_split(_TEST_SPLIT.value)
    for name, part in zip((_TRAIN_SPLIT.value, _TEST_SPLIT.value), parts, strict=True):
        if bare := [
            video for video, label in zip(part.video, part.label, strict=True) if not label
        ]:
            raise ValueError(
                f"split {name} has {len(bare)} features without a label, such as those of "
                f"{printable(bare[0])}"
            )
    return parts


def _groups(train: Features) -> np.ndarray | None:
    """Returns the group of each row (person or source), or else its video; None if all differ."""
    groups = np.where(train.group == "", train.video, train.group)
    return groups if len(np.unique(groups)) < len(groups) else None


def _print(found: ProbeResult, train: Features, test: Features) -> None:
    truth, classes = _indices(found, test), found.classes.tolist()
    matrix = metrics.confusion(found.scores.argmax(axis=1), truth, len(classes))
    rows = [
        (name, f"{share:.1%}", count)
        for name, share, count in zip(
            classes, metrics.per_class(matrix), matrix.sum(axis=1), strict=True
        )
        if count
    ]
    table(None, ("class", "right", "features"), rows)
    say(
        f"{_METHOD.value}: top-1 {found.top1:.1%}, top-5 {found.top5:.1%} of {len(test)} features, "
        f"trained on {len(train)} (chance {found.chance:.1%})"
    )
    if isinstance(found, LinearProbe) and not np.isnan(found.validated):
        say(f"C = {found.c:g}, by cross-validation in training (top-1 {found.validated:.1%} there)")


def _indices(found: ProbeResult, test: Features) -> np.ndarray:
    return np.searchsorted(found.classes, test.label)


def _write(folder: Path, found: ProbeResult, test: Features) -> list[Path]:
    facts: dict[str, Any] = {"method": _METHOD.value, "step": 0, "features": dict(test.about)}
    if isinstance(found, LinearProbe):
        facts["C"] = found.c
    return write_report(
        folder / "eval",
        f"{_TEST_SPLIT.value}-probe-step0",
        videos=_names(test),
        scores=found.scores,
        labels=_indices(found, test),
        classes=found.classes.tolist(),
        facts=facts,
    )


def _names(test: Features) -> list[str]:
    """Returns a name for each row: the video, with the seconds if the video has several rows."""
    videos = test.video.tolist()
    if len(set(videos)) == len(videos):
        return videos
    rows = zip(videos, test.start, test.end, strict=True)
    return [f"{video}@{start:g}-{end:g}" for video, start, end in rows]


if __name__ == "__main__":
    command_line.run(main, __doc__)
