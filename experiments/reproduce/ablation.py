"""What tables 5.6 to 5.8 of the thesis have in common: one MTNet, and options by row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from vidjax.configs import mtnet_ablations

from . import budget
from .table import Row, Setup, Table

_OPTIONS = {"width": 16, "depths": (1, 1, 1, 1), "neck": 256, "dropout": 0.0}
NOTE = (
    "The rate was chosen with seed 100 on the network as the thesis has it: the best of 0.001, "
    "0.003 and 0.01 after 12 epochs."
)


def mtnet_table(
    name: str,
    title: str,
    rows: tuple[Row, ...],
    reference: str,
    options: Mapping[str, Mapping[str, Any]],
) -> Table:
    """A table of MTNets.

    `small` is mtnet_s with one block a stage, 16 channels for 24 and 256 features for 2048, on
    clips of 12 frames, of which the stages have 6, 3, 2 and 1.

    Args:
      name: on the command line.
      title: what it shows.
      rows: in their order.
      reference: name of the row that the others are compared with.
      options: of the network, by row.
    """

    def small(row: str) -> ConfigDict:
        return budget.temporal("mtnet_s", _OPTIONS | dict(options[row]), rate=0.001)

    def paper(row: str) -> ConfigDict:
        config = mtnet_ablations.get_config("model=mtnet_m")
        config.model.options.update(options[row])
        return config

    return Table(
        name=name,
        title=title,
        source=f"MTNet_M on HACS, thesis, table {name}",
        rows=rows,
        reference=reference,
        setups={
            "smoke": {"marionette": budget.smoke(small)},
            "small": {"marionette": budget.marionette(small, "14 epochs", NOTE)},
            "paper": {"hacs": Setup(paper, budget.SEEDS)},
        },
    )
