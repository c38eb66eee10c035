"""Lists the modules of a configuration's network by tracing it; computes nothing."""

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
    """Returns paths and modules of a configuration's network in the order of their calls."""
    config, seen = config_of(module, argument), []

    def watch(call, args, kwargs, context):
        if context.method_name == "__call__":
            seen.append(("/".join(context.module.path), context.module.clone(parent=None)))
        return call(*args, **kwargs)

    network = create_model(config.model.name, num_classes=7, **config.model.options)
    size = config.clip.size
    clip = jax.ShapeDtypeStruct((2, config.clip.frames, size, size, 3), jnp.float32)
    # Tracing is fastest if each convolution is a single primitive; the modules are the same.
    with force_lowering("lax"), nn.intercept_methods(watch):
        logits, _ = jax.eval_shape(
            lambda x: network.init_with_output(jax.random.key(0), x, train=False), clip
        )
    assert logits.shape == (2, 7)
    return tuple(seen)


def of(kind, module, argument):
    """Returns the modules of a type in a configuration's network, by path."""
    return {path: found for path, found in calls(module, argument) if isinstance(found, kind)}
