"""The network as a TensorFlow SavedModel: the same StableHLO inside one TensorFlow operation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

from vidjax.training.exporting.program import INPUT, OUTPUT, program_of
from vidjax.training.exporting.trained import Trained


def write(trained: Trained, directory: Path, platforms: Sequence[str]) -> None:
    """Writes a SavedModel with the signature `serving_default`.

    Args:
      trained: the network.
      directory: a folder.
      platforms: of `PLATFORMS`, that it is to run on.

    Raises:
      ValueError: TensorFlow or jax2tf is not there.
    """
    try:
        import tensorflow as tf
        from jax.experimental import jax2tf
    except ImportError as error:
        raise ValueError(
            f"saved_model needs TensorFlow and jax.experimental.jax2tf ({error}); install them, "
            "or export --format=stablehlo"
        ) from None
    network = jax2tf.convert(
        program_of(trained),
        polymorphic_shapes=[None, "(batch, ...)"],
        with_gradient=False,
        native_serialization_platforms=tuple(platforms),
    )
    holder = tf.Module()
    # Variables, not constants: a graph is one protocol buffer, of at most 2 GB.
    holder.variables_of_network = jax.tree.map(_variable, trained.variables)

    def logits(clips: Any) -> dict[str, Any]:
        return {OUTPUT: network(holder.variables_of_network, clips)}

    signature = [tf.TensorSpec((None, *trained.clip, 3), tf.uint8, name=INPUT)]
    holder.logits = tf.function(logits, autograph=False, input_signature=signature)
    tf.saved_model.save(holder, str(directory), signatures={"serving_default": holder.logits})


def _variable(array: Any) -> Any:
    import tensorflow as tf

    return tf.Variable(array, trainable=False)
