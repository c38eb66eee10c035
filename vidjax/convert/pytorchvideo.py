"""facebookresearch/pytorchvideo: SlowOnly, SlowFast, X3D, CSN and R(2+1)D from its model zoo."""

from vidjax.convert.input_normalization import Normalization
from vidjax.convert.key_mapping import Layout, known_normalization

COLOURS = Normalization((0.45, 0.45, 0.45), (0.225, 0.225, 0.225))
# Normalisation of its networks for Something-Something and Charades.
COLOURS_BGR = COLOURS._replace(order="BGR")


def _blocks(torch: str, ours: str) -> tuple[tuple[str, str], ...]:
    """Returns the rules of a pathway's blocks: `torch` in the file, `ours` in vidjax."""
    rules = [
        (torch + r"branch1_conv", f"{ours}/shortcut/conv"),
        (torch + r"branch1_norm", f"{ours}/shortcut/norm"),
        (torch + r"branch2\.norm_b\.0", f"{ours}/norm2"),
        (torch + r"branch2\.norm_b\.1\.block\.0", f"{ours}/excite/reduce"),
        (torch + r"branch2\.norm_b\.1\.block\.2", f"{ours}/excite/expand"),
        (torch + r"branch2\.conv_b\.conv_t", f"{ours}/conv2/time"),
        (torch + r"branch2\.conv_b\.norm", f"{ours}/conv2/norm"),
        (torch + r"branch2\.conv_b\.conv_xy", f"{ours}/conv2/space"),
    ]
    for number, letter in enumerate("abc", start=1):
        rules.append((torch + rf"branch2\.conv_{letter}", f"{ours}/conv{number}"))
        rules.append((torch + rf"branch2\.norm_{letter}", f"{ours}/norm{number}"))
    return tuple(rules)


SINGLE = (
    (r"blocks\.0\.conv", "stem_layer/conv"),
    # These files call the convolution over space conv_t, and the one over time conv_xy.
    (r"blocks\.0\.conv\.conv_t", "stem_layer/conv"),
    (r"blocks\.0\.conv\.conv_xy", "stem_layer/conv_time"),
    (r"blocks\.0\.norm", "stem_layer/norm"),
    *_blocks(
        r"blocks\.(?P<layer>[1-4])\.res_blocks\.(?P<index>\d+)\.", "layer{layer}/block{index}"
    ),
    (r"blocks\.5\.pool\.pre_conv", "neck/conv"),
    (r"blocks\.5\.pool\.pre_norm", "neck/norm"),
    (r"blocks\.5\.pool\.post_conv", "neck/expand"),
    (r"blocks\.5\.proj", "head"),
)


def _pathway(number: int, name: str) -> tuple[tuple[str, str], ...]:
    path = rf"multipathway_blocks\.{number}\."
    return (
        (rf"blocks\.0\.{path}conv", f"{name}_stem_layer/conv"),
        (rf"blocks\.0\.{path}norm", f"{name}_stem_layer/norm"),
        *_blocks(
            rf"blocks\.(?P<layer>[1-4])\.{path}res_blocks\.(?P<index>\d+)\.",
            f"{name}_layer{{layer}}/block{{index}}",
        ),
    )


TWO = (
    *_pathway(0, "slow"),
    *_pathway(1, "fast"),
    (r"blocks\.(?P<index>\d)\.multipathway_fusion\.conv_fast_to_slow", "lateral{index}/conv"),
    (r"blocks\.(?P<index>\d)\.multipathway_fusion\.norm", "lateral{index}/norm"),
    (r"blocks\.6\.proj", "head"),
)
LAYOUTS = (
    Layout(
        "PyTorchVideo",
        SINGLE,
        {
            "slowonly_*": ({},),
            "x3d_*": ({},),
            "ir_csn_*": ({"variant": "pytorchvideo"},),
            "r2plus1d_*_e1": (),
            "r2plus1d_*": ({"variant": "pytorchvideo"},),
        },
        (
            known_normalization("ir_csn_*", COLOURS),
            known_normalization("r2plus1d_*", COLOURS),
            known_normalization("slowonly_50", COLOURS, COLOURS_BGR),
        ),
    ),
    Layout(
        "PyTorchVideo SlowFast",
        TWO,
        {"slowfast_*": ({},)},
        (known_normalization("slowfast_50", COLOURS, COLOURS_BGR),),
    ),
)
