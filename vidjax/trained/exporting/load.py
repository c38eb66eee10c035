"""Loads the exported network in the folder of this file.

It needs only NumPy and, depending on the format in card.json, JAX with flatbuffers or TensorFlow.

    from load import load
    network, card = load()
    logits = network(clips)  # uint8 RGB [B, T, H, W, 3] to float32 [B, K]

or `python load.py clip.npy` for the most likely classes of a clip, uint8 RGB [T, H, W, 3].
"""

from __future__ import annotations

import hashlib
import json
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

# Largest card in bytes: enough for 16,000 of the longest class names.
_MOST = 2**24

Network = Callable[[np.ndarray], np.ndarray]
# Custom calls that a JAX program may make. Others reach into the process that runs it, such as
# callbacks into Python, and a file must not choose what they call.
_CALLS = frozenset(
    (
        *("shape_assertion", "Sharding", "stablehlo.dynamic_reduce_window"),
        *("stablehlo.dynamic_rng_bit_generator", "stablehlo.dynamic_top_k"),
    )
)


def load(folder: str | Path = Path(__file__).parent) -> tuple[Network, dict[str, Any]]:
    """Loads the network as a function of clips, together with its card.

    Args:
      folder: the folder of an export.

    Raises:
      ValueError: the folder is in a bucket, a file has changed since the export, or a JAX program
        makes a forbidden call.
    """
    if "://" in str(folder):
        raise ValueError(
            f"{folder} is not on this machine; copy the whole folder here first, as with "
            f"`gcloud storage cp -r {folder} .` or `aws s3 cp --recursive {folder} DIR`"
        )
    folder = Path(folder)
    card = read_card(folder)
    check(folder, card)
    network = (_with_jax if card["format"] == "stablehlo" else _with_tensorflow)(folder)
    return checked(network, card["input"]["shape"]), card


def read_card(folder: Path) -> dict[str, Any]:
    """Reads the card of an export.

    Raises:
      ValueError: the card is damaged; says how.
    """
    file = folder / "card.json"
    try:
        card = _read_json(file)
    except FileNotFoundError:
        raise ValueError(f"{file} is absent; copy the whole folder again") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file} is damaged ({error}); copy it again") from None
    kinds = {"format": str, "input": dict, "output": dict, "files": dict}
    for name, kind in kinds.items():
        if not isinstance(card, dict) or not isinstance(card.get(name), kind) or not card[name]:
            raise ValueError(f"{file} is damaged ({name!r} is absent or empty); copy it again")
    files = {"stablehlo": "network.stablehlo", "saved_model": "saved_model.pb"}
    if card["format"] not in files or files[card["format"]] not in card["files"]:
        raise ValueError(f"{file} is damaged (it names no file of the network); copy it again")
    shape = card["input"].get("shape")
    if not isinstance(shape, list) or len(shape) != 5 or not all(map(_is_length, shape[1:])):
        raise ValueError(f"{file} is damaged (the input has no shape); copy it again")
    for facts in card["files"].values():
        if not isinstance(facts, dict) or not isinstance(facts.get("sha256"), str):
            raise ValueError(f"{file} is damaged (a file has no sha256); copy it again")
    names = card.get("classes")
    if names is not None and not _are_texts(names):
        raise ValueError(f"{file} is damaged (the classes are not a list of texts); copy it again")
    # Earlier versions exported only networks with one class per clip.
    if card["output"].setdefault("probabilities", "softmax") not in ("softmax", "sigmoid"):
        raise ValueError(f"{file} is damaged (the probabilities are unknown); copy it again")
    return card


def _read_json(file: Path) -> Any:
    """Reads JSON from a regular file of bounded size; refuses duplicate keys, NaN and Infinity."""
    facts = file.stat()
    if not stat.S_ISREG(facts.st_mode) or facts.st_size > _MOST:
        raise ValueError(f"it is not a file of at most {_MOST} bytes")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            raise ValueError("it has a key twice")
        return dict(pairs)

    def no_number(text: str) -> None:
        raise ValueError(f"{text} is not a number")

    text = file.read_text(encoding="utf-8")
    return json.loads(text, object_pairs_hook=once, parse_constant=no_number)


