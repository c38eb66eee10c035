"""Derives the names of PySlowFast's files, and of Caffe2's blobs, from the names in key lists."""

import re

# PyTorchVideo's name of a module, and PySlowFast's. `{next}` is the stage number plus 1.
_MODULES = (
    (r"blocks\.0\.conv\.conv_t", "s1.pathway0_stem.conv_xy"),
    (r"blocks\.0\.conv\.conv_xy", "s1.pathway0_stem.conv"),
    (r"blocks\.0\.conv", "s1.pathway0_stem.conv"),
    (r"blocks\.0\.norm", "s1.pathway0_stem.bn"),
    (r"blocks\.0\.multipathway_blocks\.(?P<path>\d)\.conv", "s1.pathway{path}_stem.conv"),
    (r"blocks\.0\.multipathway_blocks\.(?P<path>\d)\.norm", "s1.pathway{path}_stem.bn"),
    (r"blocks\.(?P<stage>\d)\.multipathway_fusion\.conv_fast_to_slow", "s{next}_fuse.conv_f2s"),
    (r"blocks\.(?P<stage>\d)\.multipathway_fusion\.norm", "s{next}_fuse.bn"),
    (r"blocks\.5\.pool\.pre_conv", "head.conv_5"),
    (r"blocks\.5\.pool\.pre_norm", "head.conv_5_bn"),
    (r"blocks\.5\.pool\.post_conv", "head.lin_5"),
    (r"blocks\.[56]\.proj", "head.projection"),
)
_BLOCK = re.compile(
    r"blocks\.(?P<stage>\d)\.(multipathway_blocks\.(?P<path>\d)\.)?res_blocks\.(?P<index>\d+)\.(?P<part>.+)"
)
_PARTS = (
    (r"branch1_conv", "branch1"),
    (r"branch1_norm", "branch1_bn"),
    (r"branch2\.conv_([abc])", r"branch2.\1"),
    (r"branch2\.norm_([abc])(\.0)?", r"branch2.\1_bn"),
    (r"branch2\.norm_b\.1\.block\.0", "branch2.se.fc1"),
    (r"branch2\.norm_b\.1\.block\.2", "branch2.se.fc2"),
)
_KINDS = {"weight": "s", "bias": "b", "running_mean": "rm", "running_var": "riv"}


def named_by_pyslowfast(keys):
    """Renames a mapping from PyTorchVideo's keys to PySlowFast's."""
    return {_renamed(key): value for key, value in keys.items()}


def _renamed(key):
    module, _, leaf = key.rpartition(".")
    if found := _BLOCK.fullmatch(module):
        part = next(
            re.sub(theirs, ours, found["part"])
            for theirs, ours in _PARTS
            if re.fullmatch(theirs, found["part"])
        )
        stage = f"s{int(found['stage']) + 1}.pathway{found['path'] or 0}"
        return f"{stage}_res{found['index']}.{part}.{leaf}"
    for theirs, ours in _MODULES:
        if found := re.fullmatch(theirs, module):
            groups = found.groupdict()
            following = int(groups.get("stage", 0)) + 1
            return f"{ours.format(next=following, **groups)}.{leaf}"
    raise KeyError(key)


def with_norm_in_first_shortcut(keys):
    """Returns PySlowFast's keys of X3D, whose first shortcut has a norm, unlike PyTorchVideo's."""
    shortcut = "s2.pathway0_res0.branch1"
    channels = keys[f"{shortcut}.weight"][:1]
    return keys | {f"{shortcut}_bn.{leaf}": channels for leaf in _KINDS}


def named_by_caffe2(keys):
    """Renames a mapping from PySlowFast's keys to the names of Caffe2's blobs."""
    last = {}
    for key in keys:
        if found := re.match(r"s(\d)\.pathway1_res(\d+)\.", key):
            last[found[1]] = max(last.get(found[1], 0), int(found[2]))
    kept = (key for key in keys if not key.endswith("num_batches_tracked"))
    return {_blob(key, last): keys[key] for key in kept}


def as_read(blobs):
    """Renames a mapping of Caffe2's blobs to the names that our reader gives them."""
    leaves = {kind: leaf for leaf, kind in _KINDS.items()} | {"w": "weight"}
    parts = {name: name.rpartition("_") for name in blobs}
    return {f"{parts[n][0]}.{leaves[parts[n][2]]}": value for n, value in blobs.items()}


def _blob(key, last):
    module, _, leaf = key.rpartition(".")
    is_norm = module.endswith("bn")
    kind = _KINDS[leaf] if is_norm else {"weight": "w", "bias": "b"}[leaf]
    if module == "head.projection":
        return f"pred_{kind}"
    if found := re.fullmatch(r"s(\d)_fuse\.(conv_f2s|bn)", module):
        stage = found[1]
        before = "t_pool1" if stage == "1" else f"t_res{stage}_{last[stage]}_branch2c_bn"
        return f"{before}_subsample{'_bn' if is_norm else ''}_{kind}"
    found = re.fullmatch(r"s(\d)\.pathway(\d)_([a-z]+)(\d*)\.(.+)", module)
    stage, path, what, index, part = found.groups()
    before = "t_" if path == "1" else ""
    if what == "stem":
        return f"{before}res_conv1_bn_{kind}" if is_norm else f"{before}conv1_{kind}"
    if what == "nonlocal":
        return f"{before}nonlocal_conv{stage}_{index}_{part.removeprefix('conv_')}_{kind}"
    return f"{before}res{stage}_{index}_{part.replace('2.', '2')}_{kind}"
