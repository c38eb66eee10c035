"""Rows of tables 1 and 2 of the ICIP paper, with Hara's networks and I3D."""

from __future__ import annotations

from typing import Any

from ..paper_row import Network, PaperRow

_METHOD: dict[str, Any] = {"class_reg": {"variant": "icip"}}
_TWICE = "two operations per multiply-add, and elementwise operations"
_ADDED = "; the printed 7 to 15 for the method are 1 to 3 multiply-adds here"
_WIDE = "no variant gives the printed operations; two operations per multiply-add are 207"
# Label, layers without and with the method, milliseconds that it adds, operations without and
# with it, and top-1 of table 1 without and with it.
_NETWORKS = {
    "r3d_101": ("ResNet101", "101", "101 + 4", "98.786", (110.98, 126.13), (65.2, 67.7)),
    "wide_r3d_50": ("Wide ResNet50", "50", "50 + 4", "102.995", (72.32, 82.67), (63.9, 65.3)),
    "i3d": ("I3D", "48", "48 + 3", "68.340", (55.79, 62.96), (66.4, 67.8)),
}
# Top-1 of table 2 without and with the method.
_SCORES = {
    "r3d_101": {"kinetics400": (65.29, 67.74), "ucf101": (88.23, 88.84), "hmdb51": (62.47, 63.31)},
    "wide_r3d_50": {
        "kinetics400": (63.96, 65.33),
        "ucf101": (87.52, 89.11),
        "hmdb51": (61.62, 63.24),
    },
    "i3d": {"kinetics400": (66.42, 67.85), "ucf101": (91.80, 93.17), "hmdb51": (64.27, 65.83)},
}


def rows_on(dataset: str, counted: bool = False) -> list[PaperRow]:
    """Returns the rows of the three networks without and with the method.

    Args:
      dataset: `kinetics400`, `ucf101` or `hmdb51`.
      counted: whether the columns and rounded scores are those of table 1, or those of table 2.
    """
    rows = []
    for model, (label, plain, more, latency, operations, rounded) in _NETWORKS.items():
        scores = rounded if counted else _SCORES[model][dataset]
        pre = "ImageNet" if model == "i3d" else "-"
        for place, with_it in enumerate((False, True)):
            if counted:
                facts = {"pre": "-" if with_it else pre, "layers": more if with_it else plain}
            else:
                facts = {"data": dataset, "latency": f"+{latency}" if with_it else "-"}
            why = _WIDE if model == "wide_r3d_50" else _TWICE
            rows.append(
                PaperRow(
                    f"{label} (w/ ClassReg)" if with_it else label,
                    scores[place],
                    operations=operations[place] if counted else None,
                    name=f"{model}_cr" if with_it else model,
                    network=Network(model, 16, 224, _METHOD if with_it else {}),
                    config=_config(model, dataset, with_it),
                    changes=_weights(model, dataset) if with_it else {},
                    dataset=dataset,
                    against=model if with_it else "",
                    facts=facts,
                    why=(why + _ADDED * with_it) if counted else "",
                )
            )
    return rows


def _config(model: str, dataset: str, with_it: bool) -> str:
    """Returns the configuration of a row; small data sets use their first split."""
    small = "" if dataset == "kinetics400" else f",dataset={dataset},split=1"
    return f"class_reg:model={model},variant=icip{small}" + ("" if with_it else ",baseline=true")


def _weights(model: str, dataset: str) -> dict[str, Any]:
    """Returns the weights to start a row with the method from, on small data sets."""
    return {} if dataset == "kinetics400" else {"model.weights": f"weights/{model}_cr"}
