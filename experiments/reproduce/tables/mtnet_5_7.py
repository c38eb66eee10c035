"""Cells of the squeeze and recursion in MTBlocks: table 5.7 of the thesis."""

from ..ablation import mtnet_table
from ..table import Row

_CELLS = {
    "gru": ("GRU", 83.4),
    "rnn": ("RNN", 82.5),
    "lstm": ("LSTM", 83.1),
    "peephole_lstm": ("LSTM (peephole)", 83.2),
}

TABLE = mtnet_table(
    "5.7",
    "MTNets by recurrent cell",
    tuple(Row(cell, label, paper) for cell, (label, paper) in _CELLS.items()),
    "gru",
    {cell: {"cell": cell} for cell in _CELLS},
)
