"""Converts a PyTorch checkpoint to weights of one of our networks.

Writes an orbax checkpoint, and beside it model.json: the network's options, the preprocessing of
its clips, its card, and what became of each tensor. Train from it with
--config.model.weights=OUTPUT.

Examples:
  python -m experiments.convert --model=x3d_m --checkpoint=X3D_M.pyth --output=weights/x3d_m
  python -m experiments.convert --model=r3d_50 --checkpoint=r3d50.pth --num_classes=51 --output=w
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from absl import flags, logging

from experiments import command_line
from vidjax.convert import folder
from vidjax.convert.loading import ALLOWED, convert, sources
from vidjax.models.listing import model_card
from vidjax.terminal import say

_MODEL = flags.DEFINE_string("model", None, "network, as in vidjax.list_models()")
_CHECKPOINT = flags.DEFINE_string("checkpoint", None, ".pth, .pyth, .tar or .safetensors file")
_OUTPUT = flags.DEFINE_string("output", None, "folder to write")
_NUM_CLASSES = flags.DEFINE_integer("num_classes", None, "classes; the file's if not given")
_ALLOW = flags.DEFINE_multi_enum(
    "allow",
    [],
    ALLOWED,
    "accept tensors that the file lacks (missing), that have no place (unused) or that hold NaN or "
    "infinity (nonfinite)",
)
_ENTRY = flags.DEFINE_string(
    "entry", None, "state dict to read where the file has several, such as state_dict_ema"
)
flags.mark_flags_as_required(["model", "checkpoint", "output"])


def main() -> None:
    """Converts, writes and reports."""
    name, file, output = _MODEL.value, Path(_CHECKPOINT.value), Path(_OUTPUT.value)
    model_card(name)
    folder.check_empty(output)
    if not file.is_file():
        raise ValueError(f"--checkpoint={file} is not a file")
    logging.set_verbosity(logging.WARNING)
    try:
        converted = convert(name, file, _NUM_CLASSES.value, allow=_ALLOW.value, entry=_ENTRY.value)
    except ValueError as error:
        known = ", ".join(sources(name)) or "no project"
        raise ValueError(f"{error}. Weights of {name} are known from: {known}") from None
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    folder.write(converted, name, output, source=f"{file.name}, sha256 {digest}")
    options = "".join(f", {key}={value!r}" for key, value in converted.options.items())
    say(*str(converted.report).splitlines())
    say(f"create_model({name!r}, num_classes={converted.num_classes}{options})")
    say(f"colours in [0, 1]: mean {converted.mean}, std {converted.std}")
    say(f"  {output / folder.ARRAYS}", f"  {output / folder.FACTS}")


if __name__ == "__main__":
    command_line.run(main, __doc__)
