"""Rows of networks fine-tuned on UCF-101 and HMDB-51: tables 4.6, 4.7 and 5.9 of the thesis.

A network starts from the weights of a run of an earlier table. Put the work directory of that run,
or the weights, at `weights/NETWORK-PRE`, such as `weights/srtg_r3d_34-hacs-k-700`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..paper_row import Network, PaperRow
from .networks import GATED, MTNETS, PLAIN

_KNOWN = {**PLAIN, **GATED, **MTNETS}


def gated_to(
    dataset: str,
    pre: str,
    scores: Mapping[str, tuple[float | None, float | None]],
    *,
    config: str = "srtg_transfer",
    named: str = "{}",
    printing: tuple[str, ...] = (),
    **more: Any,
) -> list[PaperRow]:
    """Returns rows of the thesis' own networks.

    Args:
      dataset: `ucf101` or `hmdb51`.
      pre: data sets of the weights, as the thesis writes them.
      scores: top-1 and top-5, by the network's name in the thesis.
      config: configuration that trains them.
      named: name of their folders, with `{}` for the network.
      printing: as in `System.row`.
      **more: further arguments of `System.row`.
    """
    suffix = pre.lower().replace("+", "-")
    return [
        _KNOWN[label].row(
            label,
            *score,
            printing=printing,
            config=f"{config}:model={_KNOWN[label].network.name},dataset={dataset}",
            changes={"model.weights": f"weights/{_KNOWN[label].network.name}-{suffix}"},
            dataset=dataset,
            name=named.format(_KNOWN[label].network.name),
            facts={"pre": pre},
            **more,
        )
        for label, score in scores.items()
    ]


def others_to_ucf101() -> tuple[PaperRow, ...]:
    """Returns the rows of other authors, which tables 4.6 and 5.9 share."""
    rows = (
        ("I3D", Network("i3d", 64, 224), "K-400", 92.4, 97.6),
        ("TSM", Network("tsm_50", 16, 224), "K-400", 92.3, 97.9),
        ("ir-CSN-152", Network("ir_csn_152", 32, 224), "IG65M", 95.4, 99.2),
        ("MF-Net", Network("mfnet", 16, 224), "K-400", 93.8, 98.4),
        ("SF r3d-50", Network("slowfast_50", 32, 256), "ImageNet", 94.6, 98.7),
        ("SF r3d-101", Network("slowfast_101_16x8", 64, 256), "ImageNet", 95.8, 99.1),
    )
    return tuple(
        PaperRow(label, top1, top5, network=network, facts={"pre": pre})
        for label, network, pre, top1, top5 in rows
    )
