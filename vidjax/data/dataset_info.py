"""What a prepared data set says of itself, read by a schema of our own.

TFDS imports whatever class `features.json` names. Here a name in a file chooses nothing: what TFDS
wrote is read as data, and a data set with a class that is none of TFDS's own is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec

from vidjax import records
from vidjax.data.dataset_errors import damaged
from vidjax.data.metadata_files import SmallFiles

INFO, FEATURES, METADATA, LABELS = (
    "dataset_info.json",
    "features.json",
    "metadata.json",
    "label.labels.txt",
)
# Of data sets with several labels a video.
SEVERAL_LABELS = "labels.labels.txt"
ARRAY_RECORD = "array_record"
# The classes of `tensorflow_datasets.core.features`, whole names: a test compares them with TFDS.
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
# Names become names of files.
_Name = Annotated[str, msgspec.Meta(pattern=r"\A\w[\w.-]{0,199}\Z")]
_Count = Annotated[int, msgspec.Meta(ge=0, le=_MOST)]
_T = TypeVar("_T")


class ForeignError(ValueError):
    """A data set that only code of its own could read."""


class _Camel(msgspec.Struct, rename="camel"):
    """Names are written as JSON has them."""


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
    """As TFDS writes it. What is not here could name classes in ways of its own."""

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
        """Names of all classes in it."""
        yield self.python_class_name
        parts = list(self.features_dict.features.values()) if self.features_dict else []
        for part in [*parts, *([self.sequence.feature] if self.sequence else [])]:
            yield from part.classes()


class _Metadata(_Camel):
    manifest: str | None = None
    broken: list[dict[str, str]] = []


@dataclass(frozen=True)
class Description:
    """What a prepared data set is.

    Attributes:
      folder: where it lies.
      full_name: name, configuration and version, as TFDS writes them.
      file_format: of its shards, such as `array_record`.
      splits: of each split, the names of its shards and how many records each holds.
      features: names of what a record holds.
      classes: class names, index by index.
      multi_label: whether a record may have several.
      manifest: stands for the list of videos; None where the data set is TFDS's own.
      broken: what could not be read, as rows with `video`, `label`, `split` and `error`.
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
    def read(cls, folder: Path, files: SmallFiles | None = None) -> Description:
        """That of a folder that TFDS wrote.

        Args:
          folder: of the data set.
          files: those of the folder, where they were looked at already.

        Raises:
          DamagedError: a file of it is absent, cut short, or not what it should be.
          ForeignError: it names classes that are none of TFDS's own.
          OSError: a file cannot be read.
        """
        files = files or SmallFiles(folder)
        info = _decode(files, INFO, _Info)
        top = _decode(files, FEATURES, _Feature)
        for name in top.classes():
            if name not in CLASSES:
                raise ForeignError(
                    f"{folder} is refused: {FEATURES} names the class {name[:200]!r}, which is "
                    "none of TFDS's own, and a data set must not bring code"
                )
        features = top.features_dict.features if top.features_dict else {}
        ours = "fps" in features
        several = _each(features.get("labels")) if "label" not in features else None
        label = several or features.get("label")
        there = ours or METADATA in files.there
        metadata = _decode(files, METADATA, _Metadata) if there else _Metadata()
        if (ours and metadata.manifest is None) or not all(map(_is_whole, metadata.broken)):
            raise damaged(folder, f"{METADATA} is cut short or changed")
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
    """The class of each of several labels; None where that is no list of classes."""
    sequence = feature.sequence if feature else None
    return sequence.feature if sequence and sequence.feature.class_label else None


def _classes(
    files: SmallFiles, label: _Feature | None, file: str, *, named: bool
) -> tuple[str, ...]:
    """Names of the classes; their numbers where they need no names and have none."""
    if label is None or label.class_label is None:
        return ()
    count = label.class_label.num_classes
    if not named and file not in files.there:
        return tuple(map(str, range(count)))
    try:
        lines = files.read(file).decode().split("\n")
    except UnicodeDecodeError:
        raise damaged(files.folder, f"{file} is cut short or changed") from None
    names = [line.strip() for line in lines if line.strip()]
    if len(names) != count or len(set(names)) != count:
        raise damaged(files.folder, f"{file} names {len(set(names))} of {count} classes")
    return tuple(names)


def _decode(files: SmallFiles, name: str, kind: type[_T]) -> _T:
    try:
        # Protocol Buffers write whole numbers as texts.
        return records.parsed(files.read(name), kind, strict=False)
    except records.RecordError as error:
        raise damaged(
            files.folder, f"{name} is cut short or changed ({str(error)[:200]})"
        ) from None
