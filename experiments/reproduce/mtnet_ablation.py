"""Shared parts of tables 5.6 to 5.8 of the thesis: MTNets on HACS, with options for each row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ml_collections import ConfigDict

from vidjax.configs import mtnet

from . import small_scale
from .paper_row import Network, PaperRow
from .paper_scale import paper_setups
from .table import Row, Table

_OPTIONS = {"width": 16, "depths": (1, 1, 1, 1), "neck": 256, "dropout": 0.0}
_LABELS = {"mtnet_s": "MTNet_S", "mtnet_m": "MTNet_M", "mtnet_l": "MTNet_L"}
# Options of the networks if a row has no other ones.
_OWN = {"delta": 7 / 8, "cell": "gru", "frames": "selected"}
NOTE = (
    "The learning rate was chosen with seed 100 on the thesis' own network: the best of 0.001, "
    "0.003 and 0.01 after 12 epochs."
)


def mtnet_table(
    name: str,
    title: str,
    rows: tuple[Row, ...],
    reference: str,
    options: Mapping[str, Mapping[str, Any]],
    printed: Sequence[PaperRow],
    minutes: float,
) -> Table:
    """Builds a table of MTNets.

    At scale `small` the network is mtnet_s with one block per stage, 16 channels instead of 24 and
    256 features instead of 2048. Clips have 12 frames; the stages have 6, 3, 2 and 1.

    Args:
      name: name on the command line.
      title: title of the table.
      rows: rows of the scales `smoke` and `small`, in order.
      reference: name of the row that the others are compared with.
      options: options of the network, by row.
      printed: all rows of the thesis.
      minutes: minutes that the scale `small` took.
    """

    def small(row: str) -> ConfigDict:
        return small_scale.temporal("mtnet_s", _OPTIONS | dict(options[row]), rate=0.001)

    return Table(
        name=name,
        title=title,
        source=f"MTNets on HACS, thesis, table {name}",
        rows=rows,
        reference=reference,
        setups={
            "smoke": {"marionette": small_scale.smoke(small)},
            "small": {"marionette": small_scale.marionette(small, "14 epochs", NOTE, minutes)},
            "paper": paper_setups(printed),
        },
        printed=tuple(printed),
    )


def mtnet_row(
    model: str, row: str, label: str, options: Mapping[str, Any], reference: str, **more: Any
) -> PaperRow:
    """Builds a row of the thesis, which `configs/mtnet_ablations.py` trains.

    Args:
      model: `mtnet_s`, `mtnet_m` or `mtnet_l`.
      row: name of the row for mtnet_m; other networks have their name before it.
      label: label in the thesis.
      options: options of the network.
      reference: name of the row that the rows of this network are compared with.
      **more: further fields of `PaperRow`.
    """
    prefix = "" if model == "mtnet_m" else f"{model}_"
    frames, size = mtnet.INPUTS[model]
    return PaperRow(
        f"{_LABELS[model]}, {label}",
        name=prefix + row,
        network=Network(model, frames, size, _counted(options)),
        config=f"mtnet_ablations:model={model}",
        changes={f"model.options.{key}": value for key, value in options.items()},
        dataset="hacs",
        against="" if row == reference else prefix + reference,
        **more,
    )


def _counted(options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the options that change the counts; spatial pools do not change them."""
    return {key: value for key, value in options.items() if key != "pool" and value != _OWN[key]}
