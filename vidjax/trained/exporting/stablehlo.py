"""The network as one file of StableHLO, written and versioned by `jax.export`."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import jax
from jax import export

from vidjax.storage.writing import write_bytes
from vidjax.trained.exporting.export_request import Exported
from vidjax.trained.exporting.program import clips_of, program_of

FILE = "network.stablehlo"


def write(exported: Exported, directory: Path, platforms: Sequence[str]) -> None:
    """Writes `network.stablehlo`, with the weights in it.

    Args:
      exported: the network.
      directory: a folder.
      platforms: of `PLATFORMS`, that it is to run on.
    """
    # The variables are constants of the program: handed on as arguments inside of it, they are
    # written once for all platforms.
    network = functools.partial(program_of(exported), exported.trained.variables)
    program = export.export(jax.jit(network), platforms=platforms)(clips_of(exported))
    write_bytes(directory / FILE, program.serialize())
