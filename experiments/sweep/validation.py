"""Which split a sweep chooses on: the validation split where there is one."""

from __future__ import annotations

from vidjax.data.splits import split_name
from vidjax.progress import ProgressLine
from vidjax.run.config import Config, ConfigError
from vidjax.run.experiment import Experiment

VALIDATION = "val"


def choose_split(config: Config, given: str | None, named: bool, progress: ProgressLine) -> str:
    """The split that is scored.

    Args:
      config: of the sweep; its data set is prepared here if it must be known.
      given: the split that the command line names, if it does.
      named: whether the command line sets `eval.split`.
      progress: told how far the preparation is.

    Raises:
      ConfigError: it is the split that is trained on.
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
            f"the split {split!r} is trained on, and says nothing about other videos; name another "
            "--split"
        )
    return split


def caution(split: str) -> str:
    """What to keep in mind about a choice that is made on a split."""
    if split == VALIDATION:
        return (
            f"The combinations are compared on the split `{split}`. The best one's score there is "
            "slightly optimistic, because it was chosen by it; report its score on the test split."
        )
    return (
        f"The combinations are compared on the split `{split}`, for want of a validation split or "
        "because it was asked for. If that is what you report, the best score is optimistic: it "
        "was chosen by these very videos. Set videos apart as the split `val`."
    )


def _has_validation(config: Config, progress: ProgressLine) -> bool:
    experiment = Experiment.open(config, progress.count, training=True)
    try:
        experiment.split(VALIDATION)
    except ValueError:
        return False
    return True
