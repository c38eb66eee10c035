"""Class Regularization and others on HACS: table 6.2 of the thesis."""

from ..paper_scale import paper_table
from ..rows.class_reg import mtnet_cr_row
from ..rows.networks import OTHERS, SF_101_OF_50, backbone_rows, mtnet_rows
from .mtnet_5_5 import MTNETS_HACS
from .srtg_4_2 import GATED_HACS, IG65, K400, PLAIN_HACS

_NONE = {"pre": "-"}

TABLE = paper_table(
    "6.2",
    "Class Regularization and others on HACS",
    "thesis, table 6.2",
    (
        OTHERS["MF-Net"].row("MF-Net", 78.3, 94.6, facts=K400),
        OTHERS["TAM"].row("TAM", 82.2, 95.2, facts=K400),
        OTHERS["SF-101"].row("SF-101", 83.7, 96.8, operations=65.7, why=SF_101_OF_50, facts=K400),
        OTHERS["X3D-L"].row("X3D-L", 85.8, 96.1, facts=K400),
        OTHERS["ir-CSN-101"].row("ir-CSN-101", 83.8, 93.8, facts=IG65),
        OTHERS["ip-CSN-101"].row("ip-CSN-101", 84.1, 93.9, facts=IG65),
        *backbone_rows({**PLAIN_HACS, **GATED_HACS}, "hacs", facts=_NONE),
        *mtnet_rows(MTNETS_HACS, "hacs", facts=_NONE),
        mtnet_cr_row("mtnet_s", "hacs", 81.8, 96.1, against="mtnet_s", facts=_NONE),
        mtnet_cr_row("mtnet_m", "hacs", 84.7, 96.7, against="mtnet_m", facts=_NONE),
        mtnet_cr_row("mtnet_l", "hacs", 87.5, 97.4, against="mtnet_l", facts=_NONE),
    ),
)
