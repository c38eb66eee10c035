"""Reproduces tables of the papers: trains every row with every seed, then writes the table."""

from vidjax.run import source

from ..runs import attempt
from ..runs import execution as run

__all__ = ["attempt", "run", "source"]
