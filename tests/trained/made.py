"""Made-up weights of a small network in the format in which projects publish them."""

import numpy as np
from safetensors.numpy import save_file

from tests import references
from tests.convert.test_loading import norm

NAME = "r3d_18"
OPTIONS = {"width": 4, "depths": (1, 0, 0, 0)}
# The same option as a command-line flag.
FLAGS = ("--config.model.options.width=4", "--config.model.options.depths=(1,0,0,0)")
CLASSES = 3


def state_dict(classes=CLASSES):
    """Returns a state dict in the layout of 3D-ResNets-PyTorch."""
    keys = {"conv1.weight": (4, 3, 7, 7, 7)} | norm("bn1", 4)
    keys |= {"layer1.0.conv1.weight": (4, 4, 3, 3, 3), "layer1.0.conv2.weight": (4, 4, 3, 3, 3)}
    keys |= norm("layer1.0.bn1", 4) | norm("layer1.0.bn2", 4)
    keys |= {"fc.weight": (classes, 4), "fc.bias": (classes,)}
    return references.state_dict(keys, 1.0)


def write_checkpoint(file):
    """Writes it as a `.safetensors` file."""
    save_file({key: np.ascontiguousarray(value) for key, value in state_dict().items()}, file)
    return file
