"""Published networks by the names of their key lists, and the rules of their golden logits."""

import json
import re
import zlib

import numpy as np

CLIP_SEED = 20240229
# The bias of a classifier.
HEAD = re.compile(
    r"(^|[./])(fc|new_fc|linear|fc_cls|fc2|classifier|proj|projection|conv3d|classifier\.1|fc\.0"
    r"|Logits/Conv)\.bias$"
)


def _variant(name):
    return {"variant": name}


# Reference -> our name and the options of its variant.
NETWORKS = {
    "assemblenet-50": ("assemblenet_50", {}),
    "assemblenet-101": ("assemblenet_101", {}),
    "blvnet-tam-50": ("blvnet_tam_50", {}),
    "cgd-image-r50": ("resnet_50", {"cgd": {}}),
    "cgnl-image-r50-cgnl1": ("resnet_50", {"cgnl": {"stages": (3,), "every": 5}}),
    "cgnl-image-r50-nl1": (
        "resnet_50",
        {"non_local": {"variant": "cgnl", "stages": (3,), "every": 5}},
    ),
    "cost-c2d-50": ("cost_50", _variant("c2d")),
    "costa-50": ("cost_50", _variant("a")),
    "costb-50": ("cost_50", {}),
    "costb-101-32f": ("cost_101", {"long_clips": True}),
    "evanet-rgb1": ("evanet_1", {}),
    "evanet-rgb2": ("evanet_2", {}),
    "i3d": ("i3d", {}),
    "i3d-piergiaj": ("i3d", {}),
    "i3d-r50-caffe2": ("i3d_r50", {}),
    "i3d-r50-cgd": ("i3d_r50_cgd", {}),
    "i3d-r50-cgnl5": ("i3d_r50_cgnl5", {}),
    "i3d-r50-nl5-caffe2": ("i3d_r50_nl5", {}),
    "i3d-r50-nl5-cgnlrepo": ("i3d_r50_nl5", {"non_local": {"variant": "cgnl"}}),
    "ip-csn-50": ("ip_csn_50", {}),
    "ip-csn-101": ("ip_csn_101", {}),
    "ip-csn-152": ("ip_csn_152", {}),
    "ir-csn-50": ("ir_csn_50", {}),
    "ir-csn-101": ("ir_csn_101", {}),
    "ir-csn-101-ptv": ("ir_csn_101", _variant("pytorchvideo")),
    "ir-csn-152": ("ir_csn_152", {}),
    "mfnet": ("mfnet", {}),
    "mm-i3d-r50-nl5": (
        "i3d_r50_nl5",
        {"variant": "mmaction2", "non_local": {"variant": "mmaction2"}},
    ),
    "mm-ipcsn-152": ("ip_csn_152", {}),
    "mm-ircsn-50": ("ir_csn_50", {}),
    "mm-ircsn-152": ("ir_csn_152", {}),
    "mm-r2plus1d-34": ("r2plus1d_34", _variant("mmaction2")),
    "mm-slowfast-50-4x16": ("slowfast_50_4x16", _variant("mmaction2")),
    "mm-slowfast-50-8x8": ("slowfast_50", _variant("mmaction2")),
    "mm-slowonly-50": ("slowonly_50", {}),
    "mm-tanet-50": ("tam_50", {}),
    "mm-tsm-50": ("tsm_50", {}),
    "mm-tsn-50": ("tsn_50", {}),
    "mm-tsn-50-flow": ("tsn_50", {"channels": 10}),
    "mm-x3d-m": ("x3d_m", _variant("mmaction2")),
    "psf-i3d-r50": ("i3d_r50", _variant("pyslowfast")),
    "psf-i3d-r50-nl5": ("i3d_r50_nl5", _variant("pyslowfast")),
    "r2plus1d-18-hara": ("r2plus1d_18", _variant("hara")),
    "r2plus1d-34-hara": ("r2plus1d_34", _variant("hara")),
    "r2plus1d-50-hara": ("r2plus1d_50", _variant("hara")),
    "r2plus1d-101-hara": ("r2plus1d_101", _variant("hara")),
    "r2plus1d-18-torchvision": ("r2plus1d_18", _variant("torchvision")),
    "r2plus1d-34-torchvision": ("r2plus1d_34", _variant("torchvision")),
    "r2plus1d-50-torchvision": ("r2plus1d_50", _variant("torchvision")),
    "r2plus1d-101-torchvision": ("r2plus1d_101", _variant("torchvision")),
    "r2plus1d-18-tran": ("r2plus1d_18", {}),
    "r2plus1d-34-tran": ("r2plus1d_34", {}),
    "r2plus1d-50-tran": ("r2plus1d_50", {}),
    "r2plus1d-101-tran": ("r2plus1d_101", {}),
    "r2plus1d-152-tran": ("r2plus1d_152", {}),
    "r2plus1d-50-ptv": ("r2plus1d_50", _variant("pytorchvideo")),
    "r3d-18": ("r3d_18", {}),
    "r3d-34": ("r3d_34", {}),
    "r3d-50": ("r3d_50", {}),
    "r3d-101": ("r3d_101", {}),
    "r3d-152": ("r3d_152", {}),
    "r3d-200": ("r3d_200", {}),
    "resnet-50": ("resnet_50", {}),
    "resnet-110-cifar": ("cifar_resnet_110", {}),
    "resnet-110-cifar-a": ("cifar_resnet_110", {"shortcut": "pad_around"}),
    "resnet-110-cifar-bottleneck": (
        "cifar_resnet_110",
        {"block": "bottleneck", "depths": (12, 12, 12)},
    ),
    "resnext3d-101": ("resnext3d_101", {}),
    "resnext3d-101-head": ("resnext3d_101", {"stem_width": 128}),
    "s3d": ("s3d", {}),
    "s3d-kylemin": ("s3d", {}),
    "s3dg": ("s3dg", {}),
    "s3dg-milnce": ("s3dg", {"space_to_depth": True}),
    "slowfast-50-4x16": ("slowfast_50_4x16", {}),
    "slowfast-50-8x8": ("slowfast_50", {}),
    "slowfast-101-8x8": ("slowfast_101", {}),
    "slowfast-101-16x8": ("slowfast_101_16x8", {}),
    "slowonly-34": ("slowonly_34", {"temporal_convs": 2}),
    "slowonly-34-single": ("slowonly_34", {}),
    "slowonly-50": ("slowonly_50", {}),
    "slowonly-101": ("slowonly_101", {}),
    "srtg-ip_csn_101": ("ip_csn_101", _variant("thesis")),
    "srtg-ir_csn_101": ("ir_csn_101", _variant("thesis")),
    "srtg-r2plus1d_34": ("r2plus1d_34_e1", {}),
    "srtg-r2plus1d_50": ("r2plus1d_50_e1", {}),
    "srtg-r2plus1d_101": ("r2plus1d_101_e1", {}),
    "srtg-r3d_34": ("r3d_34_e1", {}),
    "srtg-r3d_50": ("r3d_50_e1", {}),
    "srtg-r3d_101": ("r3d_101_e1", {}),
    "srtg-wide_r3d50_2": ("wide_r3d_50_e1", {}),
    "tam-50-ibm": ("tam_ibm_50", {}),
    "tanet-50": ("tam_50", {}),
    "tsm-50": ("tsm_50", {}),
    "tsn-bninception": ("tsn_bninception", {}),
    "tsn-bninception-flow": ("tsn_bninception", {"channels": 10}),
    "wide-r3d-50": ("wide_r3d_50", {}),
    "wide-r3d-50-head": ("wide_r3d_50", {"stem_width": 128}),
    "x3d-xs": ("x3d_xs", {}),
    "x3d-s": ("x3d_s", {}),
    "x3d-m": ("x3d_m", {}),
    "x3d-l": ("x3d_l", {}),
    "x3d-xl": ("x3d_xl", {}),
}


