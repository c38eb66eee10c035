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

# The folds of jhmdb share no source video; the last one is the test set.
TEST_FOLD = "3"
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
      dataset: `marionette`, which is generated, or a name that begins with `marionette_`; `jhmdb`
        or `cifar100_small`, whose manifests are written to `output`; or a published data set, which
        `config` names.
      config: configuration of a row.
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
    if dataset == "jhmdb":
        manifest = output / "jhmdb.csv"
        write_folds(_clips_list(), manifest)
        root = str(_clips_list().parent)
        return {"name": "video_folder", "manifest": str(manifest), "root": root}
    return {}


def absence(dataset: str, config: ConfigDict) -> str:
    """Returns why the videos are absent, or an empty text; arguments as in `locate`."""
    if _is_generated(dataset):
        return ""
    if dataset in ("jhmdb", PICTURES):
        file = _clips_list() if dataset == "jhmdb" else _archive()
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


def _clips_list() -> Path:
    return clips_folder() / "manifest.csv"


def _archive() -> Path:
    return clips_folder() / f"{PICTURES}.tar"


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
