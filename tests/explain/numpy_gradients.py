"""A network of two convolutions with its gradients, computed in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np

from tests.explain.numpy_reference import conv3d, convolve, kernels_of

WEIGHTS = kernels_of(3, first=(3, 4), last=(4, 6), head=6)
# All values are positive, so rectification has no effect.
POSITIVE = {name: np.abs(values) for name, values in WEIGHTS.items()}
CLASSES = 3


def network(weights, clip):
    """Returns the logits of a clip, in JAX. Without biases the network is homogeneous."""
    x = clip
    for name in ("first", "last"):
        with jax.named_scope(name):
            x = jnp.maximum(conv3d(x, weights[name]), 0)
    return x.mean((1, 2, 3)) @ weights["head"]


def linear(weights, clip):
    """Returns logits of a linear network in which frames have different weights."""
    x = conv3d(clip, weights["first"]) * weights["frames"][:, None, None, None]
    return x.mean((1, 2, 3)) @ weights["head"]


def both_ways(weights, clip, label):
    """Returns logits, and features and gradients of a class's logit by layer, in float64.

    The layer "" is the clip itself.
    """
    first = np.maximum(convolve(np.float64(clip), weights["first"]), 0)
    last = np.maximum(convolve(first, weights["last"]), 0)
    logits = last.mean((0, 1, 2, 3)) @ weights["head"]
    at_last = np.broadcast_to(weights["head"][:, label] / last[..., 0].size, last.shape)
    at_first = back(at_last * (last > 0), weights["last"])
    at_clip = back(at_first * (first > 0), weights["first"])
    features = {"": clip, "first": first, "last": last}
    gradients = {"": at_clip, "first": at_first, "last": at_last}
    return logits, {name: features[name][0] for name in features}, _first(gradients)


def back(gradient, kernel):
    """Backpropagates through a convolution: the kernel is flipped and its channels are swapped."""
    return convolve(gradient, kernel[::-1, ::-1, ::-1].swapaxes(3, 4))


def _first(arrays):
    return {name: array[0] for name, array in arrays.items()}


def units(volume):
    """Rescales to [0, 1]."""
    return (volume - volume.min()) / (np.ptp(volume) or 1)


def softmax(logits):
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()
