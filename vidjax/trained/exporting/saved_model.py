"""Exports a TensorFlow SavedModel: the same StableHLO inside one TensorFlow operation.

It is the operation that `jax2tf` uses. `jax2tf` itself writes the newest StableHLO, which no
TensorFlow of the same date can read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
from jax import export
from jax.extend.mlir.dialects import stablehlo

from vidjax.trained.exporting.export_request import ExportRequest
from vidjax.trained.exporting.program import INPUT, OUTPUT, clips_of, program_of

# TensorFlow 2.20 and newer read this version. 2.21 reads up to 1.13, while JAX 0.12 writes 1.18.
_STABLEHLO = "1.8.0"


def write(exported: ExportRequest, directory: Path, platforms: Sequence[str]) -> None:
    """Writes a SavedModel with the signature `serving_default`.

    Args:
      exported: the network.
      directory: a folder.
      platforms: platforms to run on, each one of `PLATFORMS`.

    Raises:
      ValueError: TensorFlow or its XlaCallModule is missing, or the network needs a newer
        StableHLO.
    """
    try:
        import tensorflow as tf
        from tensorflow.compiler.tf2xla.python.xla import call_module
    except ImportError as error:
        raise ValueError(
            f"saved_model needs TensorFlow and its XlaCallModule ({error}); install "
            "tensorflow-cpu, or export --format=stablehlo"
        ) from None
    variables = jax.tree.map(
        lambda array: tf.Variable(array, trainable=False), exported.trained.variables
    )
    network = _operation(exported, platforms, call_module)
    leaves = jax.tree.leaves(variables)
    holder = tf.Module()
    # Variables instead of constants, because a graph is one protocol buffer of at most 2 GB.
    holder.variables_of_network = variables

    def logits(clips: Any) -> dict[str, Any]:
        return {OUTPUT: network(*leaves, clips)}

    signature = [tf.TensorSpec((None, *exported.clip, 3), tf.uint8, name=INPUT)]
    holder.logits = tf.function(logits, autograph=False, input_signature=signature)
    tf.saved_model.save(holder, str(directory), signatures={"serving_default": holder.logits})


def _operation(
    exported: ExportRequest, platforms: Sequence[str], call_module: Callable[..., Any]
) -> Callable[..., Any]:
    """Applies the network to tensors: the leaves of its variables, and clips."""
    shapes = jax.eval_shape(lambda: exported.trained.variables)
    program = jax.jit(program_of(exported))
    lowered = export.export(program, platforms=platforms)(shapes, clips_of(exported))
    written = _of_version(lowered.mlir_module())

    def network(*tensors: Any) -> Any:
        (logits,) = call_module(
            [tensors[place] for place in lowered.module_kept_var_idx],
            version=lowered.calling_convention_version,
            module=written,
            Tout=["float32"],
            Sout=[(None, exported.trained.num_classes)],
            platforms=[platform.upper() for platform in lowered.platforms],
        )
        return logits

    return network


def _of_version(module: str) -> bytes:
    try:
        return stablehlo.serialize_portable_artifact_str(module, _STABLEHLO)
    except ValueError as error:
        raise ValueError(
            f"saved_model uses StableHLO {_STABLEHLO} for TensorFlow, but the network has newer "
            f"operations ({error}): export --format=stablehlo"
        ) from None
