"""Computes the saliency maps of the registry for a clip of a video file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vidjax.explain import maps
from vidjax.explain.captioned_map import CaptionedMap, cost
from vidjax.explain.html_page import Panel
from vidjax.explain.map_resolution import finer_layer, is_coarse
from vidjax.explain.saliency_map import SaliencyMap, saliency_map
from vidjax.explain.source_video import SourceVideo
from vidjax.explain.traced_network import trace_network
from vidjax.explain.upsampling import CUBIC
from vidjax.trained.clip_explanation import OpenClip, few_cells

# What the colours of a signed map mean.
SIGNS = "red speaks for the class, blue against it; no colour means 0"
# Gradients have a few pixels that are so large that nothing else would be visible.
_PERCENTILE = 99.5

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class ClipMaps:
    """Saliency maps of a clip for one class.

    Attributes:
      opened: the network and the clip.
      maps: maps by name, at least one.
      settings: settings of maps by map name, where they differ from the map's defaults.
      note: a warning about maps with few cells; empty if all have enough.
    """

    opened: OpenClip
    maps: Mapping[str, SaliencyMap]
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    note: str = ""

    @property
    def label(self) -> str:
        """Name of the class."""
        return self.opened.trained.labels[self._first.class_index]

    @property
    def probability(self) -> float:
        """Probability of the class, according to the network."""
        return float(self.opened.chances(self._first.logits)[self._first.class_index])

    @property
    def _first(self) -> SaliencyMap:
        return next(iter(self.maps.values()))

    @property
    def shown(self) -> SourceVideo:
        """The video."""
        return self.opened.shown

    @property
    def fps(self) -> float:
        """Frames per second of the clip."""
        return self.opened.fps

    @property
    def title(self) -> str:
        """The class and its probability."""
        return f"{self.label} ({self.probability:.1%})"

    @property
    def drawn(self) -> list[CaptionedMap]:
        """The maps, ready to be drawn."""
        return [self._drawn(own) for own in self.maps.values()]

    def panel(self, title: str = "") -> Panel:
        """Makes a panel for a page."""
        drawn = self.drawn
        return Panel(
            title or self.title,
            self.opened.frames,
            drawn[0].volume,
            heats={own.title: own.volume for own in drawn},
            captions={own.title: own.caption for own in drawn},
            scores=self.opened.best(self._first.logits),
            facts=self.opened.facts,
        )

    def _drawn(self, own: SaliencyMap) -> CaptionedMap:
        layer = () if own.layer is None else (own.layer,)
        settings = (f"{name} {value}" for name, value in self.settings.get(own.name, {}).items())
        chosen = maps.named(own.name)
        volume = own.around_zero if chosen.signed else own.volume
        volume, cut = _without_peaks(volume) if own.per_pixel else (volume, ())
        facts = (
            f"{self.label} {self.probability:.1%}",
            own.resolution,
            *layer,
            *settings,
            cost(own.passes, own.seconds),
            *cut,
        )
        if chosen.signed:
            return CaptionedMap(chosen.title, volume, (*facts, SIGNS), True, SIGNS)
        return CaptionedMap(chosen.title, volume, facts)


def _without_peaks(volume: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Clips a map of pixels, so that few bright ones leave the others visible; and says so."""
    most = float(np.percentile(np.abs(volume), _PERCENTILE))
    if most <= 0:
        return volume, ()
    return np.clip(volume / most, -1, 1), (f"clipped at the {_PERCENTILE:g}th percentile",)


def map_clip(
    opened: OpenClip,
    label: str | None,
    names: Sequence[str],
    layer: str | None = None,
    *,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    degree: int | None = CUBIC,
    progress: Progress | None = None,
) -> ClipMaps:
    """Computes saliency maps of a clip.

    Args:
      opened: a network and a clip.
      label: name of the class; None is the predicted one.
      names: names of the maps.
      layer: layer for the maps that take one, as in `layer_lookup.features_at`.
      settings: settings of maps, by map name.
      degree: degree of the splines that enlarge maps; None is the paper's, as in
        `upsampling.degree_of`.
      progress: called with a map's name, its finished passes and the number of passes.

    Raises:
      ValueError: the class, map, layer or setting does not exist, or the network cannot be
        explained this way.
    """
    trained, clip, settings = opened.trained, opened.clip, settings or {}
    given, index = (trained.model, trained.variables, clip), opened.index_of(label)
    found: dict[str, SaliencyMap] = {}
    for name in names:
        own = maps.named(name)
        told = None if progress is None else _told(progress, own.title)
        found[name] = saliency_map(
            *given,
            index,
            name,
            layer if own.layered else None,
            degree=degree,
            progress=told,
            **settings.get(name, {}),
        )
        index = found[name].class_index
    return ClipMaps(opened, found, settings, _note(opened, found, given))


def _told(progress: Progress, title: str) -> Callable[[int, int], None]:
    return lambda done, total: progress(title, done, total)


def _note(opened: OpenClip, found: Mapping[str, SaliencyMap], given: tuple[Any, ...]) -> str:
    size = opened.frames.shape[:3]
    for own in found.values():
        if maps.named(own.name).layered and is_coarse([cells.shape for cells in own.cells], size):
            finer = finer_layer(trace_network(*given).graph, size)
            return few_cells(own.cells, size, finer)
    return ""
