"""cypw/PyTorch-MFNet."""

from vidjax.convert.key_mapping import Layout

# Stages are called conv2 to conv5, units B01, B02 and so on.
UNITS = {"i1": "multiplex1", "i2": "multiplex2", "m1": "conv1", "m2": "conv2", "w1": "shortcut"}
RULES = (
    (r"conv1\.conv", "stem_conv"),
    (r"conv1\.bn", "stem_norm"),
    *(
        (
            rf"conv{layer + 1}\.B0?(?P<unit>\d+)\.conv_{torch}\.{part}",
            f"layer{layer}_unit{{unit}}/{ours}/{'norm' if part == 'bn' else 'conv'}",
        )
        for layer in range(1, 5)
        for torch, ours in UNITS.items()
        for part in ("bn", "conv")
    ),
    (r"tail\.bn", "tail_norm"),
    (r"classifier", "head"),
)
LAYOUTS = (Layout("PyTorch-MFNet", RULES, {"mfnet": ({},)}),)
