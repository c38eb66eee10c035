"""Computation times of Class Feature Pyramids: table 7.1 of the thesis, which needs no training."""

from ..paper_row import Network, PaperRow
from ..paper_scale import paper_table

_TWICE = "two operations per multiply-add, and elementwise operations"
_MTNET = "table 5.1 prints others for the same networks; this one does not say what it counts"
# Label, network, operations, milliseconds of a back-step, layers, theta.
_ROWS = (
    ("Multi-FiberNet", Network("mfnet", 16, 224), 22.70, "24.43", "3", "0.6"),
    ("I3D", Network("i3d", 16, 224), 55.79, "23.21", "1 + mixed5c", "0.65"),
    ("ResNet50-3D", Network("r3d_50", 16, 224), 80.32, "21.39", "3", "0.55"),
    ("ResNet101-3D", Network("r3d_101", 16, 224), 110.98, "39.48", "3", "0.6"),
    ("ResNet152-3D", Network("r3d_152", 16, 224), 148.91, "31.06", "3", "0.6"),
    ("ResNeXt101-3D", Network("resnext3d_101", 16, 224), 76.96, "70.49", "3", "0.6"),
    ("MTNet_S", Network("mtnet_s", 13, 182), 11.30, "26.32", "3", "0.67"),
    ("MTNet_M", Network("mtnet_m", 16, 256), 14.12, "32.17", "3", "0.67"),
    ("MTNet_L", Network("mtnet_l", 16, 256), 20.82, "34.65", "3", "0.67"),
)

TABLE = paper_table(
    "7.1",
    "Computation times of Class Feature Pyramids",
    "thesis, table 7.1; vidjax benchmark pyramids measures them",
    [
        PaperRow(
            label,
            operations=operations,
            network=network,
            facts={"back_step": back_step, "layers": layers, "theta": theta},
            why=_MTNET if network.name.startswith("mtnet") else _TWICE,
        )
        for label, network, operations, back_step, layers, theta in _ROWS
    ],
)
