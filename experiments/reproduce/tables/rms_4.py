"""Random Mean Scaling on Kinetics-400: table 4 of the RMS paper."""

from ..paper_row import Network, PaperRow
from ..paper_scale import paper_table

# Network, frames, and top-1 and top-5 by row of `configs/rms_rows.py`.
_ROWS = {
    "SlowOnly": (
        "slowonly_50",
        8,
        {"baseline": (73.0, 90.9), "rms": (74.2, 91.5), "rms_gf": (74.8, 91.6)},
    ),
    "ip-CSN": ("ip_csn_50", 8, {"baseline": (69.7, 88.6), "rms": (70.5, 89.6)}),
    "SlowFast": ("slowfast_50", 32, {"baseline": (75.0, 92.1), "rms": (76.3, 92.5)}),
}
_METHODS = {"baseline": "", "rms": " + RMS", "rms_gf": " + RMS-GF"}

TABLE = paper_table(
    "rms.4",
    "Random Mean Scaling on Kinetics-400",
    "RMS paper, table 4, of ResNet-50s; our text of it has lost the star of rows with 10 crops",
    [
        PaperRow(
            label + _METHODS[row],
            *score,
            name=f"{model}_{row}",
            network=Network(model, frames, 224),
            config=f"rms_kinetics400:model={model},row={row}",
            dataset="kinetics400",
            against="" if row == "baseline" else f"{model}_baseline",
            facts={"input": f"{frames}x224x224"},
        )
        for label, (model, frames, scores) in _ROWS.items()
        for row, score in scores.items()
    ],
)
