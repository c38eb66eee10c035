"""facebookresearch/SlowFast (PySlowFast): its own files, and those it ported from Caffe2."""

from __future__ import annotations

from vidjax.convert.input_normalization import IMAGENET, Normalization
from vidjax.convert.key_mapping import Layout, Options, UnstatedOption, known_normalization

Rules = tuple[tuple[str, str], ...]
COLOURS = Normalization((0.45, 0.45, 0.45), (0.225, 0.225, 0.225))
_ATTENDS = {"theta": "query", "phi": "key", "g": "value", "out": "expand"}


def _stage(number: int, pathway: int, ours: str) -> Rules:
    """Returns the names of a stage of one pathway; PySlowFast counts from the stem."""
    torch, here = rf"s{number + 1}\.pathway{pathway}_", f"{ours}layer{number}/block{{index}}"
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
        (block + r"branch2\.se\.fc1", f"{here}/excite/reduce"),
        (block + r"branch2\.se\.fc2", f"{here}/excite/expand"),
        *((attends + f"conv_{name}", f"{here}/gate/{part}") for name, part in _ATTENDS.items()),
        (attends + "bn", f"{here}/gate/norm"),
    )


def _pathway(number: int, ours: str) -> Rules:
    """Returns the names of one pathway; our module names begin with `ours`."""
    stem = rf"s1\.pathway{number}_stem\."
    return (
        (stem + "conv", f"{ours}stem_layer/conv"),
        (stem + "bn", f"{ours}stem_layer/norm"),
        *(rule for stage in range(1, 5) for rule in _stage(stage, number, ours)),
    )


HEAD = ((r"head\.projection", "head"),)
SINGLE = (*_pathway(0, ""), *HEAD)
X3D = (
    (r"s1\.pathway0_stem\.conv_xy", "stem_layer/conv"),
    (r"s1\.pathway0_stem\.conv", "stem_layer/conv_time"),
    (r"head\.conv_5", "neck/conv"),
    (r"head\.conv_5_bn", "neck/norm"),
    (r"head\.lin_5", "neck/expand"),
    *SINGLE,
)
TWO = (
    *_pathway(0, "slow_"),
    *_pathway(1, "fast_"),
    *((rf"s{number}_fuse\.conv_f2s", f"lateral{number}/conv") for number in range(1, 5)),
    *((rf"s{number}_fuse\.bn", f"lateral{number}/norm") for number in range(1, 5)),
    *HEAD,
)


def _blobs_of_stage(number: int, caffe2: str, ours: str) -> Rules:
    """Returns Caffe2's names of a stage of one pathway, counted from the stem."""
    stage, here = rf"{caffe2}res{number + 1}_(?P<index>\d+)_", f"{ours}layer{number}/block{{index}}"
    attends = rf"{caffe2}nonlocal_conv{number + 1}_(?P<index>\d+)_"
    return (
        (stage + "branch1", f"{here}/shortcut/conv"),
        (stage + "branch1_bn", f"{here}/shortcut/norm"),
        *(
            rule
            for place, letter in enumerate("abc", start=1)
            for rule in (
                (stage + f"branch2{letter}", f"{here}/conv{place}"),
                (stage + f"branch2{letter}_bn", f"{here}/norm{place}"),
            )
        ),
        *((attends + name, f"{here}/gate/{part}") for name, part in _ATTENDS.items()),
        (attends + "bn", f"{here}/gate/norm"),
    )


def _blobs(caffe2: str, ours: str) -> Rules:
    """Returns Caffe2's names of one pathway, which begin with `caffe2`."""
    return (
        (f"{caffe2}conv1", f"{ours}stem_layer/conv"),
        (f"{caffe2}res_conv1_bn", f"{ours}stem_layer/norm"),
        *(rule for stage in range(1, 5) for rule in _blobs_of_stage(stage, caffe2, ours)),
    )


def _connection(number: int) -> Rules:
    """Returns Caffe2's names of the lateral connection after the stem or a stage."""
    after = "t_pool1" if number == 1 else rf"t_res{number}_\d+_branch2c_bn"
    return (
        (f"{after}_subsample", f"lateral{number}/conv"),
        (f"{after}_subsample_bn", f"lateral{number}/norm"),
    )


BLOB_HEAD = (("pred", "head"),)
BLOBS = (*_blobs("", ""), *BLOB_HEAD)
BLOBS_TWO = (
    *_blobs("", "slow_"),
    *_blobs("t_", "fast_"),
    *(rule for number in range(1, 5) for rule in _connection(number)),
    *BLOB_HEAD,
)
_VARIANT: tuple[Options, ...] = ({"variant": "pyslowfast"},)
_WHOSE = UnstatedOption(
    "variant",
    "PySlowFast's network of 8 frames is used (variant='pyslowfast'). Networks of 32 frames from "
    "video-nonlocal-net have the same tensors: pass variant='wang' for them",
)
LAYOUTS = (
    Layout(
        "PySlowFast",
        SINGLE,
        {"i3d_r50": _VARIANT, "i3d_r50_nl5": _VARIANT, "slowonly_*": ({},), "resnet_50": ({},)},
        (known_normalization("resnet_50", IMAGENET), known_normalization("*", COLOURS)),
    ),
    Layout("PySlowFast X3D", X3D, {"x3d_*": ({"variant": "mmaction2"},)}),
    Layout("PySlowFast SlowFast", TWO, {"slowfast_*": ({},)}),
    Layout(
        "Caffe2",
        BLOBS,
        {"i3d_r50": _VARIANT, "i3d_r50_nl5": _VARIANT, "slowonly_*": ({},)},
        (known_normalization("*", COLOURS),),
        unstated_options={"i3d_r50*": _WHOSE},
    ),
    Layout("Caffe2 SlowFast", BLOBS_TWO, {"slowfast_*": ({},)}),
)
