"""Averages sanity checks by map and by the network that a map was compared with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from vidjax.explain.map_measurements import Compared
from vidjax.explain.map_metrics_tables import Interval, Networks


@dataclass(frozen=True)
class SanityRow:
    """A mean for one map; the columns of `sanity.csv`.

    Attributes:
      network: name of the network.
      map: the map, with its settings.
      place: position of the other network in the report, from 0.
      check: `parameters`, `labels` or `seed`, as in `Compared`.
      other: the module down to which the other network is random, or the check in words.
      correlation: Spearman's correlation with the map of the trained network, averaged over videos
        and seeds.
      correlation_half: half the width of its 95 % interval over videos.
      similarity: SSIM with the map of the trained network, averaged over videos and seeds.
      similarity_half: half the width of its 95 % interval over videos.
      videos: number of videos.
      seeds: number of trained networks.
    """

    network: str
    map: str
    place: int
    check: str
    other: str
    correlation: float
    correlation_half: float
    similarity: float
    similarity_half: float
    videos: int
    seeds: int


def sanity_rows(
    networks: Networks, maps: Sequence[str], compared: Iterable[Compared]
) -> list[SanityRow]:
    """Averages over videos and seeds.

    Args:
      networks: names of each network's runs.
      maps: maps with their settings.
      compared: all measurements.
    """
    of = {run: network for network, runs in networks.items() for run in runs}
    cases: dict[tuple[str, str, int, str, str], dict[str, list[Compared]]] = {}
    for own in compared:
        case = (of[own.run], own.map, own.place, own.check, own.other)
        cases.setdefault(case, {}).setdefault(own.run, []).append(own)
    order = (list(networks), list(maps))
    rows = []
    for case in sorted(
        cases, key=lambda one: (order[0].index(one[0]), order[1].index(one[1]), one)
    ):
        runs = [sorted(own, key=lambda one: one.video) for own in cases[case].values()]
        correlation = Interval.of(np.array([[one.correlation for one in run] for run in runs]))
        similar = Interval.of(np.array([[one.similarity for one in run] for run in runs]))
        numbers = (correlation.mean, correlation.half, similar.mean, similar.half)
        a, b, c, d = (round(number, 6) for number in numbers)
        rows.append(SanityRow(*case, a, b, c, d, len(runs[0]), len(runs)))
    return rows
