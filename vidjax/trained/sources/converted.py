"""Opens networks from folders that `vidjax convert` has written."""

from __future__ import annotations

from vidjax.convert import converted_folder
from vidjax.models.registry import create_model, current_options
from vidjax.trained.preprocessing import Preprocessing
from vidjax.trained.trained_network import Trained, Weights
from vidjax.trained.weights_name import WeightsName


def find(wanted: WeightsName) -> Trained | None:
    """Opens the network of a folder of converted weights, or returns None for anything else."""
    if wanted.network or not (wanted.path / converted_folder.FACTS).is_file():
        return None
    found = converted_folder.read(wanted.path)
    options = {**found.options, **current_options(found.name, wanted.options)}
    frames, height, width = found.clip
    size = min(height, width)
    return Trained(
        name=found.name,
        options=options,
        model=create_model(found.name, num_classes=found.num_classes, **options),
        num_classes=found.num_classes,
        preprocessing=Preprocessing(frames, found.frame_stride, size, size, found.mean, found.std),
        source=found.source,
        read=lambda: Weights(found.variables()),
        classes=found.classes,
    )
