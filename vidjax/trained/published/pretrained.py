"""Loads published weights by name."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidjax.convert.checkpoint_reader import read_tensors
from vidjax.convert.loading import Converted, convert
from vidjax.models.registry import create_model, current_options
from vidjax.storage.paths import as_path
from vidjax.terminal import complain
from vidjax.trained.published.checkpoint import Checkpoint, Scores
from vidjax.trained.published.clip_preprocessing import colours_of, preprocessing_of
from vidjax.trained.published.registry import candidates, class_names
from vidjax.trained.published.weight_files import file_of
from vidjax.trained.trained_network import Trained, Weights
from vidjax.trained.weights_name import WeightsError


@dataclass(frozen=True, repr=False)
class Pretrained(Trained):
    """A network with published weights.

    Attributes:
      tag: full tag of the weights.
      dataset: data set that they were trained on.
      scores: scores that the publisher states, with their protocol; None if not stated.
      licence: as stated by the project.
      caution: a warning about the weights; empty if there is none.
    """

    tag: str = ""
    dataset: str = ""
    scores: Scores | None = None
    licence: str = ""
    caution: str = ""


def load_pretrained(
    network: str,
    tag: str,
    *,
    path: str | Path | None = None,
    num_classes: int | None = None,
    **options: Any,
) -> Pretrained:
    """Loads a network with published weights, and downloads them on first use.

        pretrained = vidjax.load_pretrained("i3d", "kinetics400")
        clip = vidjax.read_clip("video.mp4", pretrained.preprocessing)
        logits = pretrained.model.apply(pretrained.variables, clip[None], train=False)

    The network takes RGB clips, whatever channel order the weights were trained with. The arrays
    are read on first access.

    Args:
      network: as in `list_models()`.
      tag: one of `list_pretrained()`, or its beginning up to a dash. `kinetics400` is the preferred
        one among those on this machine, or else among those that can be downloaded.
      path: path of the file, if you have it. None looks for it in the folder that the environment
        variable `VIDJAX_CACHE` names, and downloads it there.
      num_classes: number of classes, if you want another one. The classifier is then newly
        initialised and has no class names. None is the published number.
      **options: options of the network, as in `create_model`.

    Raises:
      WeightsError: the weights do not exist, do not compute what was published, or cannot be
        downloaded; says what to do.
      ValueError: the network does not exist, or an option is unknown. Accessing `variables` raises
        it if the file is damaged or the wrong one.

    Examples:
      >>> import vidjax
      >>> from pathlib import Path
      >>> _ = Path("X3D_XS.pyth").write_bytes(b"...")  # in place of the published file
      >>> network = vidjax.load_pretrained("x3d_xs", "kinetics400", path="X3D_XS.pyth")
      >>> network.tag, network.scores.top1, network.preprocessing.clip_shape
      ('kinetics400-pytorchvideo', 69.12, (4, 182, 182, 3))
      >>> network.num_classes, network.classes[0]
      (400, 'abseiling')
    """
    row, file = file_of(candidates(network, tag), None if path is None else as_path(path))
    if row.usable is None:
        complain(f"warning: {row.name}: {row.caution}")
    chosen = {**row.options, **current_options(network, options)}
    classes = row.num_classes if num_classes is None else num_classes
    return Pretrained(
        name=network,
        options=chosen,
        model=create_model(network, num_classes=classes, **chosen),
        num_classes=classes,
        preprocessing=preprocessing_of(row),
        source=f"{row.name} of {row.project}",
        read=functools.partial(_read, row, file, chosen, classes),
        classes=class_names(row) if classes == row.num_classes else None,
        multi_label=row.multi_label,
        tag=row.tag,
        dataset=row.dataset,
        scores=row.published,
        licence=row.licence,
        caution=row.caution or "",
    )


def _read(row: Checkpoint, file: Path, options: Mapping[str, Any], num_classes: int) -> Weights:
    """Reads the weights.

    Raises:
      WeightsError: the file is damaged, or holds other weights than the row states; names it.
    """
    try:
        tensors = read_tensors(file)
        seen = colours_of(row)
        converted = convert(row.network, tensors, **seen, **options)
        _compare(row, converted, options)
        if num_classes != row.num_classes:
            converted = convert(row.network, tensors, num_classes, **seen, **options)
    except (ValueError, OSError) as error:
        named = str(error) if str(file) in str(error) else f"{file}: {error}"
        raise WeightsError(f"{named}; remove the file if it is not {row.name}") from None
    return Weights(converted.variables)


def _compare(row: Checkpoint, converted: Converted, options: Mapping[str, Any]) -> None:
    if converted.num_classes != row.num_classes:
        raise WeightsError(
            f"the classifier has {converted.num_classes} classes, but that of {row.name} has "
            f"{row.num_classes}"
        )
    if converted.report.layout != row.layout:
        raise WeightsError(
            f"the key names are those of {converted.report.layout}, but {row.name} has those of "
            f"{row.layout}"
        )
    if dict(converted.options) != dict(options):
        raise WeightsError(
            f"its network has the options {converted.options}, but {row.name} has {dict(options)}"
        )
