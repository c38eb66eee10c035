"""Opens networks with published weights."""

from __future__ import annotations

import re

from vidjax.models.model_list import list_models, variant
from vidjax.trained.published.pretrained import load_pretrained
from vidjax.trained.published.registry import list_pretrained
from vidjax.trained.trained_network import Trained
from vidjax.trained.weights_name import WeightsError, WeightsName

_NAMED = re.compile(r"(?P<network>\w{2,}):(?P<tag>[\w.+-]+)")
_FILES = (".pth", ".pyth", ".pt", ".tar", ".th", ".ckpt", ".safetensors")


def find(wanted: WeightsName) -> Trained | None:
    """Opens the network of a tag, if the text is `NETWORK:TAG`.

    Raises:
      WeightsError: the text is only `NETWORK`; names its tags.
      ValueError: the network does not exist or has no such weights; names the nearest.
    """
    if wanted.text in list_models() and not wanted.path.exists():
        raise WeightsError(f"{wanted.text} names a network but no weights. {_tags_of(wanted.text)}")
    named = _NAMED.fullmatch(wanted.text)
    # A folder may have the name of a data set, so only an existing file counts as a file.
    taken = wanted.path.is_file() if wanted.network else wanted.path.exists()
    if taken or named is None:
        return None
    if wanted.place.endswith(_FILES):
        raise WeightsError(f"{wanted.text}: the file {wanted.path.absolute()} does not exist")
    variant(named["network"])
    return load_pretrained(named["network"], named["tag"], **wanted.options)


def _tags_of(network: str) -> str:
    """Says which published weights a network has."""
    if found := list_pretrained(f"{network}:*"):
        return f"Its published weights are {', '.join(found)}"
    return "None are published for it; `vidjax published` lists those of other networks"
