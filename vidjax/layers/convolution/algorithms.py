"""The algorithms by name. A new one is a file with a `ALGORITHM`, and a line here."""

from __future__ import annotations

from vidjax.layers.convolution import (
    blocks,
    frame_by_frame,
    overlap,
    pallas,
    patches,
    phases,
    pointwise,
    reduced,
    shifted,
    taps,
    winograd,
    xla,
)
from vidjax.layers.convolution.algorithm import Algorithm
from vidjax.layers.convolution.onednn import algorithm as onednn
from vidjax.layers.convolution.problem import Problem

ALGORITHMS: dict[str, Algorithm] = {
    "xla": xla.ALGORITHM,
    "pointwise": pointwise.ALGORITHM,
    "taps": taps.ALGORITHM,
    "patches": patches.ALGORITHM,
    "winograd": winograd.ALGORITHM,
    "frame_by_frame": frame_by_frame.ALGORITHM,
    "blocks": blocks.ALGORITHM,
    "overlap": overlap.ALGORITHM,
    "phases": phases.ALGORITHM,
    "shifted": shifted.ALGORITHM,
    "reduced": reduced.ALGORITHM,
    "pallas": pallas.ALGORITHM,
    "onednn": onednn.ALGORITHM,
}


def candidates(name: str, problem: Problem) -> list[str]:
    """The algorithms that have a pass of a problem."""
    return [algorithm for algorithm in ALGORITHMS if ALGORITHMS[algorithm].has(name, problem)]
