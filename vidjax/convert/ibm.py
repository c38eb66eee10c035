"""IBM/action-recognition-pytorch's TAM on ResNet, and IBM/bLVNet-TAM."""

from vidjax.convert.hara import RULES
from vidjax.convert.key_mapping import Layout, UnstatedOption

# Weights of the previous frame, the same frame and the next one. They are called prev_se.fc1 and so
# on in the first project, and prev and so on in the second.
SCALES = {"prev": "previous", "curr": "current", "next": "next"}
PLAIN = (
    *(
        (
            rf"layer(?P<layer>\d)\.(?P<index>\d+)\.tam\.{torch}_se\.fc1",
            f"layer{{layer}}/block{{index}}/enter:{ours}",
        )
        for torch, ours in SCALES.items()
    ),
    *RULES,
)

BASE = r"baseline_model\."
ENTRANCE = {"b_conv0": "big", "l_conv0": "little1", "l_conv1": "little2", "l_conv2": "little3"}
NORMS = {"bn_b0": "big", "bn_l0": "little1", "bn_l1": "little2", "bn_l2": "little3"}


def _scales(torch: str, ours: str) -> tuple[tuple[str, str], ...]:
    return tuple((rf"{torch}tam\.{key}", f"{ours}:{name}") for key, name in SCALES.items())


def _block(torch: str, ours: str) -> tuple[tuple[str, str], ...]:
    return (
        (torch + r"\.conv(?P<conv>\d)", f"{ours}/conv{{conv}}"),
        (torch + r"\.bn(?P<conv>\d)", f"{ours}/norm{{conv}}"),
    )


def _stage(torch: str, ours: str) -> tuple[tuple[str, str], ...]:
    """Returns the rules of a branch of a big-little stage.

    Its strided projection pools before it convolves.
    """
    first = 1 if torch == "big" else 0
    stage = rf"{BASE}layer(?P<layer>\d)\.{torch}\.(?P<index>\d+)"
    here = f"layer{{layer}}/{ours}"
    return (
        *_block(stage, here),
        (rf"{stage}\.downsample\.{first}", f"{here}/shortcut/conv"),
        (rf"{stage}\.downsample\.{first + 1}", f"{here}/shortcut/norm"),
    )


LAST = rf"{BASE}layer4\.(?P<index>\d+)"
BIG_LITTLE = (
    (BASE + r"conv1", "stem_layer/conv"),
    (BASE + r"bn1", "stem_layer/norm"),
    *((BASE + torch, f"entrance/{ours}/conv") for torch, ours in ENTRANCE.items()),
    *((BASE + torch, f"entrance/{ours}/norm") for torch, ours in NORMS.items()),
    (BASE + r"bl_init", "entrance/fusion/conv"),
    (BASE + r"bn_bl_init", "entrance/fusion/norm"),
    *_scales(BASE, "entrance/aggregation"),
    *_scales(BASE + r"layer(?P<layer>[1-3])\.", "layer{layer}/aggregation"),
    *_scales(BASE + r"layer4\.0\.", "layer4_aggregation"),
    *_scales(LAST + r"\.", "layer4_block{index}/enter"),
    *_stage("big", "big{index}"),
    *_stage("little", "little{index}"),
    *_stage("fusion", "fusion"),
    (BASE + r"layer(?P<layer>\d)\.little_e\.0", "layer{layer}/widen/conv"),
    (BASE + r"layer(?P<layer>\d)\.little_e\.1", "layer{layer}/widen/norm"),
    *_block(LAST, "layer4_block{index}"),
    (rf"{LAST}\.downsample\.1", "layer4_block{index}/shortcut/conv"),
    (rf"{LAST}\.downsample\.2", "layer4_block{index}/shortcut/norm"),
    (r"new_fc", "head"),
)
LAYOUTS = (
    Layout(
        "IBM action-recognition-pytorch",
        PLAIN,
        {"tam_ibm_50": ({},)},
        unstated_options={
            "tam_ibm_50": UnstatedOption(
                "temporal_pooling",
                "time is halved after stages 1 to 3. The published files were trained without "
                "that (--without_t_stride): pass temporal_pooling=False for them",
            )
        },
    ),
    Layout("bLVNet-TAM", BIG_LITTLE, {"blvnet_tam_50": ({},)}),
)
