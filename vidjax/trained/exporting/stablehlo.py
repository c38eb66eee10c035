"""The network as one file of StableHLO, written and versioned by `jax.export`."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import jax
from jax import export

from vidjax.trained.exporting.program import clips_of, program_of
from vidjax.trained.exporting.trained import Trained
from vidjax.writing import write_bytes

FILE = "network.stablehlo"


def write(trained: Trained, directory: Path, platforms: Sequence[str]) -> None:
    """Writes `network.stablehlo`, with the weights in it.

    Args:
      trained: the network.
      directory: a folder.
      platforms: of `PLATFORMS`, that it is to run on.
    """
    # The variables are constants of the program: handed on as arguments inside of it, they are
    # written once for all platforms.
    network = functools.partial(program_of(trained), trained.variables)
    exported = export.export(jax.jit(network), platforms=platforms)(clips_of(trained))
    write_bytes(directory / FILE, exported.serialize())
