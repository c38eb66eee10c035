"""Maps of what in a clip speaks for a class, one file each.

A file has a function and a tuple

    MAPS = (Map("my_map", "My map", my_map, "Paper, year, equation"),)

with which it is found by itself: here, in a package that names it in an entry point of the group
`vidjax.explain.maps`, or registered by `vidjax.plugins.register`. The command line, the page,
`saliency_map` and the bench of truth go over all of them.

The function is called with a network that is opened for explanation (`TracedNetwork`), its
variables, a clip `[1, T, H, W, 3]`, the number of a class and the name of a layer or None, and with
the settings of its own as keywords. `vidjax.explain.features_and_gradients` has features and
gradients as arrays
of NumPy, and `vidjax.explain.perturbation` the scores of clips that are shown in part;
`vidjax.explain.layer_lookup` finds what a layer's name means, `vidjax.explain.compiled_passes`
computes.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from vidjax import plugins
from vidjax.explain.map_types import Heat, Map
from vidjax.untrusted_names import nearest

__all__ = ["Heat", "Map", "known", "named"]


def known() -> Mapping[str, Map]:
    """All maps by name, those of vidjax first."""
    return _found()[0]


def named(name: str) -> Map:
    """A map by its name.

    Raises:
      ValueError: there is no such map, or it cannot be used.
    """
    found, unusable = _found()
    if name in unusable:
        raise ValueError(unusable[name])
    if name not in found:
        raise ValueError(f"map {name!r} is unknown: {nearest(name, found)}")
    return found[name]


@plugins.remembered
def _found() -> tuple[Mapping[str, Map], Mapping[str, str]]:
    here = sys.modules[__name__]
    found, twice = plugins.collect(here, "MAPS", lambda own: own.name, "map")
    return dict(sorted(found.items(), key=lambda item: item[1].rank)), twice
