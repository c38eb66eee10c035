"""Rows of the RMS paper on Mini-Kinetics: tables 1a to 1d, 2 and 3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..paper_row import Network, PaperRow

REFERENCES = {"slowonly_34": "baseline", "slowonly_50": "slowonly_50_baseline"}


def mini_kinetics_rows(model: str, rows: Mapping[str, tuple[str, ...]]) -> list[PaperRow]:
    """Returns rows that `configs/rms_mini_kinetics.py` trains.

    Regularisers are not counted: they have no parameters and do nothing in a test.

    Args:
      model: `slowonly_34` or `slowonly_50`; rows of the latter have the network before their name.
      rows: name in that file -> label, top-1 and perhaps top-5, such as `77.0±0.31`.
    """
    prefix = "" if model == "slowonly_34" else f"{model}_"
    found = []
    for row, (label, *scores) in rows.items():
        found.append(
            PaperRow(
                label,
                name=prefix + row,
                network=Network(model, 8, 224, classes=200),
                config=f"rms_mini_kinetics:model={model},row={row}",
                dataset="mini_kinetics",
                against="" if row == "baseline" else REFERENCES[model],
                **with_deviations(*scores),
            )
        )
    return found


def with_deviations(*scores: str) -> dict[str, Any]:
    """Parses top-1 and top-5, such as `77.0±0.31`, into fields of `PaperRow`."""
    fields: dict[str, Any] = {}
    facts = {}
    for name, text in zip(("top1", "top5"), scores, strict=False):
        value, _, deviation = text.partition("±")
        fields[name] = float(value)
        if deviation:
            facts[f"{name}_deviation"] = deviation
    return {**fields, "facts": facts}
