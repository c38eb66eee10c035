"""mit-han-lab/temporal-shift-module: TSM on torchvision's ResNet.

The project's networks without shifts (TSN) have the same tensors. A shift adds `.net` to the name
of the convolution after it, which distinguishes them. Files without it are `tsn_50`, and are
refused as `tsm_50`.
"""

from vidjax.convert.key_mapping import Layout
from vidjax.convert.mmaction2 import SHIFTED, UNSHIFTED

BLOCK = r"base_model\.layer(?P<layer>\d)\.(?P<index>\d+)\.(net\.)?"
RULES = (
    (r"base_model\.conv1", "stem_layer/conv"),
    (r"base_model\.bn1", "stem_layer/norm"),
    (BLOCK + r"conv(?P<conv>\d)(\.net)?", "layer{layer}/block{index}/conv{conv}"),
    (BLOCK + r"bn(?P<conv>\d)", "layer{layer}/block{index}/norm{conv}"),
    (BLOCK + r"downsample\.0", "layer{layer}/block{index}/shortcut/conv"),
    (BLOCK + r"downsample\.1", "layer{layer}/block{index}/shortcut/norm"),
    (r"new_fc", "head"),
)
LAYOUTS = (
    Layout(
        "temporal-shift-module",
        RULES,
        {"tsm_50": ({},), "tsn_50": ({},)},
        marks={"tsm_*": SHIFTED, "tsn_*": UNSHIFTED},
    ),
)
