"""Distribution of alpha: table 1b of the RMS paper."""

from ..paper_scale import paper_table
from ..rows.mini_kinetics import mini_kinetics_rows

TABLE = paper_table(
    "rms.1b",
    "Distribution of alpha",
    "SlowOnly-34 on Mini-Kinetics, RMS paper, table 1b",
    mini_kinetics_rows(
        "slowonly_34",
        {
            "baseline": ("SlowOnly-34", "74.7±0.33", "92.1±0.06"),
            "normal_0.3": ("N(1.0, 0.3)", "76.1±0.76", "92.9±0.45"),
            "normal_0.5": ("N(1.0, 0.5)", "77.0±0.31", "93.5±0.23"),
            "normal_0.7": ("N(1.0, 0.7)", "76.9±0.20", "93.5±0.37"),
            "uniform_0.5_1.5": ("U(0.5, 1.5)", "75.7±0.43", "92.6±0.29"),
            "uniform_0.0_2.0": ("U(0.0, 2.0)", "76.4±0.36", "93.4±0.45"),
            "uniform_-0.5_2.5": ("U(-0.5, 2.5)", "74.5±0.58", "92.6±0.16"),
        },
    ),
)
