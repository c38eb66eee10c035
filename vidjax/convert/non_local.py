"""I3D on ResNet-50 and non-local networks: Wang et al. (as Tushar-N ported them), PySlowFast, CGNL.

Compact global descriptors stand in torchvision's names too, as their authors have them.
"""

from vidjax.convert.hara import BLOCK, RULES
from vidjax.convert.layout import Layout

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


def _stage(number: int) -> tuple[tuple[str, str], ...]:
    """PySlowFast's names of a stage; it counts from the stem."""
    torch, here = rf"s{number + 1}\.pathway0_", f"layer{number}/block{{index}}"
    block, attends = torch + r"res(?P<index>\d+)\.", torch + r"nonlocal(?P<index>\d+)\."
    return (
        (block + "branch1", f"{here}/shortcut/conv"),
        (block + "branch1_bn", f"{here}/shortcut/norm"),
        *(
            rule
            for place, letter in enumerate("abc", start=1)
            for rule in (
                (block + rf"branch2\.{letter}", f"{here}/conv{place}"),
                (block + rf"branch2\.{letter}_bn", f"{here}/norm{place}"),
            )
        ),
        (attends + "conv_theta", f"{here}/gate/query"),
        (attends + "conv_phi", f"{here}/gate/key"),
        (attends + "conv_g", f"{here}/gate/value"),
        (attends + "conv_out", f"{here}/gate/expand"),
        (attends + "bn", f"{here}/gate/norm"),
    )


PYSLOWFAST = (
    (r"s1\.pathway0_stem\.conv", "stem_layer/conv"),
    (r"s1\.pathway0_stem\.bn", "stem_layer/norm"),
    *(rule for number in range(1, 5) for rule in _stage(number)),
    (r"head\.projection", "head"),
)
LAYOUTS = (
    Layout("video-nonlocal-net", WANG, {"i3d_r50": ({},), "i3d_r50_nl5": ({},)}),
    Layout(
        "cgnl-network.pytorch",
        CGNL,
        {"i3d_r50_nl5": ({"non_local": {"form": "cgnl"}},), "i3d_r50_cgnl5": ({},)},
    ),
    Layout("Compact-Global-Descriptor", CGD, {"i3d_r50_cgd": ({},)}),
    Layout(
        "PySlowFast",
        PYSLOWFAST,
        {
            "i3d_r50": ({"form": "pyslowfast"},),
            "i3d_r50_nl5": ({"form": "pyslowfast"},),
        },
    ),
)
