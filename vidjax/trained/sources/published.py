"""Networks with published weights."""

from __future__ import annotations

import re

from vidjax.models.model_list import variant
from vidjax.trained.published.pretrained import load_pretrained
from vidjax.trained.trained_network import Trained
from vidjax.trained.weights_name import Wanted, WeightsError

_NAMED = re.compile(r"(?P<network>\w{2,}):(?P<tag>[\w.+-]+)")
_FILES = (".pth", ".pyth", ".pt", ".tar", ".th", ".ckpt", ".safetensors")


def find(wanted: Wanted) -> Trained | None:
    """The network of a tag, if what is wanted is `NETWORK:TAG`.

    Raises:
      ValueError: there is no such network, or it has no such weights; names the nearest.
    """
    named = _NAMED.fullmatch(wanted.text)
    # A folder may well have the name of a data set; a file is a file.
    taken = wanted.path.is_file() if wanted.network else wanted.path.exists()
    if taken or named is None:
        return None
    if wanted.place.endswith(_FILES):
        raise WeightsError(f"{wanted.text}: there is no file {wanted.path.absolute()}")
    variant(named["network"])
    return load_pretrained(named["network"], named["tag"], **wanted.options)
