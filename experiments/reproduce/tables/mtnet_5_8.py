"""Pooling of the prolonged branch's input: table 5.8 of the thesis."""

from ..mtnet_ablation import mtnet_row, mtnet_table
from ..table import Row

# Label, and top-1 of MTNet_S, MTNet_M and MTNet_L.
_PRINTED = {
    "soft_selected": ("SoftPool + cos", (80.7, 83.4, 86.6)),
    "average_selected": ("Avg + cos", (80.5, 82.6, 85.9)),
    "soft_pooled": ("SoftPool", (77.8, 80.7, 84.2)),
    "average_pooled": ("Avg", (77.8, 79.8, 83.8)),
    "max_pooled": ("Max", (75.9, 77.6, 82.1)),
    "stochastic_pooled": ("Stochastic", (76.8, 78.2, 82.9)),
}
_OPTIONS = {row: dict(zip(("pool", "frames"), row.split("_"), strict=True)) for row in _PRINTED}

TABLE = mtnet_table(
    "5.8",
    "MTNets by pooling of the prolonged branch's inputs",
    tuple(Row(row, label, scores[1]) for row, (label, scores) in _PRINTED.items()),
    "soft_selected",
    _OPTIONS,
    [
        mtnet_row(model, row, label, _OPTIONS[row], "soft_selected", top1=scores[place])
        for place, model in enumerate(("mtnet_s", "mtnet_m", "mtnet_l"))
        for row, (label, scores) in _PRINTED.items()
    ],
    minutes=25,
)
