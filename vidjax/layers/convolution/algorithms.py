"""The algorithms by name. To add one, write a file with an `ALGORITHM`, and list it here."""

from __future__ import annotations

from vidjax.layers.convolution import (
    col2im,
    frame_by_frame,
    im2col,
    pallas,
    phases,
    pointwise,
    reduced,
    shifted,
    space_to_depth,
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
    "im2col": im2col.ALGORITHM,
    "winograd": winograd.ALGORITHM,
    "frame_by_frame": frame_by_frame.ALGORITHM,
    "space_to_depth": space_to_depth.ALGORITHM,
    "col2im": col2im.ALGORITHM,
    "phases": phases.ALGORITHM,
    "shifted": shifted.ALGORITHM,
    "reduced": reduced.ALGORITHM,
    "pallas": pallas.ALGORITHM,
    "onednn": onednn.ALGORITHM,
}


def candidates(name: str, problem: Problem) -> list[str]:
    """Lists the algorithms that can compute a pass of a problem."""
    return [algorithm for algorithm in ALGORITHMS if ALGORITHMS[algorithm].has(name, problem)]
