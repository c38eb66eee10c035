"""Reproduces tables of the papers: trains every row with every seed, then writes the table."""

from vidjax.run import code_digest

from ..runs import scheduler as run
from ..runs import worker

__all__ = ["code_digest", "run", "worker"]
