"""Parts of MTNets after the plateau of the training: recurrent cells and spatial pools.

The network is that of `evidence.mtnet` with delta = 7/8 and chosen frames. Each row replaces one
part of it.
"""

from typing import Any

from .. import evidence_scale, mtnet_keep_time
from ..contrasts import Contrast, contrasts
from ..table import Row, Table

_PARTS: dict[str, dict[str, Any]] = {
    "base": {},
    **{cell: {"cell": cell} for cell in ("rnn", "lstm", "peephole_lstm")},
    **{pool: {"pool": pool} for pool in ("average", "max", "stochastic")},
}
_ROWS = (
    Row("base", "GRU and SoftPool", 83.4),
    Row("rnn", "RNN", 82.5),
    Row("lstm", "LSTM", 83.1),
    Row("peephole_lstm", "LSTM (peephole)", 83.2),
    Row("average", "average pool", 82.6),
    Row("max", "max pool"),
    Row("stochastic", "stochastic pool"),
)
# Estimated from `evidence.mtnet`: a step takes one core 61 ms.
_SETUPS = mtnet_keep_time.setups(_PARTS, minutes=70)

TABLE = Table(
    name="evidence.mtnet-parts",
    title="Recurrent cells and pools of MTNets",
    source=(
        "MTNet_M on HACS, thesis, tables 5.7 and 5.8, where max and stochastic pools come without "
        "chosen frames"
    ),
    rows=_ROWS,
    reference="base",
    setups={"smoke": evidence_scale.smoke_of(_SETUPS), "small": _SETUPS},
    primary=Contrast("rnn", "base", "marionette"),
    contrasts=contrasts([row.name for row in _ROWS], "base", ["marionette"], "top1"),
)
