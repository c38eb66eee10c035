"""The share of the local branch: table 5.6 of the thesis; delta = 1 has no prolonged branch."""

from ..ablation import mtnet_table
from ..table import Row

_SHARES = {
    "1": (1.0, 82.2),
    "7/8": (7 / 8, 83.4),
    "3/4": (3 / 4, 83.1),
    "1/2": (1 / 2, 79.7),
    "1/4": (1 / 4, 77.1),
}
_NAMES = {label: "delta_" + label.replace("/", "_") for label in _SHARES}

TABLE = mtnet_table(
    "5.6",
    "MTNets by the share of the local branch",
    tuple(Row(_NAMES[label], f"delta = {label}", paper) for label, (_, paper) in _SHARES.items()),
    _NAMES["1"],
    {_NAMES[label]: {"delta": delta} for label, (delta, _) in _SHARES.items()},
)
