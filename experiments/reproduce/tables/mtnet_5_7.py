"""Recurrent cells of squeeze and recursion in MTBlocks: table 5.7 of the thesis."""

from ..mtnet_ablation import mtnet_row, mtnet_table
from ..table import Row

_CELLS = {
    "gru": ("GRU", 83.4),
    "rnn": ("RNN", 82.5),
    "lstm": ("LSTM", 83.1),
    "peephole_lstm": ("LSTM (peephole)", 83.2),
}
# Parameters and operations; then for each network and cell: milliseconds forward and backward,
# top-1, top-5.
_PARAMS = {"rnn": 24.3, "lstm": 26.5, "peephole_lstm": 26.5, "gru": 25.8}
_OPERATIONS = {"mtnet_s": 5.8, "mtnet_m": 8.8}
_PRINTED = {
    "mtnet_s": {
        "rnn": ("58", "78", 78.8, 93.7),
        "lstm": ("61", "79", 79.9, 94.3),
        "peephole_lstm": ("68", "85", 80.1, 94.5),
        "gru": ("65", "80", 80.7, 95.2),
    },
    "mtnet_m": {
        "rnn": ("84", "113", 82.5, 94.8),
        "lstm": ("86", "109", 83.1, 95.4),
        "peephole_lstm": ("94", "120", 83.2, 95.6),
        "gru": ("90", "111", 83.4, 95.9),
    },
}
_WHY = (
    "cells have two layers, as the text says, but the printed parameters differ as with one layer; "
    "for the operations see table 5.1"
)

TABLE = mtnet_table(
    "5.7",
    "MTNets by recurrent cell",
    tuple(Row(cell, label, paper) for cell, (label, paper) in _CELLS.items()),
    "gru",
    {cell: {"cell": cell} for cell in _CELLS},
    [
        mtnet_row(
            model,
            cell,
            _CELLS[cell][0],
            {"cell": cell},
            "gru",
            top1=top1,
            top5=top5,
            operations=_OPERATIONS[model],
            params=_PARAMS[cell],
            facts={"forward": forward, "backward": backward},
            why=_WHY,
        )
        for model, rows in _PRINTED.items()
        for cell, (forward, backward, top1, top5) in rows.items()
    ],
    minutes=26,
)
