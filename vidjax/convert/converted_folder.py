"""Converted weights on disk: an orbax checkpoint and what must be known to use it."""

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
from vidjax.array_paths import check_place
from vidjax.array_validation import ArrayFilesError, check_arrays
from vidjax.convert.loading import Converted, shapes
from vidjax.models.model_list import model_card
from vidjax.settings import shown
from vidjax.storage.local_copies import folder_here, new_folder
from vidjax.storage.paths import is_url

ARRAYS, FACTS = "variables", "model.json"
_ANEW = "convert the weights anew with vidjax convert"
Colour = Annotated[float, msgspec.Meta(ge=-1000, le=1000)]
Spread = Annotated[float, msgspec.Meta(gt=0, le=1000)]
# Longer or larger clips than any network is made for are refused.
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
    # Folders of before the classes were kept have none.
    classes: list[records.Name] | None = None


@dataclass(frozen=True)
class Weights:
    """Weights of a folder, their arrays not read yet.

    Attributes:
      directory: the folder.
      name: of the network, as in `list_models()`.
      options: for `create_model`, beside the number of classes.
      num_classes: classes of the classifier.
      mean: of the colours in [0, 1] that the network was trained with.
      std: of the colours in [0, 1].
      clip: frames, height and width that it was trained on.
      frame_stride: distance of neighbouring frames in the video.
      source: where the weights are from.
      classes: names of the logits; None where nobody said them.
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
        """Reads `{"params": ..., "batch_stats": ...}`, NumPy arrays.

        Raises:
          ValueError: the checkpoint is damaged, or of another network than the folder says.
        """
        with folder_here(self.directory.absolute() / ARRAYS) as path:
            return self._read(path)

    def _read(self, path: Path) -> dict[str, Any]:
        try:
            check_arrays(path, self._shapes())
        except ArrayFilesError as error:
            raise ValueError(f"the weights in {path} cannot be read ({error}): {_ANEW}") from None
        try:
            with ocp.PyTreeCheckpointer() as checkpointer:
                read: dict[str, Any] = checkpointer.restore(path)
        # Orbax answers damage with whatever its readers raise, a bare Exception among it.
        except Exception as error:
            raise ValueError(f"the weights in {path} cannot be read: {_ANEW}") from error
        for name in ("params", "batch_stats"):
            if not isinstance(read, dict) or not isinstance(read.get(name), dict):
                raise ValueError(f"the weights in {path} are damaged ({name!r} is absent): {_ANEW}")
        return read

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the arrays of the network that the folder names."""
        try:
            found = shapes(self.name, self.num_classes, self.clip, self.options)
        # A network's own code meets what is in `options`.
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
    """Writes `variables/` and `model.json`.

    Args:
      converted: what a PyTorch file became.
      name: of the network.
      directory: a folder that does not exist yet, or is empty.
      source: where the weights are from, for the record.
      classes: names of the logits; None where nobody knows them.

    Raises:
      ValueError: the folder holds something, arrays cannot be kept at its path, or there are more
        or fewer names than logits.
    """
    if classes is not None and len(classes) != converted.num_classes:
        raise ValueError(_uneven(len(classes), converted.num_classes))
    # An object store gets copies of files that are written here.
    if not is_url(directory):
        check_place(directory)
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
    # Written last: a folder that has it is complete.
    with new_folder(directory, last=[FACTS]) as unfinished:
        with ocp.PyTreeCheckpointer() as checkpointer:
            checkpointer.save(unfinished.absolute() / ARRAYS, jax.device_get(converted.variables))
        records.write(unfinished / FACTS, facts)


def check_empty(directory: Path) -> None:
    """Refuses a place that holds something.

    Raises:
      ValueError: it is a file, or a folder that is not empty.
    """
    if directory.is_file() or (directory.is_dir() and any(directory.iterdir())):
        raise ValueError(f"{directory} is not empty; name another --output")


def read(directory: Path) -> Weights:
    """What is in a folder of converted weights.

    Raises:
      ValueError: there are none, or what says which they are is damaged.
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
        facts.options,
        facts.num_classes,
        seen.mean,
        seen.std,
        seen.clip,
        seen.frame_stride,
        facts.source,
        None if classes is None else tuple(classes),
    )


def _uneven(names: int, logits: int) -> str:
    return f"{names} names of classes are given, and the network has {logits} classes"
