"""Low-pass filters: table 1d of the RMS paper."""

from ..paper_scale import paper_table
from ..rows.mini_kinetics import mini_kinetics_rows

TABLE = paper_table(
    "rms.1d",
    "Low-pass filter of Random Mean Scaling",
    "SlowOnly on Mini-Kinetics, RMS paper, table 1d",
    (
        *mini_kinetics_rows(
            "slowonly_34",
            {
                "baseline": ("SlowOnly-34", "74.7±0.33", "92.1±0.06"),
                "rms": ("MF", "77.0±0.31", "93.5±0.23"),
                "gaussian_0.4": ("GF (0.4)", "77.5±0.16", "93.9±0.03"),
                "gaussian_1.0": ("GF (1.0)", "77.2±0.19", "93.7±0.23"),
                "gaussian_2.0": ("GF (2.0)", "77.2±0.29", "93.6±0.08"),
            },
        ),
        *mini_kinetics_rows(
            "slowonly_50",
            {
                "baseline": ("SlowOnly-50", "77.5±0.85", "93.2±0.42"),
                "rms": ("SlowOnly-50, MF", "78.6±0.33", "94.0±0.12"),
                "gaussian_0.4": ("SlowOnly-50, GF (0.4)", "78.3±0.33", "94.1±0.11"),
            },
        ),
    ),
)
