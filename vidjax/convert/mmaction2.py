"""open-mmlab/mmaction2: `backbone.*` and `cls_head.*`."""

from vidjax.convert.input_normalization import IMAGENET, Normalization
from vidjax.convert.key_mapping import KeyMarker, Layout, known_normalization

BLOCK = r"layer(?P<layer>\d)\.(?P<index>\d+)\."
HEAD = ((r"cls_head\.fc_cls", "head"),)


def _path(torch: str, ours: str) -> tuple[tuple[str, str], ...]:
    """Returns the rules of a network: its prefixes are `torch` in the file, `ours` in vidjax."""
    block = f"{ours}layer{{layer}}/block{{index}}"
    return (
        (torch + r"conv1\.conv", f"{ours}stem_layer/conv"),
        (torch + r"conv1\.bn", f"{ours}stem_layer/norm"),
        (torch + BLOCK + r"(block\.)?conv(?P<conv>\d)\.conv(\.net)?", f"{block}/conv{{conv}}"),
        (torch + BLOCK + r"(block\.)?conv(?P<conv>\d)\.bn", f"{block}/norm{{conv}}"),
        (torch + BLOCK + r"(block\.)?downsample\.conv", f"{block}/shortcut/conv"),
        (torch + BLOCK + r"(block\.)?downsample\.bn", f"{block}/shortcut/norm"),
    )


def _factorised(torch: str, ours: str) -> tuple[tuple[str, str], ...]:
    """Returns the rules of a (2+1)D convolution: `torch` in the file, `ours` in vidjax."""
    return (
        (torch + r"\.conv_s", f"{ours}/space"),
        (torch + r"\.bn_s", f"{ours}/norm"),
        (torch + r"\.conv_t", f"{ours}/time"),
    )


