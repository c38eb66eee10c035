"""Finds the videos of a table's data sets."""

from __future__ import annotations

import csv
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path

from ml_collections import ConfigDict

from vidjax.storage.paths import as_path
from vidjax.storage.writing import make_folder, writing, writing_bytes

from .folds import JHMDB, UT_INTERACTION, Folds

# Real videos whose last fold is for testing.
_LAST_FOLD = {"jhmdb": JHMDB}
# Real videos whose fold for testing is the seed of the run.
_FOLD_OF_SEED = {"jhmdb_folds": JHMDB, "ut_interaction_folds": UT_INTERACTION}
# Data sets that are downloaded and need no folder.
DOWNLOADED = ("cifar100",)
# A tenth of CIFAR-100: 100 training and 50 test pictures of each class.
PICTURES = "cifar100_small"
# One of so many training pictures of a class is set apart for validation.
_VALIDATION = 5


class AbsentError(ValueError):
    """The videos of a data set are not on this machine; the message says where to put them."""


def located(config: ConfigDict, dataset: str, output: Path, data_dir: Path) -> ConfigDict:
    """Sets where the videos and their prepared form are, and returns the configuration.

    Args:
      config: configuration of a row, with the seed of the run.
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
      dataset: `marionette`, which is generated, or a name that begins with `marionette_`; `jhmdb`
        or `cifar100_small`, whose manifests are written to `output`; `jhmdb_folds` or
        `ut_interaction_folds`, where the run of seed s is tested on fold s; or a published data
        set, which `config` names.
      config: configuration of a row, with the seed of the run.
      output: folder for manifests and pictures.

    Raises:
      AbsentError: the videos are not on this machine.
    """
    if reason := absence(dataset, config):
        raise AbsentError(reason)
    if _is_generated(dataset):
        return {"name": "marionette"}
    if dataset == PICTURES:
        manifest = output / PICTURES / "manifest.csv"
        if not manifest.is_file():
            write_pictures(_archive(), manifest)
        return {"name": "video_folder", "manifest": str(manifest), "root": str(manifest.parent)}
    if folds := _folds(dataset):
        last = dataset in _LAST_FOLD
        test = folds.count - 1 if last else config.seed % folds.count
        manifest = output / (f"{dataset}.csv" if last else f"{dataset}-{test}.csv")
        folds.write(clips_folder(), test, manifest)
        root = (clips_folder() / folds.source).parent
        return {"name": "video_folder", "manifest": str(manifest), "root": str(root)}
    return {}


def absence(dataset: str, config: ConfigDict) -> str:
    """Returns why the videos are absent, or an empty text; arguments as in `locate`."""
    if _is_generated(dataset):
        return ""
    folds = _folds(dataset)
    if folds or dataset == PICTURES:
        file = clips_folder() / folds.source if folds else _archive()
        absent = "is absent; set VIDJAX_SHARED to the folder that holds clips/"
        return "" if file.is_file() else f"{dataset}: {file} {absent}"
    if as_path(config.data.manual_dir).exists() or config.data.name in DOWNLOADED:
        return ""
    return (
        f"{dataset}: {config.data.manual_dir} is absent; put your copy there in its published "
        f"layout (vidjax prepare --dataset={config.data.name} --describe)"
    )


def _is_generated(dataset: str) -> bool:
    return dataset.partition("_")[0] == "marionette"


def _folds(dataset: str) -> Folds | None:
    """Returns the folds of real videos; None for other data sets."""
    return (_LAST_FOLD | _FOLD_OF_SEED).get(dataset)


def _archive() -> Path:
    return clips_folder() / f"{PICTURES}.tar"


def clips_folder() -> Path:
    """Returns the folder of real videos, which is in the folder that `VIDJAX_SHARED` names."""
    return Path(os.environ.get("VIDJAX_SHARED", "../shared")).absolute() / "clips"


def write_pictures(archive: Path, manifest: Path) -> None:
    """Unpacks the pictures of an archive, and writes their manifest.

    Every fifth training picture of a class becomes a validation picture.

    Args:
      archive: tar file with `NAME/SPLIT/CLASS/PICTURE`.
      manifest: CSV to write, with the columns path, label, split and group. The pictures go to its
        folder, as `SPLIT-CLASS-PICTURE`.
    """
    rows, seen = [], dict[tuple[str, str], int]()
    make_folder(manifest.parent)
    with tarfile.open(archive) as pictures:
        for member in sorted(filter(tarfile.TarInfo.isfile, pictures), key=lambda each: each.name):
            split, label, name = member.name.split("/")[-3:]
            file = manifest.parent / f"{split}-{label}-{name}"
            content = pictures.extractfile(member)
            assert content
            with writing_bytes(file) as stream:
                stream.write(content.read())
            count = seen[split, label] = seen.get((split, label), 0) + 1
            apart = split == "train" and count % _VALIDATION == 0
            rows.append((file.name, label, "val" if apart else split, file.stem))
    with writing(manifest) as text:
        writer = csv.writer(text)
        writer.writerow(["path", "label", "split", "group"])
        writer.writerows(rows)
