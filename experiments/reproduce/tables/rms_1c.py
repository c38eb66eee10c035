"""Scaled part of the features: table 1c of the RMS paper."""

from ..paper_scale import paper_table
from ..rows.mini_kinetics import mini_kinetics_rows

TABLE = paper_table(
    "rms.1c",
    "Random scaling of the mean, of all and of the rest",
    "SlowOnly-34 on Mini-Kinetics, RMS paper, table 1c",
    mini_kinetics_rows(
        "slowonly_34",
        {
            "baseline": ("SlowOnly-34", "74.7±0.33", "92.1±0.06"),
            "mean_0.3": ("RS on the mean (RMS), 0.3", "76.1±0.76", "92.9±0.45"),
            "mean_0.5": ("RS on the mean (RMS), 0.5", "77.0±0.31", "93.5±0.23"),
            "input_0.3": ("RS on x, 0.3", "75.6±0.23", "92.9±0.15"),
            "input_0.5": ("RS on x, 0.5", "75.4±0.40", "93.0±0.42"),
            "residual_0.3": ("RS on r, 0.3", "75.0±0.26", "92.4±0.13"),
            "residual_0.5": ("RS on r, 0.5", "75.6±0.77", "92.5±0.37"),
        },
    ),
)
