"""Methods that draw maps of the evidence for a class in a clip, one file each.

A file defines a function and a tuple

    MAPS = (Map("my_map", "My map", my_map, "Paper, year, equation"),)

Maps are found in this folder, in packages with an entry point of the group `vidjax.explain.maps`,
and among those registered by `vidjax.plugins.register`. The command line, the page, `saliency_map`
and the benchmark of maps use all of them.

The function gets a traced network (`TracedNetwork`), its variables, a clip `[1, T, H, W, 3]`, a
class number, the name of a layer or None, and its own settings as keywords.
`vidjax.explain.features_and_gradients` computes features and gradients as NumPy arrays.
`vidjax.explain.perturbation` scores partly hidden clips. `vidjax.explain.layer_lookup` finds a
layer by name, and `vidjax.explain.compiled_passes` has the compiled passes.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from vidjax import plugins
from vidjax.explain.map_types import Heat, Map
from vidjax.untrusted_names import nearest

__all__ = ["Heat", "Map", "known", "named"]


def known() -> Mapping[str, Map]:
    """Returns all maps by name, those of vidjax first."""
    return _found()[0]


def named(name: str) -> Map:
    """Returns a map by its name.

    Raises:
      ValueError: the map does not exist or cannot be used.
    """
    found, unusable = _found()
    if name in unusable:
        raise ValueError(unusable[name])
    if name not in found:
        raise ValueError(f"map {name!r} is unknown: {nearest(name, found)}")
    return found[name]


@plugins.cached
def _found() -> tuple[Mapping[str, Map], Mapping[str, str]]:
    here = sys.modules[__name__]
    found, twice = plugins.collect(here, "MAPS", lambda own: own.name, "map")
    return dict(sorted(found.items(), key=lambda item: item[1].rank)), twice
