"""Tables of the papers, run anew: every row with every seed on every data set, then the table."""

from ..runs import attempt, source
from ..runs import execution as run

__all__ = ["attempt", "run", "source"]
