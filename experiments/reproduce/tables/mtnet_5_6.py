"""Share of the local branch: table 5.6 of the thesis. With delta = 1 it is the only branch."""

from ..mtnet_ablation import mtnet_row, mtnet_table
from ..table import Row

_SHARES = {
    "1": (1.0, 82.2),
    "7/8": (7 / 8, 83.4),
    "3/4": (3 / 4, 83.1),
    "1/2": (1 / 2, 79.7),
    "1/4": (1 / 4, 77.1),
}
# For each network and share: top-1, top-5, operations, parameters.
_PRINTED = {
    "mtnet_m": {
        "1": (82.2, 93.6, 10.8, 29.7),
        "7/8": (83.4, 95.9, 8.8, 25.8),
        "3/4": (83.1, 95.6, 6.7, 21.8),
        "5/8": (81.6, 93.2, 4.8, 19.3),
        "1/2": (79.7, 91.8, 3.6, 18.6),
        "3/8": (78.6, 89.4, 2.6, 19.2),
        "1/4": (77.1, 88.6, 2.1, 21.0),
    },
    "mtnet_l": {
        "1": (84.9, 95.7, 20.6, 53.5),
        "7/8": (86.6, 96.7, 17.6, 50.1),
        "3/4": (86.1, 96.2, 12.5, 45.3),
        "1/2": (83.2, 95.3, 7.09, 42.7),
        "3/8": (82.1, 93.9, 5.2, 45.3),
        "1/4": (80.3, 92.4, 4.1, 47.8),
    },
}
_WHY = (
    "the thesis leaves open what the convolutions are made of: factorised kernels over split "
    "channels fit its numbers best, but not exactly"
)
_DELTAS = {share: int(share[0]) / int(share[-1]) for share in _PRINTED["mtnet_m"]} | {"1": 1.0}
_NAMES = {label: "delta_" + label.replace("/", "_") for label in _DELTAS}

TABLE = mtnet_table(
    "5.6",
    "MTNets by the share of the local branch",
    tuple(Row(_NAMES[label], f"delta = {label}", paper) for label, (_, paper) in _SHARES.items()),
    _NAMES["1"],
    {_NAMES[label]: {"delta": delta} for label, (delta, _) in _SHARES.items()},
    [
        mtnet_row(
            model,
            _NAMES[share],
            f"delta = {share}",
            {"delta": _DELTAS[share]},
            _NAMES["1"],
            top1=top1,
            top5=top5,
            operations=operations,
            params=params,
            why=_WHY,
        )
        for model, rows in _PRINTED.items()
        for share, (top1, top5, operations, params) in rows.items()
    ],
    minutes=22,
)