# Suffixes of the folders that hold references.
PARTS = ("", "-2")


def _names(shared, folder, suffix):
    """Returns the names of the references; tests skip those that are absent."""
    files = (path for part in PARTS for path in (shared / f"{folder}{part}").glob(f"*{suffix}"))
    return sorted(path.name[: -len(suffix)] for path in files) or ["absent"]


def key_lists(shared):
    """Returns the names of the references whose state dict is known."""
    return _names(shared, "spec/torch-keys", ".json")


def goldens(shared):
    """Returns the names of the references whose logits are known."""
    return _names(shared, "golden/zoo", ".npz")


def _file(shared, folder, name):
    (found,) = (path for part in PARTS if (path := shared / f"{folder}{part}" / name).exists())
    return found


def golden(shared, name):
    """Reads a network's logits, and the facts that they were made from."""
    return np.load(_file(shared, "golden/zoo", f"{name}.npz"))


def key_list(shared, name):
    """Reads PyTorch's names and shapes of a network's state dict."""
    text = _file(shared, "spec/torch-keys", f"{name}.json").read_text()
    return {key: tuple(shape) for key, shape in json.loads(text).items()}


def counts(shared, name, num_classes):
    """Reads a network's number of parameters, its multiply-adds in 1e9, and their clip size."""
    first = json.loads((shared / "spec/zoo-counts.json").read_text())
    if name in first:
        entry = first[name]
        return entry["params_400"], entry["gflops"], tuple(entry["input"])
    entry = json.loads((shared / "spec/zoo-counts-2.json").read_text())[name]
    clip, cost = next((key, own) for key, own in entry.items() if key.startswith("gmac_"))
    frames, _, side = clip.removeprefix("gmac_").rpartition("x")
    total = cost["total"] if isinstance(cost, dict) else cost
    return entry[f"params_{num_classes}"], total, (int(frames or 1), int(side), int(side))


