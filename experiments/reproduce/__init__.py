"""Tables of the papers, run anew: every row with every seed on every data set, then the table."""

from vidjax.run import source

from ..runs import attempt
from ..runs import execution as run

__all__ = ["attempt", "run", "source"]
