"""Tests the layers that are read from the programs of all networks."""

import fnmatch
import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import vidjax
from vidjax.explain.class_feature_pyramids import class_feature_pyramid
from vidjax.explain.traced_network import trace_network
from vidjax.layers.lowering import force_lowering

CLASSES, SIZE = 5, 32
# Families with one representative where networks are run, not only read.
THIN = {"width": 8, "depths": (1, 1, 1, 1)}
RUN = {
    "r3d_18": THIN,
    "x3d_s": THIN,
    "mfnet": THIN | {"width": 96},
    "slowfast_50": THIN | {"width": 16},
    "i3d": {"width": 8},
    "tsm_50": THIN,
    "tam_50": THIN,
    "r2plus1d_18": THIN,
    "ir_csn_50": THIN,
    "mtnet_s": THIN | {"width": 16, "neck": 32},
    "resnext3d_101": THIN | {"width": 32},
}
QUICK = ("r3d_18", "x3d_s", "mfnet")
# These differ from another network only by more of the same blocks, or by a method.
DEEPER = (
    "*_e1",
    "srtg_*",
    "i3d_r50_*",
    "cost_*",
    "assemblenet_*",
    "evanet_*",
    "tsn_50",
    "*_101*",
    "*_152",
    "*_200",
    "x3d_l",
    "x3d_xl",
    "mtnet_m",
    "mtnet_l",
)
ALL = [
    pytest.param(
        name,
        marks=pytest.mark.slow if any(fnmatch.fnmatch(name, own) for own in DEEPER) else (),
    )
    for name in vidjax.list_models()
]


def shapes_of(name, **options):
    model = vidjax.create_model(name, num_classes=CLASSES, **options)
    frames = vidjax.model_card(name).clip[0]
    frames = frames if name.startswith("slowfast") else min(frames, 16)
    clip = jax.ShapeDtypeStruct((1, frames, SIZE, SIZE, 3), jnp.float32)
    with force_lowering("lax"):
        init = functools.partial(model.init, train=False)
        return model, jax.eval_shape(init, jax.random.key(0), clip), clip


def shallow(name):
    """Makes networks with one block per stage, if they have stages."""
    try:
        return shapes_of(name, depths=(1,) * (3 if name.startswith("cifar") else 4))
    except ValueError as error:
        if "depths" not in str(error):
            raise
        return shapes_of(name)


def check_graph(graph, model):
    assert graph.depth >= 4
    assert graph.classifier.name == "head"
    assert graph.pooled
    names = [layer.name for layer in graph.levels]
    assert len(set(names)) == len(names)
    for layer, links in graph.links.items():
        found = [link.pairs for link in links]
        for link in links:
            channels, kernels = link.pairs.T
            assert channels.min() >= 0
            assert channels.max() < layer.inputs
            assert kernels.min() >= 0
            assert kernels.max() < link.layer.kernels
            assert graph.levels[link.layer] > graph.levels[layer]
        if found:
            assert len(np.unique(np.concatenate(found)[:, 0])) == layer.inputs, layer.name
    readers_of_the_clip = [layer.name for layer, links in graph.links.items() if not links]
    assert readers_of_the_clip
    assert all("stem" in name or "block" not in name for name in readers_of_the_clip)


@pytest.mark.parametrize("name", ALL)
def test_every_network_is_read(name):
    model, variables, clip = shallow(name)
    check_graph(trace_network(model, variables, clip).graph, model)


