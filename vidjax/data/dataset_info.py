"""Reads the description of a prepared data set with a schema of our own.

TFDS imports any class that `features.json` names. Here the files are read as data only, and a data
set that names a class outside TFDS is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec

from vidjax import records
from vidjax.data.dataset_errors import damaged
from vidjax.data.metadata_files import MetadataFiles

INFO, FEATURES, METADATA, LABELS = (
    "dataset_info.json",
    "features.json",
    "metadata.json",
    "label.labels.txt",
)
# Of multi-label data sets.
SEVERAL_LABELS = "labels.labels.txt"
ARRAY_RECORD = "array_record"
# The classes of `tensorflow_datasets.core.features`; a test compares the list with TFDS.
CLASSES = frozenset(
    f"tensorflow_datasets.core.features.{name}"
    for name in (
        "audio_feature.Audio",
        "bounding_boxes.BBoxFeature",
        "class_label_feature.ClassLabel",
        "dataset_feature.Dataset",
        "features_dict.FeaturesDict",
        "image_feature.Image",
        "labeled_image.LabeledImage",
        "scalar.Scalar",
        "sequence_feature.Sequence",
        "tensor_feature.Tensor",
        "text_feature.Text",
        "translation_feature.Translation",
        "translation_feature.TranslationVariableLanguages",
        "video_feature.Video",
    )
)
_NAMING = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
_MOST = 2**32
# These names become file names.
_Name = Annotated[str, msgspec.Meta(pattern=r"\A\w[\w.-]{0,199}\Z")]
_Count = Annotated[int, msgspec.Meta(ge=0, le=_MOST)]
_T = TypeVar("_T")


class UntrustedDataSetError(ValueError):
    """A data set needs code of its own to be read, and is refused."""


class _Camel(msgspec.Struct, rename="camel"):
    """Fields have camelCase names in JSON."""


class _Split(_Camel):
    name: _Name
    shard_lengths: list[_Count] = []
    filepath_template: str = _NAMING


class _Info(_Camel):
    name: _Name
    version: _Name
    splits: list[_Split]
    config_name: str = ""
    file_format: str = ""


class _ClassLabel(_Camel):
    num_classes: Annotated[int, msgspec.Meta(ge=0, le=10**6)] = 0


class _FeaturesDict(_Camel):
    features: dict[str, _Feature] = {}


class _Sequence(_Camel):
    feature: _Feature


class _Feature(_Camel, forbid_unknown_fields=True):
    """A feature as TFDS writes it. Unknown fields are refused, since they could name classes."""

    python_class_name: str
    description: str = ""
    value_range: str = ""
    features_dict: _FeaturesDict | None = None
    sequence: _Sequence | None = None
    class_label: _ClassLabel | None = None
    image: dict[str, Any] | None = None
    tensor: dict[str, Any] | None = None
    text: dict[str, Any] | None = None
    video: dict[str, Any] | None = None
    audio: dict[str, Any] | None = None
    bounding_box: dict[str, Any] | None = None
    translation: dict[str, Any] | None = None

    def classes(self) -> Iterator[str]:
        """Yields the names of all classes in the feature."""
        yield self.python_class_name
        parts = list(self.features_dict.features.values()) if self.features_dict else []
        for part in [*parts, *([self.sequence.feature] if self.sequence else [])]:
            yield from part.classes()


class _Metadata(_Camel):
    manifest: str | None = None
    broken: list[dict[str, str]] = []


@dataclass(frozen=True)
class DatasetInfo:
    """The description of a prepared data set.

    Attributes:
      folder: folder of the data set.
      full_name: name, configuration and version, as TFDS writes them.
      file_format: format of the shards, such as `array_record`.
      splits: (file name, number of records) of each shard, by split.
      features: names of the features of a record.
      classes: class names in the order of their indices.
      multi_label: whether a record may have several labels.
      manifest: digest of the list of videos; None for TFDS's own data sets.
      broken: unreadable videos, as rows with `video`, `label`, `split` and `error`.
    """

    folder: Path
    full_name: str
    file_format: str
    splits: Mapping[str, Sequence[tuple[str, int]]]
    features: frozenset[str]
    classes: tuple[str, ...]
    multi_label: bool
    manifest: str | None
    broken: Sequence[Mapping[str, str]]

    @classmethod
    def read(cls, folder: Path, files: MetadataFiles | None = None) -> DatasetInfo:
        """Reads the description of a folder in TFDS's format.

        Args:
          folder: folder of the data set.
          files: the files of the folder, if they are already listed.

        Raises:
          DamagedError: a file is missing, truncated or malformed.
          UntrustedDataSetError: the data set names a class outside TFDS.
          OSError: a file cannot be read.
        """
        files = files or MetadataFiles(folder)
        info = _decode(files, INFO, _Info)
        top = _decode(files, FEATURES, _Feature)
        for name in top.classes():
            if name not in CLASSES:
                raise UntrustedDataSetError(
                    f"{folder} is refused: {FEATURES} names the class {name[:200]!r}, which is not "
                    "part of TFDS; a data set must not run code of its own"
                )
        features = top.features_dict.features if top.features_dict else {}
        ours = "fps" in features
        several = _each(features.get("labels")) if "label" not in features else None
        label = several or features.get("label")
        there = ours or METADATA in files.there
        metadata = _decode(files, METADATA, _Metadata) if there else _Metadata()
        if (ours and metadata.manifest is None) or not all(map(_is_whole, metadata.broken)):
            raise damaged(folder, f"{METADATA} is truncated or changed")
        return cls(
            folder,
            "/".join(filter(None, (info.name, info.config_name, info.version))),
            info.file_format or "tfrecord",
            {split.name: _shards(folder, info, split) for split in info.splits},
            frozenset(features),
            _classes(files, label, SEVERAL_LABELS if several else LABELS, named=ours),
            several is not None,
            metadata.manifest,
            metadata.broken,
        )


def _is_whole(row: Mapping[str, str]) -> bool:
    return {"video", "label", "split", "error"} <= row.keys()


def _shards(folder: Path, info: _Info, split: _Split) -> list[tuple[str, int]]:
    if split.filepath_template != _NAMING:
        raise damaged(folder, f"{INFO} names its shards in an unknown way")
    stem, count = f"{info.name}-{split.name}.{ARRAY_RECORD}", len(split.shard_lengths)
    return [
        (f"{stem}-{place:05}-of-{count:05}", records)
        for place, records in enumerate(split.shard_lengths)
    ]


def _each(feature: _Feature | None) -> _Feature | None:
    """Returns the class feature inside a list of labels; None if it is no such list."""
    sequence = feature.sequence if feature else None
    return sequence.feature if sequence and sequence.feature.class_label else None


def _classes(
    files: MetadataFiles, label: _Feature | None, file: str, *, named: bool
) -> tuple[str, ...]:
    """Reads the class names; uses the class indices if the names are optional and missing."""
    if label is None or label.class_label is None:
        return ()
    count = label.class_label.num_classes
    if not named and file not in files.there:
        return tuple(map(str, range(count)))
    try:
        lines = files.read(file).decode().split("\n")
    except UnicodeDecodeError:
        raise damaged(files.folder, f"{file} is truncated or changed") from None
    names = [line.strip() for line in lines if line.strip()]
    if len(names) != count or len(set(names)) != count:
        raise damaged(files.folder, f"{file} has {len(set(names))} of {count} class names")
    return tuple(names)


def _decode(files: MetadataFiles, name: str, kind: type[_T]) -> _T:
    try:
        # Protocol Buffers write integers as strings.
        return records.parsed(files.read(name), kind, strict=False)
    except records.RecordError as error:
        raise damaged(
            files.folder, f"{name} is truncated or changed ({str(error)[:200]})"
        ) from None
