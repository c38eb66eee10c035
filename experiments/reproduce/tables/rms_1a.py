"""Position of Random Mean Scaling in a residual branch: table 1a of the RMS paper."""

from ..paper_scale import paper_table
from ..rows.mini_kinetics import mini_kinetics_rows

TABLE = paper_table(
    "rms.1a",
    "Position of Random Mean Scaling",
    "SlowOnly on Mini-Kinetics, RMS paper, table 1a",
    (
        *mini_kinetics_rows(
            "slowonly_34",
            {
                "baseline": ("SlowOnly-34", "74.7±0.33", "92.1±0.06"),
                "before_conv1": ("before the 1st conv.", "76.7±0.23", "93.2±0.27"),
                "before_norm1": ("before the 1st BN", "76.9±0.54", "93.2±0.30"),
                "before_act1": ("before the 1st ReLU", "76.4±0.25", "93.2±0.09"),
                "before_conv2": ("before the 2nd conv.", "76.8±0.38", "93.3±0.12"),
                "before_norm2": ("before the 2nd BN", "76.7±0.23", "93.2±0.12"),
                "before_act2": ("before the 2nd ReLU", "76.3±0.36", "93.0±0.12"),
                "before_norms": ("before all BNs", "77.0±0.31", "93.5±0.23"),
            },
        ),
        *mini_kinetics_rows(
            "slowonly_50",
            {
                "baseline": ("SlowOnly-50", "77.5±0.85", "93.2±0.42"),
                "before_norm1": ("SlowOnly-50, before the 1st BN", "78.4±0.39", "93.8±0.11"),
                "before_norm2": ("SlowOnly-50, before the 2nd BN", "77.8±0.55", "93.8±0.21"),
                "before_norm3": ("SlowOnly-50, before the 3rd BN", "78.6±0.33", "94.0±0.12"),
            },
        ),
    ),
)
