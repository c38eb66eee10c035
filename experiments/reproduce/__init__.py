"""Tables of the papers, run anew: every row with every seed on every data set, then the table."""

from vidjax.run import code_digest

from ..runs import scheduler as run
from ..runs import worker

__all__ = ["code_digest", "run", "worker"]
