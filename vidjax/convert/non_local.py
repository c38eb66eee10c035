"""I3D on ResNet-50 and non-local networks: Wang et al. (as ported by Tushar-N) and CGNL.

Compact global descriptors are here too, under torchvision's names, as their authors have them.
"""

from vidjax.convert.hara import BLOCK, RULES
from vidjax.convert.key_mapping import Layout

_GATE = "layer{layer}/block{index}/gate/"
WANG = (
    *RULES,
    (BLOCK + r"nl\.theta", _GATE + "query"),
    (BLOCK + r"nl\.phi", _GATE + "key"),
    (BLOCK + r"nl\.g", _GATE + "value"),
    (BLOCK + r"nl\.out", _GATE + "expand"),
    (BLOCK + r"nl\.bn", _GATE + "norm"),
)
CGNL = (
    *RULES,
    (BLOCK + r"nl\.t", _GATE + "query"),
    (BLOCK + r"nl\.p", _GATE + "key"),
    (BLOCK + r"nl\.g", _GATE + "value"),
    (BLOCK + r"nl\.z", _GATE + "expand"),
    (BLOCK + r"nl\.(bn|gn)", _GATE + "norm"),
)
CGD = (*RULES, (BLOCK + "attention", "layer{layer}/block{index}/before_norm1"))

LAYOUTS = (
    Layout("video-nonlocal-net", WANG, {"i3d_r50": ({},), "i3d_r50_nl5": ({},)}),
    Layout(
        "cgnl-network.pytorch",
        CGNL,
        {"i3d_r50_nl5": ({"non_local": {"variant": "cgnl"}},), "i3d_r50_cgnl5": ({},)},
    ),
    Layout("Compact-Global-Descriptor", CGD, {"i3d_r50_cgd": ({},)}),
)
