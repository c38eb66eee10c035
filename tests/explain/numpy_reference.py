"""Expected explanations of tiny networks, computed in NumPy.

A network is a function of the array library, of `conv(name, x)`, of a clip and of its weights, so
that it runs in JAX as well as in NumPy.
"""

from collections import Counter
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from scipy import ndimage

from vidjax.explain.back_step import PAPER
from vidjax.explain.class_feature_pyramids import class_feature_pyramid

SIZE = (5, 9, 10)
FIRST = ("NCDHW", "OIDHW", "NCDHW")
LAST = ("NDHWC", "DHWIO", "NDHWC")


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


CLIP = normal(0, 1, *SIZE, 3)


def enlarged(*volumes):
    """Upsamples features to the clip's size, adds them and rescales to [0, 1]."""
    whole = 0
    for volume in volumes:
        factors = [size / small for size, small in zip(SIZE, volume.shape, strict=True)]
        whole = whole + ndimage.zoom(volume, factors, order=3, mode="mirror")
    return (whole - whole.min()) / (np.ptp(whole) or 1)


def kernels_of(seed, classes=3, **channels):
    """Draws 3x3x3 kernels, given two numbers of channels per name, and the rows of `head`."""
    weights = {
        name: normal(seed + place, 3, 3, 3, *pair) / 5
        for place, (name, pair) in enumerate(channels.items())
        if name != "head"
    }
    return weights | {"head": normal(seed + 99, channels["head"], classes)}


