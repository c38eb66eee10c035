"""Allowed values of options that networks share; each network's file adds its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vidjax.models.shortcuts import SHORTCUTS
from vidjax.settings import Kind, boolean, number, one_of, optional, whole

# More channels or blocks than fit into any memory are a typing error.
WIDTH = whole(1, 65_536)
EXPANSION = whole(1, 64)
# Kernels and windows must have a middle.
ODD = Kind("an odd number in [1, 255]", lambda size: whole(1, 255).accepts(size) and size % 2 == 1)


def multiple(factor: int) -> Kind:
    """Accepts numbers of channels that are divisible by a factor."""
    return Kind(
        f"a multiple of {factor} in [1, 65536]",
        lambda width: WIDTH.accepts(width) and width % factor == 0,
    )


def depths_of(stages: int, *least: int) -> Kind:
    """Accepts the number of blocks of each stage; the first stages have at least these numbers."""
    bounds = [whole(at_least, 1000) for at_least in (*least, *(0,) * (stages - len(least)))]

    def accepts(value: Any) -> bool:
        if not isinstance(value, (tuple, list)) or len(value) != stages:
            return False
        every = all(kind.accepts(depth) for kind, depth in zip(bounds, value, strict=True))
        return every and any(value)

    more = f", at least {least[0]} in each of the first {len(least)} stages" if least else ""
    return Kind(f"{stages} whole numbers, one per stage, not all 0{more}", accepts)


# Options of all residual networks.
OPTIONS: Mapping[str, Kind] = {
    "width": WIDTH,
    "depths": depths_of(4),
    "dropout": number(0, below=1),
    "shortcut": one_of(*SHORTCUTS),
    "zero_init": boolean(),
    "norm_epsilon": number(above=0, most=1),
    "norm_group_size": optional(whole(1, 2**24)),
    "scan": boolean(),
    "remat": Kind(
        "numbers of stages, 1 to 4, such as (1, 2)",
        lambda value: isinstance(value, (tuple, list)) and all(map(whole(1, 4).accepts, value)),
    ),
}
