"""Random Mean Scaling and other networks on Mini-Kinetics: table 3 of the RMS paper."""

from ..paper_row import Network, PaperRow
from ..paper_scale import paper_table
from ..rows.mini_kinetics import mini_kinetics_rows

_OTHERS = (
    ("S3D", Network("s3d", 64, 224, classes=200), 78.4, None),
    ("ResNet-50 + CGD", Network("i3d_r50_cgd", 32, 224, classes=200), 77.56, 93.20),
    ("ResNet-50 + NL x 5", Network("i3d_r50_nl5", 32, 224, classes=200), 77.53, 94.00),
    ("ResNet-50 + CGNL x 5", Network("i3d_r50_cgnl5", 32, 224, classes=200), 78.79, 94.37),
)

TABLE = paper_table(
    "rms.3",
    "Random Mean Scaling and other networks on Mini-Kinetics",
    "RMS paper, table 3",
    (
        *(PaperRow(label, top1, top5, network=network) for label, network, top1, top5 in _OTHERS),
        *mini_kinetics_rows(
            "slowonly_34",
            {
                "baseline": ("SlowOnly-34", "74.7", "92.1"),
                "rms": ("SlowOnly-34 + RMS", "77.0", "93.5"),
                "rms_gf": ("SlowOnly-34 + RMS-GF", "77.5", "93.9"),
            },
        ),
        *mini_kinetics_rows(
            "slowonly_50",
            {
                "baseline": ("SlowOnly-50", "77.5", "93.2"),
                "rms": ("SlowOnly-50 + RMS", "78.6", "94.0"),
                "rms_gf": ("SlowOnly-50 + RMS-GF", "78.3", "94.1"),
            },
        ),
    ),
)
