"""A configuration's network as JAX traces it: its modules, and no number computed."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp

from vidjax.layers.lowering import force_lowering
from vidjax.models.registry import create_model
from vidjax.run.config import from_mapping


def config_of(module, argument):
    return from_mapping(module.get_config(argument))


@functools.cache
def calls(module, argument):
    """The modules of a configuration's network in the order they are called: path and module."""
    config, seen = config_of(module, argument), []

    def watch(call, args, kwargs, context):
        if context.method_name == "__call__":
            seen.append(("/".join(context.module.path), context.module.clone(parent=None)))
        return call(*args, **kwargs)

    network = create_model(config.model.name, num_classes=7, **config.model.options)
    size = config.clip.size
    clip = jax.ShapeDtypeStruct((2, config.clip.frames, size, size, 3), jnp.float32)
    # A convolution is a module in every form, and traced fastest as one primitive.
    with force_lowering("lax"), nn.intercept_methods(watch):
        logits, _ = jax.eval_shape(
            lambda x: network.init_with_output(jax.random.key(0), x, train=False), clip
        )
    assert logits.shape == (2, 7)
    return tuple(seen)


def of(kind, module, argument):
    """The modules of a kind in a configuration's network, by path."""
    return {path: found for path, found in calls(module, argument) if isinstance(found, kind)}