def test_modules_without_train_and_prolonged_branches_are_read():
    class Mine(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = nn.relu(nn.Conv(4, (3, 3, 3), name="conv")(x))
            return nn.Dense(3, name="head")(x.mean((1, 2, 3)))

    model, clip = Mine(), jnp.zeros((1, 2, 8, 8, 3))
    graph = trace_network(model, model.init(jax.random.key(0), clip), clip).graph
    assert [layer.name for layer in graph.levels] == ["head", "conv"]
    graph = trace_network(*shapes_of("mtnet_s", depths=(1, 1, 1, 1))).graph
    placed = {layer.name for layer in graph.sources}
    assert "layer4/block1/conv2/lateral" in placed
    assert {layer.name for layer in graph.levels} - placed == {"head", "neck/expand"}


@pytest.mark.slow
@pytest.mark.parametrize("name", vidjax.list_models())
def test_every_network_is_read_completely(name):
    model, variables, clip = shapes_of(name)
    check_graph(trace_network(model, variables, clip).graph, model)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("r3d_34", {"srtg": "final", "gate": "hard"}),
        ("r3d_50", {"srtg": "top", "residual_drop": "shake_drop", "class_reg": {}}),
        ("slowonly_34", {"random_scaling": {"distribution": ("normal", 0.9, 0.3)}}),
        ("r3d_50_e1", {"multi_temporal": {}}),
        ("x3d_s", {"class_reg": {}, "srtg": "mid"}),
    ],
)
def test_methods_do_not_change_the_layers_of_a_network(name, options):
    model, variables, clip = shapes_of(name, depths=(1, 1, 1, 1), **options)
    graph = trace_network(model, variables, clip).graph
    check_graph(graph, model)
    layers = {layer.name for layer in graph.levels}
    plain = trace_network(*shapes_of(name, depths=(1, 1, 1, 1))).graph
    if "multi_temporal" not in options:
        # Cells of gates and the mapping of classes produce no features.
        assert layers == {layer.name for layer in plain.levels}


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in RUN]
)
def test_pyramids_to_depth_four(name):
    model, shapes, clip = shapes_of(name, **RUN[name])
    rng = np.random.default_rng(0)
    variables = jax.tree.map(
        lambda leaf: np.abs(rng.normal(0.3, 0.2, leaf.shape)).astype(leaf.dtype), shapes
    )
    arrays = rng.normal(size=clip.shape).astype(np.float32)
    pyramid = class_feature_pyramid(model, variables, arrays, 3, depth=4, threshold=0.5)
    kernels = {
        layer.name: layer.kernels for layer in trace_network(model, variables, clip).graph.levels
    }
    assert {layer.level for layer in pyramid.layers} == {1, 2, 3, 4}
    for layer in pyramid.layers:
        assert layer.kernels.min() >= 0
        assert layer.kernels.max() < kernels[layer.name]
        assert ((layer.weights >= 0.5) & (layer.weights <= 1)).all()
        if layer.maps is not None:
            assert pyramid.tube(layer.name).shape == clip.shape[1:4]


@pytest.mark.parametrize(
    "name",
    ["ir_csn_50", "x3d_s"]
    + [pytest.param(name, marks=pytest.mark.slow) for name in ("mfnet", "resnext3d_101")],
)
def test_every_kept_kernel_of_groups_has_children(name):
    model, shapes, clip = shapes_of(name, **RUN[name])
    rng = np.random.default_rng(0)
    # Means of half of the kernels are negative.
    variables = jax.tree.map(
        lambda leaf: rng.normal(0, 0.3, leaf.shape).astype(leaf.dtype) if leaf.ndim else leaf,
        dict(shapes),
    )
    variables["batch_stats"] = jax.tree.map(np.square, variables["batch_stats"])
    arrays = rng.normal(size=clip.shape).astype(np.float32)
    depth = 6 if name == "x3d_s" else 4
    pyramid = class_feature_pyramid(model, variables, arrays, 3, depth, 0.3, "feature", top=4)
    graph = trace_network(model, variables, clip).graph.down_to(depth)
    groups = {layer.name: (layer.groups, layer.inputs) for layer in graph.levels}
    inner = [layer for layer in pyramid.layers if layer.level < depth]
    grouped = [layer for layer in inner if groups[layer.name][0] > 1]
    assert grouped
    for layer in grouped:
        parts, inputs = groups[layer.name]
        for kernel in layer.kernels.tolist():
            children = pyramid.edges[layer.name, kernel]
            assert children, (layer.name, kernel)
            if parts == inputs:
                assert {weight for _, weight in children} == {1.0}
