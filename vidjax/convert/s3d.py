"""S3D of torchvision and of kylemin/S3D, and S3D-G of antoine77340/S3D_HowTo100M (MIL-NCE)."""

from vidjax.convert.i3d import MIXED
from vidjax.convert.key_mapping import Layout

# Positions of our mixed blocks in torchvision's and kylemin's networks, which count pools too.
_NUMBERS = {
    number: f"layer{stage}_block{index}"
    for stage, numbers in ((2, (5, 6)), (3, range(8, 13)), (4, (14, 15)))
    for index, number in enumerate(numbers, start=1)
}
# Our branch and its position in a block. Separable units are the second of their branch. kylemin
# wraps the only unit of branch 0 in a `Sequential`.
_PLACES = (
    ("branch0", r"branch0(\.0)?", False),
    ("branch1a", r"branch1\.0", False),
    ("branch1b", r"branch1\.1", True),
    ("branch2a", r"branch2\.0", False),
    ("branch2b", r"branch2\.1", True),
    ("branch3", r"branch3\.1", False),
)
Rules = tuple[tuple[str, str], ...]


def _plain(torch: str, ours: str) -> Rules:
    return (
        (rf"features\.{torch}\.0|base\.{torch}\.conv", f"{ours}/conv"),
        (rf"features\.{torch}\.1|base\.{torch}\.bn", f"{ours}/norm"),
    )


def _separated(torch: str, ours: str) -> Rules:
    return (
        (rf"features\.{torch}\.0\.0|base\.{torch}\.conv_s", f"{ours}/conv/space"),
        (rf"features\.{torch}\.0\.1|base\.{torch}\.bn_s", f"{ours}/conv/norm"),
        (rf"features\.{torch}\.1\.0|base\.{torch}\.conv_t", f"{ours}/conv/time"),
        (rf"features\.{torch}\.1\.1|base\.{torch}\.bn_t", f"{ours}/norm"),
    )


PLAIN: Rules = (
    *_separated("0", "stem_layer"),
    *_plain("2", "layer1_conv1"),
    *_separated("3", "layer1_conv2"),
    *(
        rule
        for number, block in _NUMBERS.items()
        for ours, place, separated in _PLACES
        for rule in (_separated if separated else _plain)(rf"{number}\.{place}", f"{block}/{ours}")
    ),
    (r"classifier\.1|fc\.0", "head"),
)


def _unit(torch: str, ours: str, separated: bool = False) -> Rules:
    if not separated:
        return (rf"{torch}\.conv1", f"{ours}/conv"), (rf"{torch}\.bn1", f"{ours}/norm")
    return (
        (rf"{torch}\.conv1", f"{ours}/conv/space"),
        (rf"{torch}\.bn1", f"{ours}/conv/norm"),
        (rf"{torch}\.conv2", f"{ours}/conv/time"),
        (rf"{torch}\.bn2", f"{ours}/norm"),
    )


# MIL-NCE's names of the branches.
_BRANCHES = (
    ("branch0", "b0", False),
    ("branch1a", "b1_a", False),
    ("branch1b", "b1_b", True),
    ("branch2a", "b2_a", False),
    ("branch2b", "b2_b", True),
    ("branch3", "b3_b", False),
)
_GATED: Rules = (
    *_unit("conv_2b", "layer1_conv1"),
    *_unit("conv_2c", "layer1_conv2", separated=True),
    (r"gating\.fc", "layer1_gate/weigh"),
    *(
        rule
        for torch, block in MIXED.items()
        for ours, name, separated in _BRANCHES
        for rule in _unit(rf"mixed_{torch}\.conv_{name}", f"{block}/{ours}", separated)
    ),
    *(
        (rf"mixed_{torch}\.gating_b(?P<gate>\d)\.fc", f"{block}/gate{{gate}}/weigh")
        for torch, block in MIXED.items()
    ),
    (r"fc", "head"),
)
_STEM_NORM = (r"conv1\.bn1", "stem_layer/norm")

LAYOUTS = (
    Layout("S3D", PLAIN, {"s3d": ({},)}),
    Layout("MIL-NCE", ((r"conv1\.conv1", "stem_layer/conv"), _STEM_NORM, *_GATED), {"s3dg": ({},)}),
    Layout(
        "MIL-NCE, cubes",
        ((r"conv1\.conv1", "stem_layer/conv/cubes"), _STEM_NORM, *_GATED),
        {"s3dg": ({"space_to_depth": True},)},
    ),
)
