"""yjxiong/tsn-pytorch: BNInception over frames of RGB or optical flow."""

from vidjax.convert.input_normalization import Normalization
from vidjax.convert.key_mapping import Layout, known_normalization

# The units of a block: our name, and the name in the file.
_UNITS = {
    "branch0": "1x1",
    "branch1a": "3x3_reduce",
    "branch1b": "3x3",
    "branch2a": "double_3x3_reduce",
    "branch2b": "double_3x3_1",
    "branch2c": "double_3x3_2",
    "branch3": "pool_proj",
}
_BLOCKS = {
    f"{stage + 1}{letter}": f"layer{stage}_block{index}"
    for stage, letters in ((2, "abc"), (3, "abcde"), (4, "ab"))
    for index, letter in enumerate(letters, start=1)
}
_NAMES = {
    "conv1_7x7_s2": "stem_layer",
    "conv2_3x3_reduce": "layer1_conv1",
    "conv2_3x3": "layer1_conv2",
    **{
        f"inception_{torch}_{theirs}": f"{block}/{unit}"
        for torch, block in _BLOCKS.items()
        for unit, theirs in _UNITS.items()
    },
}
RULES = (
    *((rf"base_model\.{torch}", f"{ours}/conv") for torch, ours in _NAMES.items()),
    *((rf"base_model\.{torch}_bn", f"{ours}/norm") for torch, ours in _NAMES.items()),
    (r"new_fc", "head"),
)
# Normalisation as on the card; the published files take channels in OpenCV's order.
COLOURS = Normalization((123 / 255, 117 / 255, 104 / 255), (1 / 255, 1 / 255, 1 / 255))
LAYOUTS = (
    Layout(
        "tsn-pytorch",
        RULES,
        {"tsn_bninception": ({}, {"channels": 10})},
        (
            known_normalization("*", channels=10),
            known_normalization("*", COLOURS, COLOURS._replace(order="BGR")),
        ),
    ),
)
