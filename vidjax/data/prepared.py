"""Reading a prepared data set: random access to videos whose frames are still JPEG."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from vidjax.data.transforms import decode_jpeg

# What names a video, and a picture in TFDS's own data sets.
_NAMES = ("video", "file_name", "id")


@dataclass(frozen=True)
class Record:
    """One video as stored.

    Attributes:
      jpegs: its frames, encoded, index 0 the first.
      label: class index.
      name: the video's name in its manifest.
      fps: frames a second.
    """

    jpegs: Sequence[bytes]
    label: int
    name: str
    fps: float

    def decode(self, indices: np.ndarray) -> np.ndarray:
        """Decodes the frames at `indices` [T] to uint8 `[T, H, W, 3]`; index -1 is black.

        Raises:
          ValueError: a stored frame is not a readable JPEG, or sizes differ within the video.
        """
        wanted = sorted({int(index) for index in indices if index >= 0})
        frames = {index: decode_jpeg(self.jpegs[index]) for index in wanted}
        black = np.zeros_like(next(iter(frames.values())))
        return np.stack([frames[int(i)] if i >= 0 else black for i in indices])


class VideoSource(Protocol):
    """A split: random access to videos, with its class names and what was unreadable.

    Attributes:
      classes: class names, index by index.
      manifest_digest: stands for the list of videos.
      broken: what could not be read, as rows with `video`, `label` and `error`.
    """

    classes: tuple[str, ...]
    manifest_digest: str
    broken: Sequence[Mapping[str, str]]

    def __len__(self) -> int:
        """Number of videos."""
        ...

    def __getitem__(self, index: int) -> Record:
        """One video."""
        ...


class PreparedSplit:
    """A split of a prepared data set as a random-access source of `Record`s.

    Pictures, which TFDS's own data sets have in place of frames, are videos of one frame, one
    frame a second.

    Args:
      directory: the folder that TFDS wrote, with `dataset_info.json`.
      split: name of the split, such as `train`; `val` is also what TFDS calls `validation`.

    Raises:
      ValueError: no prepared data set is there, or it has no such split, or no labels in it.
    """

    def __init__(self, directory: str | Path, split: str) -> None:
        builder = _open(directory)
        named = _name_in(builder.info.splits, split)
        if named is None:
            raise ValueError(
                f"data set {builder.info.full_name} has no split {split!r}; "
                f"it has {sorted(builder.info.splits)}"
            )
        features = builder.info.features
        self._frames = "frames" if "frames" in features else "image"
        self._source = builder.as_data_source(split=named, decoders={self._frames: _keep_jpegs()})
        self._name = next((name for name in _NAMES if name in features), "")
        self._prefix = f"{directory}:{split}"
        if len(self._source) and int(self._source[0]["label"]) < 0:
            raise ValueError(f"split {split!r} of {builder.info.full_name} has no labels")
        self.classes = tuple(features["label"].names)
        metadata = builder.info.metadata or {}
        self.manifest_digest = str(metadata.get("manifest", builder.info.full_name))
        self.broken: Sequence[Mapping[str, str]] = [
            row for row in metadata.get("broken", []) if row["split"] == split
        ]

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, index: int) -> Record:
        example = self._source[int(index)]
        frames = example[self._frames]
        return Record(
            jpegs=[frames] if self._frames == "image" else frames,
            label=int(example["label"]),
            name=example[self._name].decode() if self._name else str(index),
            fps=float(example.get("fps", 1.0)),
        )

    def __repr__(self) -> str:
        """Names the content, not the object: grain compares it when a run resumes."""
        return f"PreparedSplit({self._prefix})"


def _open(directory: str | Path) -> Any:
    import tensorflow_datasets as tfds

    if not (Path(directory) / "dataset_info.json").is_file():
        raise ValueError(f"no prepared data set at {str(directory)!r}: dataset_info.json is absent")
    return tfds.builder_from_directory(str(directory))


def _name_in(splits: Collection[str], split: str) -> str | None:
    names = (split, "validation") if split == "val" else (split,)
    return next((name for name in names if name in splits), None)


def _keep_jpegs() -> Any:
    """A TFDS decoder that leaves a sequence of images encoded, in TFDS's NumPy path too."""
    import tensorflow_datasets as tfds

    class KeepEncoded(type(tfds.decode.SkipDecoding())):  # type: ignore[misc]
        def decode_batch_example_np(self, serialized: Any) -> Any:
            return serialized

    return KeepEncoded()
