"""Whether a map has cells enough to point at a place, and which earlier layer has more."""

from __future__ import annotations

from collections.abc import Sequence

from vidjax.explain.layer import Layer
from vidjax.explain.layer_graph import Anatomy
from vidjax.explain.upsampling import Size

# Fewer cells in time, or along a side, show little more than that there is something.
LEAST = (2, 4, 4)


def is_coarse(cells: Sequence[Size], clip: Size) -> bool:
    """Whether all of a map's groups of cells `T', H', W'` are few.

    Args:
      cells: sizes of a map's groups.
      clip: T, H, W; an axis cannot have more cells than that.
    """
    return all(_few(own, clip) for own in cells)


def finer_layer(anatomy: Anatomy, clip: Size) -> str | None:
    """The last module, or else the last layer, whose features have cells enough.

    Its name is what `vidjax.explain.layer_lookup.features_at` takes. None where no layer has more.
    """
    anatomy = anatomy.as_far_as_known
    order = {step: number for number, step in enumerate(anatomy.program.operations)}
    layers = sorted(anatomy.sources, key=lambda own: -order[own.operation])
    seen: set[str] = set()
    for layer in layers:
        module = layer.name.split("/")[0]
        if module in seen:
            continue
        # Of a module the last layer counts, which comes first here.
        seen.add(module)
        if not _few(_extents(anatomy, layer), clip):
            return module
    return next((layer.name for layer in layers if not _few(_extents(anatomy, layer), clip)), None)


def _extents(anatomy: Anatomy, layer: Layer) -> Size:
    times, height, width = anatomy.sources[layer].features.extents
    return times, height, width


def _few(cells: Size, clip: Size) -> bool:
    return any(own < min(least, all_) for own, least, all_ in zip(cells, LEAST, clip, strict=True))
