"""Networks that the tables of several chapters share, with the numbers that the tables print.

If our counts differ from the printed ones by more than 2 %, the reason is given here, once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..paper_row import Network, PaperRow

BOTH = ("operations", "params")


@dataclass(frozen=True)
class System:
    """A network with its printed numbers.

    Attributes:
      network: the network here.
      operations: operations per view in 1e9, as most tables print them.
      views: number of views, as most tables print it.
      params: parameters in millions, as most tables print them.
      why: why our counts differ by more than 2 %.
    """

    network: Network
    operations: float
    views: int | str
    params: float
    why: str = ""

    def row(
        self,
        label: str,
        top1: float | None = None,
        top5: float | None = None,
        *,
        printing: tuple[str, ...] = BOTH,
        **more: Any,
    ) -> PaperRow:
        """Returns a row of a table.

        Args:
          label: label in the table.
          top1: top-1 in percent.
          top5: top-5 in percent.
          printing: which of `operations` and `params` the table prints.
          **more: fields of `PaperRow` that differ in this table, or further fields.
        """
        known: dict[str, Any] = {"network": self.network}
        if "operations" in printing:
            known |= {"operations": self.operations, "views": self.views}
        if "params" in printing:
            known["params"] = self.params
        known["why"] = self.why if printing else ""
        return PaperRow(label, top1, top5, **{**known, **more})


_TWICE = "two operations per multiply-add"
_OPEN_34 = "no common input gives 26.6; r3d-50 has 26.5 multiply-adds at 16x224x224"
_OPEN_2PLUS1 = "no common input gives the printed operations"
_I3D = (
    "public code has 12.7 M, 12.3 M without its classifier, and 111 for 64 frames; "
    "the printed values are round numbers from other papers, which no code gives"
)
_S = "the printed inputs 13x182, 13x160 and 16x256 have 4.1, less, and 9.0; none has 5.8"
_M = "without shortcuts, cells and head it has 8.8"
_L = "two recurrent layers, as the text says; with one it has 49.0 M"

OTHERS: Mapping[str, System] = {
    "MF-Net": System(Network("mfnet", 16, 224), 11.1, 50, 8.0),
    "I3D": System(Network("i3d", 64, 224), 108.0, 50, 12.0, _I3D),
    "TSM": System(Network("tsm_50", 16, 224), 65.0, 10, 24.3),
    "TAM": System(Network("tam_50", 16, 256), 86.0, 12, 25.6),
    "SF-50": System(Network("slowfast_50", 32, 256), 65.7, 30, 34.4),
    "SF-101": System(Network("slowfast_101_16x8", 64, 256), 213.0, 30, 53.7),
    "X3D-L": System(Network("x3d_l", 16, 356), 24.8, 30, 6.1),
    "X3D-XL": System(Network("x3d_xl", 16, 356), 48.4, 30, 11.0),
    "ir-CSN-101": System(
        Network("ir_csn_101", 32, 224), 63.6, 10, 22.1, "63.6 is the count of ip-CSN-101"
    ),
    "ip-CSN-101": System(Network("ip_csn_101", 32, 224), 63.6, 10, 24.5),
    "ip-CSN-152": System(Network("ip_csn_152", 32, 256), 108.8, 30, 32.8),
    "R(2+1)D": System(Network("r2plus1d_34", 32, 112), 152.0, 115, 63.6),
}
SF_101_OF_50 = "65.7 is the count of SF-50"

# The thesis' own networks: without gates, with gates, and MTNets.
PLAIN: Mapping[str, System] = {
    "r3d-34": System(Network("r3d_34_e1", 16, 224), 26.6, 30, 63.7, _OPEN_34),
    "r3d-50": System(Network("r3d_50_e1", 16, 224), 52.6, 30, 36.7, _TWICE),
    "r3d-101": System(Network("r3d_101_e1", 16, 224), 78.0, 30, 69.1, _TWICE),
    "r(2+1)d-34": System(Network("r2plus1d_34_e1", 16, 224), 37.8, 30, 61.8, _OPEN_2PLUS1),
    "r(2+1)d-50": System(Network("r2plus1d_50_e1", 16, 224), 83.3, 30, 34.8, _OPEN_2PLUS1),
    "r(2+1)d-101": System(Network("r2plus1d_101_e1", 16, 224), 163.0, 30, 67.2, _OPEN_2PLUS1),
}
GATED: Mapping[str, System] = {
    "SRTG r3d-34": System(Network("srtg_r3d_34", 16, 224), 26.6, 30, 83.8, _OPEN_34),
    "SRTG r3d-50": System(Network("srtg_r3d_50", 16, 224), 52.7, 30, 56.9, _TWICE),
    "SRTG r3d-101": System(Network("srtg_r3d_101", 16, 224), 78.1, 30, 107.1, _TWICE),
    "SRTG r(2+1)d-34": System(Network("srtg_r2plus1d_34", 16, 224), 37.8, 30, 82.1, _OPEN_2PLUS1),
    "SRTG r(2+1)d-50": System(Network("srtg_r2plus1d_50", 16, 224), 83.4, 30, 55.0, _OPEN_2PLUS1),
    "SRTG r(2+1)d-101": System(
        Network("srtg_r2plus1d_101", 16, 224), 163.1, 30, 105.3, _OPEN_2PLUS1
    ),
}
MTNETS: Mapping[str, System] = {
    "MTNet_S": System(Network("mtnet_s", 13, 182), 5.8, 30, 25.8, _S),
    "MTNet_M": System(Network("mtnet_m", 16, 256), 8.8, 30, 25.8, _M),
    "MTNet_L": System(Network("mtnet_l", 16, 256), 17.6, 30, 50.1, _L),
}


def backbone_rows(
    scores: Mapping[str, tuple[float, float]], dataset: str, **more: Any
) -> list[PaperRow]:
    """Returns rows of the thesis' residual networks, which `configs/srtg.py` trains.

    Args:
      scores: top-1 and top-5, by the network's name in the thesis.
      dataset: data set, as in `configs/srtg.py`.
      **more: further arguments of `System.row`.
    """
    known = {**PLAIN, **GATED}
    return [
        known[label].row(
            label,
            *score,
            config=f"srtg:model={known[label].network.name},dataset={dataset}",
            dataset=dataset,
            against=_against(label, scores),
            name=folder(label),
            **more,
        )
        for label, score in scores.items()
    ]


def mtnet_rows(
    scores: Mapping[str, tuple[float, float]], dataset: str, **more: Any
) -> list[PaperRow]:
    """Returns rows of MTNets, which `configs/mtnet.py` trains; arguments as in `backbone_rows`."""
    return [
        MTNETS[label].row(
            label,
            *score,
            config=f"mtnet:model={MTNETS[label].network.name},dataset={dataset}",
            # Chapter 5 has the version of 2020.
            dataset="kinetics700_2020" if dataset == "kinetics700" else dataset,
            name=MTNETS[label].network.name,
            **more,
        )
        for label, score in scores.items()
    ]


def _against(label: str, scores: Mapping[str, Any]) -> str:
    """Returns the row without gates, if the table has it."""
    plain = label.removeprefix("SRTG ")
    return folder(plain) if plain != label and plain in scores else ""


def folder(label: str) -> str:
    """Returns the folder name of one of the thesis' residual networks."""
    return {**PLAIN, **GATED}[label].network.name
