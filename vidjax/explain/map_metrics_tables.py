"""Averages metrics of saliency maps over videos and seeds."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from vidjax.explain.map_measurements import QUANTITIES, Measured, Quantity

LEVEL = 0.95
# The map that others have to beat.
CHANCE = "random"
Networks = Mapping[str, Sequence[str]]
Found = Mapping[tuple[str, str, str], Measured]


@dataclass(frozen=True)
class Interval:
    """A mean over videos and over runs of one network that differ in their seed.

    Attributes:
      mean: mean over all.
      half: half the width of its 95 % interval over videos, each video averaged over the runs.
      seeds_half: half the width of its 95 % interval over runs, each run averaged over the videos;
        NaN for one run.
    """

    mean: float
    half: float
    seeds_half: float

    @classmethod
    def of(cls, values: np.ndarray) -> Interval:
        """Computes Student-t intervals of values `[runs, videos]`."""
        return cls(float(values.mean()), _half(values.mean(0)), _half(values.mean(1)))


def _half(values: np.ndarray) -> float:
    if len(values) < 2:
        return float("nan")
    error = float(values.std(ddof=1)) / len(values) ** 0.5
    return float(stats.t.ppf((1 + LEVEL) / 2, len(values) - 1)) * error


@dataclass(frozen=True)
class MetricRow:
    """A mean for one map; the columns of `faithfulness.csv`.

    Attributes:
      network: name of the network.
      map: the map, with its settings.
      quantity: one of `QUANTITIES`.
      mean: mean over videos and seeds.
      half: half the width of its 95 % interval over videos.
      seeds_half: half the width of its 95 % interval over seeds; NaN for one seed.
      gain: mean difference to the random map, video by video.
      gain_half: half the width of its 95 % interval over videos.
      videos: number of videos.
      seeds: number of trained networks.
    """

    network: str
    map: str
    quantity: str
    mean: float
    half: float
    seeds_half: float
    gain: float
    gain_half: float
    videos: int
    seeds: int


@dataclass(frozen=True)
class CostRow:
    """The cost of a map; the columns of `costs.csv`.

    Attributes:
      network: name of the network.
      map: the map, with its settings.
      cells: the map's resolution before upsampling.
      passes: number of forward passes; a gradient counts as two more.
      seconds: median over all videos, so that compilation does not count.
    """

    network: str
    map: str
    cells: str
    passes: float
    seconds: float


@dataclass(frozen=True)
class CurveRow:
    """A point of a curve; the columns of `curves.csv`.

    Attributes:
      network: name of the network.
      map: the map, with its settings.
      quantity: `deletion` or `insertion`.
      share: share of the clip that is blanked, or shown.
      mean: probability of the class, averaged over videos and seeds.
      half: half the width of its 95 % interval over videos.
    """

    network: str
    map: str
    quantity: str
    share: float
    mean: float
    half: float


@dataclass(frozen=True)
class PairRow:
    """Two maps of the same videos; the columns of `pairs.csv`.

    Attributes:
      network: name of the network.
      map: the map, with its settings.
      other: the map that it is compared with.
      quantity: one of `QUANTITIES`.
      difference: the map's mean minus the other's, over videos and seeds.
      half: half the width of its 95 % interval over videos.
    """

    network: str
    map: str
    other: str
    quantity: str
    difference: float
    half: float


class Summary:
    """All measurements, by network and map.

    Args:
      networks: names of each network's runs.
      videos: names of each network's videos.
      maps: maps with their settings.
      found: measurements by run, video and map.
    """

    def __init__(
        self, networks: Networks, videos: Networks, maps: Sequence[str], found: Found
    ) -> None:
        self._networks, self._videos, self._maps, self._found = networks, videos, maps, found

    def metrics(self) -> Iterator[MetricRow]:
        """Yields the rows of `faithfulness.csv`; without masks, no pointing and no energy."""
        for network, kind, all_of in self._each():
            chance = self._of(network, CHANCE)
            for name, quantity in QUANTITIES.items():
                if (values := _values(all_of, quantity)) is None:
                    continue
                gain = Interval(*[float("nan")] * 3)
                if chance and (least := _values(chance, quantity)) is not None:
                    gain = Interval.of(values - least)
                own = Interval.of(values)
                numbers = (own.mean, own.half, own.seeds_half, gain.mean, gain.half)
                a, b, c, d, e = (round(number, 6) for number in numbers)
                yield MetricRow(network, kind, name, a, b, c, d, e, *values.shape[::-1])

    def pairs(self) -> Iterator[PairRow]:
        """Yields the rows of `pairs.csv`: each pair of maps once, video by video."""
        each = [*self._each()]
        for (network, kind, one), (its, other, two) in itertools.combinations(each, 2):
            if network != its:
                continue
            for name, quantity in QUANTITIES.items():
                values, others = _values(one, quantity), _values(two, quantity)
                if name == "area" or values is None or others is None:
                    continue
                own = Interval.of(values - others)
                mean, half = round(own.mean, 6), round(own.half, 6)
                yield PairRow(network, kind, other, name, mean, half)

    def costs(self) -> Iterator[CostRow]:
        """Yields the rows of `costs.csv`."""
        for network, kind, all_of in self._each():
            own = [one for run in all_of for one in run]
            passes = float(np.mean([one.passes for one in own]))
            seconds = float(np.median([one.seconds for one in own]))
            yield CostRow(network, kind, own[0].cells, round(passes, 2), round(seconds, 5))

    def curves(self) -> Iterator[CurveRow]:
        """Yields the rows of `curves.csv`."""
        for network, kind, all_of in self._each():
            for name in ("deletion", "insertion"):
                values = np.array([[getattr(one, name) for one in run] for run in all_of])
                last = values.shape[-1] - 1
                for step in range(last + 1):
                    own = Interval.of(values[..., step])
                    mean, half = round(own.mean, 6), round(own.half, 6)
                    yield CurveRow(network, kind, name, round(step / last, 6), mean, half)

    def _each(self) -> Iterator[tuple[str, str, list[list[Measured]]]]:
        for network in self._networks:
            for kind in self._maps:
                if all_of := self._of(network, kind):
                    yield network, kind, all_of

    def _of(self, network: str, kind: str) -> list[list[Measured]]:
        """Returns the measurements of a map by run and video; empty if it cannot be drawn."""
        runs, videos = self._networks[network], self._videos[network]
        if (runs[0], videos[0], kind) not in self._found:
            return []
        return [[self._found[run, video, kind] for video in videos] for run in runs]


def _values(all_of: list[list[Measured]], quantity: Quantity) -> np.ndarray | None:
    """Returns a quantity `[runs, videos]` for the videos that have it; None if none has it."""
    values = np.array([[quantity(one) for one in run] for run in all_of], float)
    there = np.isfinite(values).all(0)
    return values[:, there] if there.any() else None
