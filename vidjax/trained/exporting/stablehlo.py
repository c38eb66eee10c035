"""Exports the network as one StableHLO file, written and versioned by `jax.export`."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import jax
from jax import export

from vidjax.storage.writing import write_bytes
from vidjax.trained.exporting.export_request import ExportRequest
from vidjax.trained.exporting.program import clips_of, program_of

FILE = "network.stablehlo"


def write(exported: ExportRequest, directory: Path, platforms: Sequence[str]) -> None:
    """Writes `network.stablehlo`, which includes the weights.

    Args:
      exported: the network.
      directory: a folder.
      platforms: platforms to run on, each one of `PLATFORMS`.
    """
    # The variables are constants of the program. Passing them on as arguments inside it writes them
    # only once for all platforms.
    network = functools.partial(program_of(exported), exported.trained.variables)
    program = export.export(jax.jit(network), platforms=platforms)(clips_of(exported))
    write_bytes(directory / FILE, program.serialize())
