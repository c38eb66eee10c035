"""Chooses the split that a sweep compares on: the validation split if there is one."""

from __future__ import annotations

from vidjax.data.splits import split_name
from vidjax.progress import ProgressLine
from vidjax.run.config import Config, ConfigError
from vidjax.run.experiment import Experiment

VALIDATION = "val"


def choose_split(config: Config, given: str | None, named: bool, progress: ProgressLine) -> str:
    """Returns the split to compare on.

    Args:
      config: configuration of the sweep; its data set is prepared if its splits must be known.
      given: the split of --split, if any.
      named: whether the command line sets `eval.split`.
      progress: shows how far the preparation is.

    Raises:
      ConfigError: it is the training split.
      ValueError: the data set does not fit.
    """
    if given:
        split = split_name(given)
    elif named or config.eval.split == VALIDATION:
        split = config.eval.split
    else:
        split = VALIDATION if _has_validation(config, progress) else config.eval.split
    if split == config.data.train_split:
        raise ConfigError(
            f"the split {split!r} is used for training and tells nothing about other videos; "
            "name another --split"
        )
    return split


def caution(split: str) -> str:
    """Returns a warning about a choice that is made on a split."""
    if split == VALIDATION:
        return (
            f"The combinations are compared on the split `{split}`. The best score there is "
            "slightly optimistic, because the choice was made by it; report the score on the test "
            "split."
        )
    return (
        f"The combinations are compared on the split `{split}`, because there is no validation "
        "split or because it was asked for. If you report this split, the best score is "
        "optimistic, because the choice was made on the same videos. Set videos apart as the split "
        "`val`."
    )


def _has_validation(config: Config, progress: ProgressLine) -> bool:
    experiment = Experiment.open(config, progress.count, training=True)
    try:
        experiment.split(VALIDATION)
    except ValueError:
        return False
    return True
