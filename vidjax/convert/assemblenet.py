"""AssembleNet's TensorFlow variables, under PyTorch-like names."""

from vidjax.convert.key_mapping import Layout

_BLOCK = r"node(?P<node>\d+)\.block(?P<index>\d+)\."
_HERE = "node{node}/block{index}/"
_NODE = r"node(?P<node>\d+)\."
RULES = (
    (r"node(?P<node>[0-3])\.conv1", "node{node}/conv1"),
    (r"node(?P<node>[0-3])\.bn1", "node{node}/norm1"),
    (r"node(?P<node>[0-3])\.conv_t", "node{node}/conv2/conv"),
    (r"node(?P<node>[0-3])\.bn_t", "node{node}/norm2"),
    (_NODE + r"fuse(?P<channels>\d+)", "node{node}/widen{channels}"),
    (_BLOCK + "proj", _HERE + "shortcut"),
    (_BLOCK + "proj_bn", _HERE + "shortcut_norm"),
    # Blocks are counted from 0, and every other block begins with a convolution over time.
    (r"node(?P<node>\d+)\.block(?P<index>\d*[13579])\.conv1", _HERE + "conv1/conv"),
    (_BLOCK + r"conv(?P<conv>\d)", _HERE + "conv{conv}"),
    (_BLOCK + r"bn(?P<conv>\d)", _HERE + "norm{conv}"),
    (r"fc", "head"),
)
LAYOUTS = (Layout("AssembleNet", RULES, {"assemblenet_*": ({},)}),)
