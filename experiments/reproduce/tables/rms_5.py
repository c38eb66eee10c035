"""Random Mean Scaling on Something-Something-v2: table 5 of the RMS paper."""

from ..paper_row import Network, PaperRow
from ..paper_scale import paper_table

_ROWS = {
    "baseline": ("SlowFast-50", 59.5, 86.6),
    "rms": ("SlowFast-50 + RMS", 61.2, 87.6),
}

TABLE = paper_table(
    "rms.5",
    "Random Mean Scaling on Something-Something-v2",
    "RMS paper, table 5, from weights of Kinetics-400",
    [
        PaperRow(
            label,
            top1,
            top5,
            name=row,
            network=Network(
                "slowfast_50",
                32,
                224,
                classes=174,
            ),
            config=f"rms_something:row={row}",
            dataset="something_something_v2",
        )
        for row, (label, top1, top5) in _ROWS.items()
    ],
)
