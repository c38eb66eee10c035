"""Converted weights on disk: an orbax checkpoint and the facts needed to use it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import jax
import msgspec
import orbax.checkpoint as ocp

from vidjax import records
from vidjax.array_paths import check_array_path
from vidjax.array_validation import ArrayFilesError, check_arrays
from vidjax.convert.loading import Converted, shapes
from vidjax.models.model_list import model_card
from vidjax.models.registry import current_options
from vidjax.settings import shown
from vidjax.storage.local_copies import local_folder_copy, new_folder
from vidjax.storage.paths import is_url

ARRAYS, FACTS = "variables", "model.json"
_ANEW = "convert the weights again with vidjax convert"
Colour = Annotated[float, msgspec.Meta(ge=-1000, le=1000)]
Spread = Annotated[float, msgspec.Meta(gt=0, le=1000)]
# Clips longer or larger than any network's are refused.
Length = Annotated[int, msgspec.Meta(ge=1, le=10_000)]


class _Preprocessing(msgspec.Struct):
    mean: tuple[Colour, Colour, Colour]
    std: tuple[Spread, Spread, Spread]
    clip: tuple[Length, Length, Length]
    frame_stride: Length


class _Facts(msgspec.Struct):
    name: records.Name
    options: dict[str, Any]
    num_classes: Annotated[int, msgspec.Meta(ge=1, le=2**24)]
    preprocessing: _Preprocessing
    source: records.Name
    # Older folders do not list their classes.
    classes: list[records.Name] | None = None


@dataclass(frozen=True)
class Weights:
    """The weights of a folder; their arrays are not read until `variables()` is called.

    Attributes:
      directory: the folder.
      name: name of the network, as in `list_models()`.
      options: for `create_model`, besides the number of classes.
      num_classes: classes of the classifier.
      mean: mean of red, green and blue in [0, 1], as in training.
      std: standard deviation of red, green and blue in [0, 1].
      clip: frames, height and width of the clips it was trained on.
      frame_stride: distance between neighbouring frames of a clip, in frames of the video.
      source: origin of the weights.
      classes: names of the classes, in the order of the logits; None if unknown.
    """

    directory: Path
    name: str
    options: dict[str, Any]
    num_classes: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    clip: tuple[int, int, int]
    frame_stride: int
    source: str
    classes: tuple[str, ...] | None = None

    def variables(self) -> dict[str, Any]:
        """Reads `{"params": ..., "batch_stats": ...}` as NumPy arrays.

        Raises:
          ValueError: the checkpoint is damaged, or belongs to another network than the folder
            states.
        """
        with local_folder_copy(self.directory.absolute() / ARRAYS) as path:
            return self._read(path)

    def _read(self, path: Path) -> dict[str, Any]:
        try:
            check_arrays(path, self._shapes())
        except ArrayFilesError as error:
            raise ValueError(f"the weights in {path} cannot be read ({error}): {_ANEW}") from None
        try:
            with ocp.PyTreeCheckpointer() as checkpointer:
                read: dict[str, Any] = checkpointer.restore(path)
        # Orbax raises whatever its readers raise on damaged files, even a bare Exception.
        except Exception as error:
            raise ValueError(f"the weights in {path} cannot be read: {_ANEW}") from error
        for name in ("params", "batch_stats"):
            if not isinstance(read, dict) or not isinstance(read.get(name), dict):
                raise ValueError(f"the weights in {path} are damaged ({name!r} is absent): {_ANEW}")
        return read

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        """Returns the array shapes of the network that the folder names."""
        try:
            found = shapes(self.name, self.num_classes, self.clip, self.options)
        # The values in `options` reach the network's own code, which may raise anything.
        except Exception as error:
            why = f"{shown(self.name)} cannot be made as it says: {shown(str(error))}"
            raise ValueError(f"{self.directory / FACTS} is damaged ({why}): {_ANEW}") from error
        return {".".join(path): shape for path, shape in found.items()}


def write(
    converted: Converted,
    name: str,
    directory: Path,
    source: str,
    classes: Sequence[str] | None = None,
) -> None:
    """Writes converted weights to a folder, as `variables/` and `model.json`.

    Args:
      converted: the converted checkpoint.
      name: name of the network.
      directory: a folder that does not exist yet, or is empty.
      source: origin of the weights, kept in `model.json`.
      classes: names of the classes, in the order of the logits; None if unknown.

    Raises:
      ValueError: the folder is not empty, its path cannot hold arrays, or the number of names
        differs from the number of logits.
    """
    if classes is not None and len(classes) != converted.num_classes:
        raise ValueError(_uneven(len(classes), converted.num_classes))
    # For an object store the files are written here and then copied.
    if not is_url(directory):
        check_array_path(directory)
    check_empty(directory)
    facts = {
        "name": name,
        "options": converted.options,
        "num_classes": converted.num_classes,
        "classes": None if classes is None else list(classes),
        "preprocessing": {
            "mean": converted.mean,
            "std": converted.std,
            "clip": (converted.frames or model_card(name).clip[0], *model_card(name).clip[1:]),
            "frame_stride": model_card(name).frame_stride,
        },
        "card": dataclasses.asdict(model_card(name)),
        "source": source,
        "report": dataclasses.asdict(converted.report),
    }
    # The facts are written last, so a folder that has them is complete.
    with new_folder(directory, last=[FACTS]) as unfinished:
        with ocp.PyTreeCheckpointer() as checkpointer:
            checkpointer.save(unfinished.absolute() / ARRAYS, jax.device_get(converted.variables))
        records.write(unfinished / FACTS, facts)


def check_empty(directory: Path) -> None:
    """Refuses a path that already holds something.

    Raises:
      ValueError: the path is a file, or a folder that is not empty.
    """
    if directory.is_file() or (directory.is_dir() and any(directory.iterdir())):
        raise ValueError(f"{directory} is not empty; name another --output")


def read(directory: Path) -> Weights:
    """Reads the facts of a folder of converted weights.

    Raises:
      ValueError: the folder holds no converted weights, or its facts are damaged.
    """
    file = directory / FACTS
    if not file.is_file():
        raise ValueError(
            f"{directory} {'holds' if directory.is_dir() else 'does not exist, so it holds'} no "
            f"converted weights ({FACTS} is absent); make them with vidjax convert"
        )
    facts = records.read(file, _Facts, _ANEW)
    seen, classes = facts.preprocessing, facts.classes
    if classes is not None and len(classes) != facts.num_classes:
        why = _uneven(len(classes), facts.num_classes)
        raise ValueError(f"{file} is damaged ({why}): {_ANEW}")
    return Weights(
        directory,
        facts.name,
        current_options(facts.name, facts.options),
        facts.num_classes,
        seen.mean,
        seen.std,
        seen.clip,
        seen.frame_stride,
        facts.source,
        None if classes is None else tuple(classes),
    )


def _uneven(names: int, logits: int) -> str:
    return f"{names} class names are given, but the network has {logits} classes"