def classes(keys):
    """Returns the number of logits: the size of the last bias that does not belong to a norm."""
    (size,) = {
        shape[0]
        for key, shape in keys.items()
        if HEAD.search(key) and not any(word in key for word in ("se_module", "gating"))
    }
    return size


def state_dict(keys, gain):
    """Makes float32 weights that depend only on the names."""
    return {key: _tensor(key, shape, gain) for key, shape in keys.items()}


def _tensor(key, shape, gain):
    rs = np.random.RandomState(zlib.crc32(key.encode()))
    if key.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    if key.endswith(("running_mean", "bias")):
        value = 0.1 * rs.standard_normal(shape)
    elif key.endswith("running_var") or len(shape) <= 1:
        value = rs.uniform(0.5, 1.5, shape)
    else:
        value = rs.standard_normal(shape) * np.sqrt(gain / np.prod(shape[1:]))
    return np.asarray(value, np.float32)


def state_checksum(state):
    """Sums the CRC-32 of each tensor's bytes, modulo 2^32."""
    counted = (value for key, value in state.items() if not key.endswith("num_batches_tracked"))
    return sum(zlib.crc32(np.ascontiguousarray(v).tobytes()) for v in counted) % 2**32


def clip(shape, seed):
    """Makes coarse and fine noise, float32 `[N, C, (T,) H, W]`."""
    rs = np.random.RandomState(seed)
    height, width = shape[-2:]
    coarse = rs.standard_normal((*shape[:-2], 4, 4))
    coarse = coarse.repeat(height // 4, axis=-2).repeat(width // 4, axis=-1)
    return (2 * coarse + 0.5 * rs.standard_normal(shape)).astype(np.float32)


def channels_last(x):
    """Converts `[N, C, (T,) H, W]` to clips `[N, T, H, W, C]`; an image is a clip of one frame."""
    x = x[:, :, None] if x.ndim == 4 else x
    return x.transpose(0, 2, 3, 4, 1)
