"""Random Mean Scaling on images: table 6 of the RMS paper."""

from vidjax.configs import rms_images

from ..paper_row import Network, PaperRow
from ..paper_scale import paper_table

# Size of a picture, classes, and label, top-1 and top-5 by row.
_ROWS = {
    "cifar100": (
        32,
        100,
        {
            "baseline": ("ResNet-110", 74.49, 93.18),
            "rms": ("ResNet-110 + RMS", 77.17, 94.15),
        },
    ),
    "imagenet": (
        224,
        1000,
        {
            "baseline": ("ResNet-50", 76.81, 93.26),
            "rms": ("ResNet-50 + RMS", 77.62, 93.91),
        },
    ),
}

TABLE = paper_table(
    "rms.6",
    "Random Mean Scaling on images",
    "RMS paper, table 6",
    [
        PaperRow(
            label,
            top1,
            top5,
            name=f"{data}_{row}",
            network=Network(
                rms_images.MODELS[data],
                1,
                size,
                classes=classes,
            ),
            config=f"rms_images:data={data},row={row}",
            dataset=data,
            against="" if row == "baseline" else f"{data}_baseline",
        )
        for data, (size, classes, rows) in _ROWS.items()
        for row, (label, top1, top5) in rows.items()
    ],
)