def convolve(x, kernel):
    pads = [(0, 0), *((size // 2, size // 2) for size in kernel.shape[:3]), (0, 0)]
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, pads), kernel.shape[:3], (1, 2, 3))
    return np.einsum("nthwiabc,abcio->nthwo", windows, kernel, optimize=True)


def keep(products, threshold, top):
    if np.ptp(products) == 0:
        return {}
    shares = (products - products.min()) / np.ptp(products)
    largest = np.argsort(-shares)[:top]
    return {int(i): shares[i] for i in largest if shares[i] >= threshold}


def levels_of(makers):
    """Returns the longest paths to the classifier; `makers` lists layers near it first."""
    levels = {"": 0}
    for name, sources in makers.items():
        for source, _, _ in sources:
            levels[source] = max(levels.get(source, 0), levels[name] + 1)
    return levels


def answer(weights, inputs, makers, threshold, depth=3, mode="layer", top=None, class_index=0):
    """Returns the expected lists of the class and of each kernel, `{place: {place: weight}}`."""
    levels = levels_of(makers)
    counts, edges = Counter({("", class_index): 1}), {}
    for name in sorted(levels, key=levels.get):
        kernels = sorted(kernel for layer, kernel in counts if layer == name)
        if not kernels or levels[name] >= depth:
            continue
        rows = weights[name or "head"]
        rows = rows.mean((0, 1, 2)) if name else rows
        pooled = inputs[name or "head"].reshape(-1, rows.shape[0]).mean(0)
        lists = {kernel: rows[:, kernel] * pooled for kernel in kernels}
        if mode == "layer":
            connections = [counts[name, kernel] for kernel in kernels]
            merged = np.average(list(lists.values()), axis=0, weights=connections)
            lists = dict.fromkeys(kernels, merged)
        for kernel, products in lists.items():
            edges[name, kernel] = {
                (source, i - first): share
                for i, share in keep(products, threshold, top).items()
                for source, first, size in makers[name]
                if first <= i < first + size and levels[source] <= depth
            }
            counts.update(edges[name, kernel].keys())
    return edges


def lists_of(pyramid):
    assert all(len(dict(edges)) == len(edges) for edges in pyramid.edges.values())
    return {place: dict(edges) for place, edges in pyramid.edges.items() if edges}


def assert_same_lists(found, wanted):
    wanted = {place: edges for place, edges in wanted.items() if edges}
    assert found.keys() == wanted.keys()
    for place, edges in wanted.items():
        assert found[place] == pytest.approx(edges, abs=1e-4), place


def check(pyramid, edges, makers):
    """Checks a pyramid's lists and layers against the expected ones."""
    assert_same_lists(lists_of(pyramid), edges)
    leading = [edge for own in edges.values() for edge in own.items()]
    levels = levels_of(makers)
    assert {layer.name for layer in pyramid.layers} == {name for (name, _), _ in leading}
    assert [layer.level for layer in pyramid.layers] == sorted(
        levels[x.name] for x in pyramid.layers
    )
    for layer in pyramid.layers:
        own = [(kernel, share) for (name, kernel), share in leading if name == layer.name]
        counts = Counter(kernel for kernel, _ in own)
        kernels = sorted(counts)
        largest = [max(share for number, share in own if number == kernel) for kernel in kernels]
        assert layer.level == levels[layer.name]
        assert layer.kernels.tolist() == kernels
        assert layer.counts.tolist() == [counts[kernel] for kernel in kernels]
        np.testing.assert_allclose(layer.weights, largest, atol=1e-4)


conv3d = partial(
    lax.conv_general_dilated, window_strides=(1, 1, 1), padding="SAME", dimension_numbers=LAST
)


@jax.custom_vjp
def positive(x):
    return jnp.maximum(x, 0)


positive.defvjp(lambda x: (jnp.maximum(x, 0), x), lambda x, g: (g * (x > 0),))


def function_of(network):
    def apply(weights, clip):
        def conv(name, x):
            groups = x.shape[-1] // weights[name].shape[-2]
            with jax.named_scope(name):
                return conv3d(x, weights[name], feature_group_count=groups)

        return network(jnp, conv, clip, weights) @ weights["head"]

    return apply


def inputs_of(network, weights):
    """Returns the input of each layer and of the classifier."""
    inputs = {}

    def conv(name, x):
        inputs[name] = x
        return convolve(x, weights[name])

    inputs["head"] = network(np, conv, CLIP, weights)
    return inputs


def examine(network, weights, makers, threshold, inflated=None, **options):
    """Returns the pyramid of class 0, after a check, and the lists that it should have."""
    model = function_of(network)
    given = {"threshold": threshold, "rules": PAPER, **options}
    pyramid = class_feature_pyramid(model, weights, CLIP, 0, **given)
    inflated = inflated or weights
    edges = answer(inflated, inputs_of(network, inflated), makers, threshold, **options)
    check(pyramid, edges, makers)
    return pyramid, edges


def renamed(edges, name):
    """Replaces the names of places in lists."""
    return {
        name(place): {name(to): share for to, share in own.items()} for place, own in edges.items()
    }


CHAIN = {"": [("conv3", 0, 5)], "conv3": [("conv2", 0, 6)], "conv2": [("conv1", 0, 4)]}
WEIGHTS = kernels_of(10, conv1=(3, 4), conv2=(4, 6), conv3=(6, 5), head=5)


class Chain(nn.Module):
    @nn.compact
    def __call__(self, x, *, train):
        for number, width in enumerate((4, 6, 5), 1):
            x = nn.Conv(width, (3, 3, 3), name=f"conv{number}")(x)
            x = nn.relu(nn.BatchNorm(not train, name=f"norm{number}")(x))
            x = nn.max_pool(x, (1, 2, 2), (1, 2, 2)) if number == 1 else x
        return nn.Dense(3, name="head")(x.mean((1, 2, 3)))


def channels_second(variables, clip):
    params, stats = variables["params"], variables["batch_stats"]
    x = jnp.moveaxis(clip, -1, 1)
    for number in "123":
        layer, norm, running = (
            params["conv" + number],
            params["norm" + number],
            stats["norm" + number],
        )
        with jax.named_scope("conv" + number):
            kernel = layer["kernel"].transpose(4, 3, 0, 1, 2)
            x = conv3d(x, kernel, dimension_numbers=FIRST)
            x = x + layer["bias"].reshape(-1, 1, 1, 1)
        scale = norm["scale"] / jnp.sqrt(running["var"] + 1e-5)
        x = (x - running["mean"][:, None, None, None]) * scale.reshape(1, -1, 1, 1, 1)
        x = jax.nn.relu(x + norm["bias"][:, None, None, None])
        if number == "1":
            window = (1, 1, 1, 2, 2)
            x = lax.reduce_window(x, -jnp.inf, lax.max, window, window, "VALID")
    return x.mean((2, 3, 4)) @ params["head"]["kernel"] + params["head"]["bias"]


def chain_by_hand():
    """Returns the variables of the chain and the input of each layer."""
    params = {"head": {"kernel": WEIGHTS["head"], "bias": normal(5, 3)}}
    stats, inputs, x = {}, {}, CLIP
    for number in (1, 2, 3):
        kernel, inputs[f"conv{number}"] = WEIGHTS[f"conv{number}"], x
        bias, shift, mean = normal(20 + number, 3, kernel.shape[-1])
        scale, var = np.exp(normal(30 + number, 2, kernel.shape[-1]))
        params[f"conv{number}"] = {"kernel": kernel, "bias": bias}
        params[f"norm{number}"] = {"scale": scale, "bias": shift}
        stats[f"norm{number}"] = {"mean": mean, "var": var}
        x = (convolve(x, kernel) + bias - mean) / np.sqrt(var + 1e-5) * scale + shift
        x = np.maximum(x, 0)
        x = x[:, :, :8].reshape(1, 5, 4, 2, 5, 2, 4).max((3, 5)) if number == 1 else x
    return {"params": params, "batch_stats": stats}, inputs | {"head": x}
