"""How the prolonged branch's inputs are halved: table 5.8 of the thesis."""

from ..ablation import mtnet_table
from ..table import Row

_ROWS = {
    "soft_selected": ("SoftPool + cos", 83.4),
    "average_selected": ("Avg + cos", 82.6),
    "soft_pooled": ("SoftPool", 80.7),
    "average_pooled": ("Avg", 79.8),
    "max_pooled": ("Max", 77.6),
    "stochastic_pooled": ("Stochastic", 78.2),
}

TABLE = mtnet_table(
    "5.8",
    "MTNets by pooling of the prolonged branch's inputs",
    tuple(Row(row, label, paper) for row, (label, paper) in _ROWS.items()),
    "soft_selected",
    {row: dict(zip(("pool", "frames"), row.split("_"), strict=True)) for row in _ROWS},
)
