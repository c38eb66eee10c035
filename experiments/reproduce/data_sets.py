"""Finds the videos of a table's data sets."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from pathlib import Path

from ml_collections import ConfigDict

from vidjax.storage.paths import as_path
from vidjax.storage.writing import make_folder, writing

# The folds of jhmdb share no source video; the last one is the test set.
TEST_FOLD = "3"
# Data sets that are downloaded and need no folder.
DOWNLOADED = ("cifar100",)


class AbsentError(ValueError):
    """The videos of a data set are not on this machine; the message says where to put them."""


def located(config: ConfigDict, dataset: str, output: Path, data_dir: Path) -> ConfigDict:
    """Sets where the videos and their prepared form are, and returns the configuration.

    Args:
      config: configuration of a row.
      dataset: as in `locate`.
      output: folder for manifests.
      data_dir: folder of prepared data sets.

    Raises:
      AbsentError: the videos are not on this machine.
    """
    config.data.data_dir = str(data_dir)
    config.data.update(locate(dataset, config, output))
    return config


def locate(dataset: str, config: ConfigDict, output: Path) -> Mapping[str, str]:
    """Returns the settings of `config.data` that locate a data set.

    Args:
      dataset: `marionette`, which is generated; `jhmdb`, whose manifest is written to `output`; or
        a published data set, which `config` names.
      config: configuration of a row.
      output: folder for the manifest.

    Raises:
      AbsentError: the videos are not on this machine.
    """
    if reason := absence(dataset, config):
        raise AbsentError(reason)
    if dataset == "marionette":
        return {"name": "marionette"}
    if dataset == "jhmdb":
        manifest = output / "jhmdb.csv"
        write_folds(_clips_list(), manifest)
        root = str(_clips_list().parent)
        return {"name": "video_folder", "manifest": str(manifest), "root": root}
    return {}


def absence(dataset: str, config: ConfigDict) -> str:
    """Returns why the videos are absent, or an empty text; arguments as in `locate`."""
    if dataset == "marionette":
        return ""
    if dataset == "jhmdb":
        absent = "is absent; set VIDJAX_SHARED to the folder that holds clips/"
        return "" if _clips_list().is_file() else f"jhmdb: {_clips_list()} {absent}"
    if as_path(config.data.manual_dir).exists() or config.data.name in DOWNLOADED:
        return ""
    return (
        f"{dataset}: {config.data.manual_dir} is absent; put your copy there in its published "
        f"layout (vidjax prepare --dataset={config.data.name} --describe)"
    )


def _clips_list() -> Path:
    return clips_folder() / "manifest.csv"


def clips_folder() -> Path:
    """Returns the folder of real videos, which is in the folder that `VIDJAX_SHARED` names."""
    return Path(os.environ.get("VIDJAX_SHARED", "../shared")).absolute() / "clips"


def write_folds(source: Path, manifest: Path) -> None:
    """Writes the jhmdb clips of a list as a manifest: folds 0 to 2 for training, 3 for testing.

    Args:
      source: CSV with the columns file, label, group, dataset and fold.
      manifest: CSV to write, with the columns path, label, split and group.
    """
    with source.open(newline="", encoding="utf-8") as stream:
        clips = [clip for clip in csv.DictReader(stream) if clip["dataset"] == "jhmdb"]
    make_folder(manifest.parent)
    with writing(manifest) as stream:
        writer = csv.writer(stream)
        writer.writerow(["path", "label", "split", "group"])
        for clip in clips:
            split = "test" if clip["fold"] == TEST_FOLD else "train"
            writer.writerow([clip["file"], clip["label"], split, clip["group"]])
