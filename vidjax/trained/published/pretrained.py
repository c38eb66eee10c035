"""Published weights by name."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidjax.convert.checkpoint_reader import read_tensors
from vidjax.convert.loading import Converted, convert
from vidjax.models.registry import create_model
from vidjax.storage.paths import as_path
from vidjax.terminal import complain
from vidjax.trained.published.checkpoint import Checkpoint, Scores
from vidjax.trained.published.clip_preprocessing import colours_of, preprocessing_of
from vidjax.trained.published.registry import candidates, class_names
from vidjax.trained.published.weight_files import file_of
from vidjax.trained.trained_network import Trained, Weights
from vidjax.trained.weights_name import WeightsError


@dataclass(frozen=True)
class Pretrained(Trained):
    """A network with published weights.

    Attributes:
      tag: of the weights, all of it.
      dataset: that they were trained on.
      scores: that the publisher states, with their protocol; None is none.
      licence: as the project states it.
      caution: what to know of them; empty is nothing.
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
    """A network with published weights, downloaded the first time.

        pretrained = vidjax.load_pretrained("i3d", "kinetics400")
        clip = vidjax.read_clip("video.mp4", pretrained.preprocessing)
        logits = pretrained.model.apply(pretrained.variables, clip[None], train=False)

    Clips are RGB, whatever the weights were trained on. The arrays are read when they are first
    asked for.

    Args:
      network: as in `list_models()`.
      tag: one of `list_pretrained()`, or what it begins with up to a dash: `kinetics400` is the
        preferred one of those on this machine, or else of those that can be downloaded.
      path: the file, where you have it; None looks for it in the folder that the environment
        variable `VIDJAX_CACHE` names, and downloads it there.
      num_classes: logits, where you want others: the classifier then starts anew, without names of
        classes. None is the published number.
      **options: of the network, as in `create_model`.

    Raises:
      WeightsError: there are no such weights, they do not compute what was published, or the file
        cannot be had; says what to do.
      ValueError: there is no such network, or an option is unknown. Reading `variables`: the file
        is damaged or another one.
    """
    row, file = file_of(candidates(network, tag), None if path is None else as_path(path))
    if row.usable is None:
        complain(f"warning: {row.name}: {row.caution}")
    chosen = {**row.options, **options}
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
      WeightsError: the file is damaged, or of other weights than the row says; names it.
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
            f"the classifier has {converted.num_classes} classes, that of {row.name} "
            f"{row.num_classes}"
        )
    if converted.report.layout != row.layout:
        raise WeightsError(
            f"the names are those of {converted.report.layout}, {row.name} has those of "
            f"{row.layout}"
        )
    if dict(converted.options) != dict(options):
        raise WeightsError(f"it is of the form {converted.options}, {row.name} of {dict(options)}")
