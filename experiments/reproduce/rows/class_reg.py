"""Rows with and without Class Regularization in tables 6.1, 6.2, 6.3, 6.4 and 6.6."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from vidjax.configs import mtnet

from ..paper_row import Network, PaperRow

METHOD: Mapping[str, Any] = {"class_reg": {"variant": "thesis"}}
_TWICE = "two operations per multiply-add at 16x224x224, not at the printed 16x112x112"
_ADDED = "; the printed 1.2 to 2.7 for the method are 0.2 multiply-adds here"
_S = "the printed inputs 13x182, 13x160 and 16x256 have 4.1, less, and 9.0; none has 5.8"
_M = "the method adds 0.3 to 9.0 here; the printed count is 0.1 more than 8.8"
_L = "two recurrent layers, as the text says; with one it has 49.0 M before the method"


@dataclass(frozen=True)
class Pair:
    """A network without and with the method, from table 6.4.

    Attributes:
      model: name of the network.
      without: top-1, top-5, operations and parameters without the method.
      regularized: the same numbers with the method.
    """

    model: str
    without: tuple[float, float, float, float]
    regularized: tuple[float, float, float, float]


PAIRS: Mapping[str, Pair] = {
    "r3d-50": Pair("r3d_50_e1", (63.6, 84.5, 52.6, 36.7), (64.2, 85.1, 53.8, 37.6)),
    "r(2+1)d-50": Pair("r2plus1d_50_e1", (64.5, 85.2, 83.3, 34.8), (65.2, 86.4, 84.5, 35.7)),
    "wide-r3d-50": Pair("wide_r3d_50_e1", (64.0, 85.4, 168.6, 140.9), (65.3, 86.1, 171.3, 143.4)),
    "r3d-101": Pair("r3d_101_e1", (65.2, 86.3, 78.0, 69.1), (67.7, 87.6, 79.2, 70.0)),
}
# Operations and parameters of MTNets with the method, which tables 6.2 and 6.3 print.
_MTNETS = {
    "mtnet_s": ("MTNet_S", 5.8, 26.5, _S),
    "mtnet_m": ("MTNet_M", 8.9, 26.5, _M),
    "mtnet_l": ("MTNet_L", 17.7, 51.2, _L),
}


def pair_rows(label: str) -> tuple[PaperRow, PaperRow]:
    """Returns both rows of a network, which `configs/class_reg.py` trains from scratch."""
    pair = PAIRS[label]
    open_count = "no common input gives the printed operations"
    why = open_count if pair.model.startswith("r2plus1d") else _TWICE
    without = _row(label, pair.without, Network(pair.model, 16, 224))
    plain = replace(
        without,
        name=pair.model,
        config=f"class_reg:model={pair.model},baseline=true",
        why=why,
    )
    with_it = _row(f"{label} (CR)", pair.regularized, Network(pair.model, 16, 224, METHOD))
    return plain, replace(
        with_it,
        name=f"{pair.model}_cr",
        config=f"class_reg:model={pair.model}",
        against=pair.model,
        why=why + _ADDED,
    )


def _row(label: str, numbers: tuple[float, float, float, float], network: Network) -> PaperRow:
    top1, top5, operations, params = numbers
    return PaperRow(
        label,
        top1,
        top5,
        operations,
        params=params,
        network=network,
        dataset="kinetics400",
        facts={"input": "16x112x112"},
    )


def mtnet_cr_row(
    model: str, dataset: str, top1: float, top5: float, against: str = "", **more: Any
) -> PaperRow:
    """Returns the row of an MTNet with the method; only the method is trained.

    Args:
      model: `mtnet_s`, `mtnet_m` or `mtnet_l`.
      dataset: `kinetics400` or `hacs`.
      top1: top-1 in percent.
      top5: top-5 in percent.
      against: name of its row without the method.
      **more: further fields of `PaperRow`.
    """
    label, operations, params, why = _MTNETS[model]
    frames, size = mtnet.INPUTS[model]
    known = {"operations": operations, "views": 30, "params": params, "why": why}
    return PaperRow(
        f"{label} (CR)",
        top1,
        top5,
        name=f"{model}_cr",
        network=Network(model, frames, size, METHOD),
        config=f"class_reg:model={model},dataset={dataset},tune=true",
        dataset=dataset,
        against=against,
        **{**known, **more},
    )
