"""Networks that were trained on BGR, made to take RGB."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flax.traverse_util import flatten_dict, unflatten_dict

_COLOURS = 3
# The layer of a network that sees the clip, one in each pathway: `stem_layer`, `fast_stem_layer`.
_FIRST = "stem_layer"


def to_rgb(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Variables of the network that gives on RGB clips what the given one gives on BGR clips.

    The kernels that see the clip have their inputs in the other order.

    Args:
      variables: `{"params": ..., "batch_stats": ...}`.

    Raises:
      ValueError: no kernel is known to see the clip.
    """
    params = flatten_dict(variables["params"])
    seeing = [path for path, array in params.items() if _sees_the_clip(path, array)]
    if not seeing:
        raise ValueError("no kernel of this network is known to see the clip")
    turned = {path: params[path][..., ::-1, :] for path in seeing}
    return {**variables, "params": unflatten_dict({**params, **turned})}


def _sees_the_clip(path: tuple[str, ...], array: Any) -> bool:
    first = path[0].endswith(_FIRST) and path[-1] == "kernel"
    return first and array.ndim >= 4 and array.shape[-2] == _COLOURS