HERE = "layer{layer}/block{index}/"
PLAIN = _path(r"backbone\.", "")
IN_BLOCK = r"backbone\." + BLOCK
CSN_IR = (
    (IN_BLOCK + r"conv2\.0\.conv", HERE + "conv2"),
    (IN_BLOCK + r"conv2\.0\.bn", HERE + "norm2"),
)
CSN_IP = (
    (IN_BLOCK + r"conv2\.0\.conv", HERE + "conv2/point"),
    (IN_BLOCK + r"conv2\.0\.bn", HERE + "conv2/norm"),
    (IN_BLOCK + r"conv2\.1\.conv", HERE + "conv2/channelwise"),
    (IN_BLOCK + r"conv2\.1\.bn", HERE + "norm2"),
)
_ATTENDS = IN_BLOCK + r"non_local_block\."
NON_LOCAL = (
    (_ATTENDS + r"theta\.conv", HERE + "gate/query"),
    (_ATTENDS + r"phi\.0\.conv", HERE + "gate/key"),
    (_ATTENDS + r"g\.0\.conv", HERE + "gate/value"),
    (_ATTENDS + r"conv_out\.conv", HERE + "gate/expand"),
    (_ATTENDS + r"conv_out\.bn", HERE + "gate/norm"),
)
X3D = (
    (r"backbone\.conv1_s\.conv", "stem_layer/conv"),
    (r"backbone\.conv1_t\.conv", "stem_layer/conv_time"),
    (r"backbone\.conv1_t\.bn", "stem_layer/norm"),
    (IN_BLOCK + r"se_module\.fc1", HERE + "excite/reduce"),
    (IN_BLOCK + r"se_module\.fc2", HERE + "excite/expand"),
    (r"backbone\.conv5\.conv", "neck/conv"),
    (r"backbone\.conv5\.bn", "neck/norm"),
    (r"cls_head\.fc1", "neck/expand"),
    (r"cls_head\.fc2", "head"),
)
ADAPTIVE = (
    (IN_BLOCK + r"tam\.L\.0", HERE + "adapt:local_kernel1"),
    (IN_BLOCK + r"tam\.L\.1", HERE + "adapt/local_norm"),
    (IN_BLOCK + r"tam\.L\.3", HERE + "adapt/local2"),
    (IN_BLOCK + r"tam\.G\.0", HERE + "adapt/global1"),
    (IN_BLOCK + r"tam\.G\.1", HERE + "adapt/global_norm"),
    (IN_BLOCK + r"tam\.G\.3", HERE + "adapt/global2"),
)
TWO_PLUS_ONE = (
    *_factorised(r"backbone\.conv1\.conv", "stem_layer/conv"),
    *_factorised(IN_BLOCK + r"conv(?P<conv>\d)\.conv", HERE + "conv{conv}"),
    *_factorised(IN_BLOCK + r"downsample\.conv", HERE + "shortcut/conv"),
)
SLOWFAST = (
    *_path(r"backbone\.slow_path\.", "slow_"),
    *_path(r"backbone\.fast_path\.", "fast_"),
    (r"backbone\.slow_path\.conv1_lateral\.conv", "lateral1/conv"),
    (r"backbone\.slow_path\.layer(?P<index>\d)_lateral\.conv", "lateral{index}/conv"),
)
MM_VARIANT = ({"variant": "mmaction2"},)
# Normalisation of VMZ's networks of Kinetics-400 and Sports-1M, which were ported from Caffe2.
PORTED = Normalization(
    (110.2008 / 255, 100.63983 / 255, 95.99475 / 255),
    (58.14765 / 255, 56.46975 / 255, 55.332195 / 255),
)
# A shift wraps the convolution after it.
SHIFTED = KeyMarker(
    r"\.net\.",
    True,
    "of a TSN: none of its convolutions follows a shift. Load it as tsn_50; its variables also "
    "fit tsm_50, as a start for training",
)
UNSHIFTED = KeyMarker(
    r"\.net\.", False, "of a TSM: its convolutions follow shifts. Load it as tsm_50"
)
LAYOUTS = (
    Layout(
        "MMAction2",
        (*PLAIN, *ADAPTIVE, *HEAD),
        {
            "slowonly_34": ({"temporal_convs": 2}, {}),
            "slowonly_*": ({},),
            "tsm_*": ({},),
            "tam_50": ({},),
            "tsn_50": ({}, {"channels": 10}),
        },
        (known_normalization("slowonly_*", IMAGENET),),
        {"tsm_*": SHIFTED, "tsn_*": UNSHIFTED},
    ),
    Layout(
        "MMAction2 non-local",
        (*NON_LOCAL, *PLAIN, *HEAD),
        {
            "i3d_r50": MM_VARIANT,
            "i3d_r50_nl5": ({"variant": "mmaction2", "non_local": {"variant": "mmaction2"}},),
        },
        (known_normalization("i3d_*", IMAGENET),),
    ),
    Layout(
        "MMAction2 ir-CSN",
        (*CSN_IR, *PLAIN, *HEAD),
        {"ir_csn_*": ({},)},
        (
            known_normalization("ir_csn_152", IMAGENET, PORTED),
            known_normalization("ir_csn_*", IMAGENET),
        ),
    ),
    Layout(
        "MMAction2 ip-CSN",
        (*CSN_IP, *PLAIN, *HEAD),
        {"ip_csn_*": ({},)},
        (known_normalization("ip_csn_152", PORTED, IMAGENET),),
    ),
    Layout("MMAction2 X3D", (*X3D, *PLAIN), {"x3d_*": MM_VARIANT}),
    Layout(
        "MMAction2 R(2+1)D",
        (*TWO_PLUS_ONE, *PLAIN, *HEAD),
        {"r2plus1d_34": MM_VARIANT},
        (known_normalization("r2plus1d_34", IMAGENET),),
    ),
    Layout(
        "MMAction2 SlowFast",
        (*SLOWFAST, *HEAD),
        {
            "slowfast_101": ({"variant": "mmaction2", "lateral_kernel": 7}, *MM_VARIANT),
            "slowfast_*": MM_VARIANT,
        },
        (known_normalization("slowfast_*", IMAGENET),),
    ),
)
