"""Opens networks from PyTorch files, which are converted on reading."""

from __future__ import annotations

from vidjax.convert.loading import Converted, convert
from vidjax.models.model_list import model_card
from vidjax.models.registry import create_model, current_options
from vidjax.trained.preprocessing import Preprocessing
from vidjax.trained.published.clip_preprocessing import colours_of
from vidjax.trained.published.identify import row_of
from vidjax.trained.trained_network import Trained, Weights
from vidjax.trained.weights_name import WeightsError, WeightsName
from vidjax.untrusted_names import printable


def find(wanted: WeightsName) -> Trained | None:
    """Opens the network of a PyTorch file, if the path is a file.

    The registry gives the normalisation of a published file; the card gives the clip.

    Raises:
      WeightsError: the path is a file, but the text names no network.
    """
    if not wanted.path.is_file():
        return None
    if not wanted.network:
        file = printable(wanted.text)
        raise WeightsError(f"{file} is a file: name its network too, as in x3d_m:{file}")
    row = row_of(wanted.network, wanted.path)
    known = {**row.options, **colours_of(row)} if row else {}
    given = current_options(wanted.network, wanted.options)
    converted = convert(wanted.network, wanted.path, **{**known, **given})
    return trained_of(wanted.network, converted, wanted.path.name)


def trained_of(name: str, converted: Converted, source: str) -> Trained:
    """Returns the network that a converted checkpoint fits.

    Args:
      name: name of the network.
      converted: its weights.
      source: origin of the weights, for messages.
    """
    card = model_card(name)
    return Trained(
        name=name,
        options=converted.options,
        model=create_model(name, num_classes=converted.num_classes, **converted.options),
        num_classes=converted.num_classes,
        preprocessing=Preprocessing(
            frames=converted.frames or card.clip[0],
            stride=card.frame_stride,
            size=card.clip[1],
            short_side=card.clip[1],
            mean=converted.mean,
            std=converted.std,
        ),
        source=source,
        read=lambda: Weights(converted.variables),
    )