def _is_length(value: Any) -> bool:
    return type(value) is int and 0 < value <= 65_536


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def checked(network: Network, shape: list[Any]) -> Network:
    """Wraps the network so that it refuses wrong clips with a clear error.

    Args:
      network: maps clips to logits.
      shape: shape of clips; the first entry stands for any number.
    """

    def run(clips: np.ndarray) -> np.ndarray:
        given = list(np.shape(clips))
        if len(given) != len(shape) or given[1:] != shape[1:] or clips.dtype != np.uint8:
            wanted = ", ".join(map(str, ("B", *shape[1:])))
            raise ValueError(
                f"clips are {clips.dtype} {given}, but the network takes uint8 [{wanted}]"
            )
        return network(clips)

    return run


def check(folder: Path, card: dict[str, Any]) -> None:
    """Checks that all files are there and undamaged.

    Raises:
      ValueError: names the first wrong file.
    """
    for name, facts in card["files"].items():
        file = folder / name
        if not file.is_file():
            raise ValueError(f"{file} is absent; copy the whole folder again")
        if hashlib.sha256(file.read_bytes()).hexdigest() != facts["sha256"]:
            raise ValueError(f"{file} is damaged: its sha256 is not the card's; copy it again")


def _with_jax(folder: Path) -> Network:
    import jax
    from jax import export

    file = folder / "network.stablehlo"
    exported = export.deserialize(bytearray(file.read_bytes()))
    for name in sorted(_called(exported.mlir_module_serialized) - _CALLS):
        raise ValueError(f"{file} is refused: it calls {name!r}, as no exported network does")
    call = jax.jit(exported.call)
    return lambda clips: np.asarray(call(clips))


def _called(module: bytes) -> set[str]:
    """Returns the names of a serialized module's custom calls."""
    from jax.extend.mlir import ir
    from jax.extend.mlir.dialects import chlo, stablehlo

    names = set()

    def note(op: Any) -> Any:
        if op.operation.name.endswith("custom_call"):
            names.add(str(ir.StringAttr(op.operation.attributes["call_target_name"]).value))
        return ir.WalkResult.ADVANCE

    with ir.Context() as context:
        context.allow_unregistered_dialects = True
        stablehlo.register_dialect(context)
        chlo.register_dialect(context)
        stablehlo.deserialize_portable_artifact(context, module).operation.walk(note)
    return names


def _with_tensorflow(folder: Path) -> Network:
    import tensorflow as tf

    model = tf.saved_model.load(str(folder))
    call = model.signatures["serving_default"]

    def network(clips: np.ndarray) -> np.ndarray:
        # The signature does not keep the model alive, so this function must.
        assert model is not None
        return np.asarray(call(clips=tf.constant(clips))["logits"])

    return network


def probabilities(logits: np.ndarray, card: dict[str, Any]) -> np.ndarray:
    """Converts logits `[..., K]` to probabilities: softmax or sigmoid, as the card says."""
    if card["output"]["probabilities"] == "sigmoid":
        return np.exp(-np.logaddexp(0, -logits))
    odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return odds / odds.sum(axis=-1, keepdims=True)


def _print_likeliest(file: str, top: int = 5) -> None:
    try:
        network, card = load()
        (logits,) = network(np.load(file)[None])
    except (OSError, ValueError) as error:
        sys.exit(f"error: {_shown(error)}")
    chances = probabilities(logits, card)
    names = card.get("classes") or [f"class {k}" for k in range(len(logits))]
    for k in np.argsort(-chances, kind="stable")[:top]:
        print(f"{chances[k]:7.2%}  {_shown(names[k])}")


def _shown(name: object) -> str:
    """Formats a name as text, with terminal control characters escaped."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(name))


if __name__ == "__main__":
    _print_likeliest(sys.argv[1])
