r"""Converts a PyTorch checkpoint to weights of one of our networks.

It writes an orbax checkpoint and model.json: the network's options, the preprocessing of its clips,
its card, and where each tensor went. To train from the weights, set --config.model.weights=OUTPUT.
The other commands take the folder as --weights=OUTPUT.

--inflate makes weights of a video network from those of an image ResNet. Kernels are repeated over
time and divided by the number of frames (mean), or become the middle frame of kernels that are zero
elsewhere (center).

The mean, std and channel order that a published file was trained with are looked up by its name and
checksum. For other files, give --mean, --std and --channels if a warning asks for them.

Examples:
  vidjax convert --model=x3d_m --checkpoint=X3D_M.pyth --output=weights/x3d_m \
      --classes=kinetics400.txt
  vidjax convert --model=r3d_50 --checkpoint=r3d50.pth --num_classes=51 --output=w
  vidjax convert --model=cifar_resnet_110 --checkpoint=resnet20-12fca82f.th \
      "--option=depths=(3,3,3)" --output=weights/resnet20
  vidjax convert --model=slowonly_50 --checkpoint=resnet50-0676ba61.pth \
      --inflate=mean --output=weights/inflated
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import flags, logging

from vidjax import settings
from vidjax.convert import converted_folder
from vidjax.convert.inflation import HOW, inflate_torch
from vidjax.convert.input_normalization import ORDERS
from vidjax.convert.loaded import Colour
from vidjax.convert.loading import ALLOWED, Converted, convert, sources
from vidjax.convert.torch_pickles import CheckpointError
from vidjax.data.class_list import read_class_list
from vidjax.models.registry import check_options, current_options
from vidjax.storage.paths import as_path
from vidjax.terminal import say
from vidjax.trained.published.clip_preprocessing import colours_of
from vidjax.trained.published.identify import row_of

from . import command_line, help_text, option_flags

_MODEL = flags.DEFINE_string(
    "model", None, "NETWORK: Name of the network, one of `vidjax.list_models()`."
)
_CHECKPOINT = flags.DEFINE_string(
    "checkpoint", None, "FILE: Checkpoint: a .pth, .pyth, .tar, .safetensors or .pkl file."
)
_OUTPUT = flags.DEFINE_string("output", None, "FOLDER: New folder for the weights.")
_NUM_CLASSES = flags.DEFINE_integer(
    "num_classes", None, "Number of classes. By default that of the file.", 1
)
_OPTION = flags.DEFINE_multi_string(
    "option", [], "NAME=VALUE: Option of the network, such as width=16."
)
_INFLATE = flags.DEFINE_enum(
    "inflate", None, HOW, "How the kernels of an image network are inflated over time."
)
_CLASSES = flags.DEFINE_string(
    "classes",
    None,
    "FILE: Names of the classes: a text file with one name per line, or a CSV with a column "
    "`class`.",
)
_MEAN = flags.DEFINE_list(
    "mean",
    None,
    "R,G,B: Mean of the colours in [0, 1] that the file was trained with.",
)
_STD = flags.DEFINE_list(
    "std",
    None,
    "R,G,B: Standard deviation of the colours in [0, 1] that the file was trained with.",
)
_CHANNELS = flags.DEFINE_enum(
    "channels", None, ORDERS, "Order of the colours that the file expects; BGR is changed to RGB."
)
_ALLOW = flags.DEFINE_multi_enum(
    "allow",
    [],
    ALLOWED,
    "Accepts tensors that the file lacks (missing), that the network has no place for (unused), or "
    "that hold NaN or infinity (nonfinite).",
)
_ENTRY = flags.DEFINE_string(
    "entry", None, "NAME: State dict to read if the file has several, such as state_dict_ema."
)
flags.mark_flags_as_required(["model", "checkpoint", "output"])
help_text.group("Network", _MODEL, _NUM_CLASSES, _OPTION, _CLASSES)
help_text.group("Files", _CHECKPOINT, _ENTRY, _ALLOW, _OUTPUT)
help_text.group("Colours", _MEAN, _STD, _CHANNELS)
help_text.group("Image networks", _INFLATE)


def main() -> None:
    """Converts, writes and reports."""
    name, file, output = _MODEL.value, as_path(_CHECKPOINT.value), as_path(_OUTPUT.value)
    colours = {flag.name: _colour(flag.name, flag.value) for flag in (_MEAN, _STD)}
    classes = read_class_list(as_path(_CLASSES.value)) if _CLASSES.value else None
    converted_folder.check_empty(output)
    if not file.is_file():
        raise ValueError(f"--checkpoint={file} is not a file")
    given = {**colours, "channels": _CHANNELS.value}
    converted = _converted(name, file, {key: value for key, value in given.items() if value})
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    inflated = f", inflated by {_INFLATE.value}" if _INFLATE.value else ""
    source = f"{file.name}, sha256 {digest}{inflated}"
    converted_folder.write(converted, name, output, source, classes)
    words = "".join(f", {key}={value!r}" for key, value in converted.options.items())
    say(*str(converted.report).splitlines())
    say(f"create_model({name!r}, num_classes={converted.num_classes}{words})")
    say(f"colours in [0, 1]: mean {converted.mean}, std {converted.std}")
    say(f"  {output / converted_folder.ARRAYS}", f"  {output / converted_folder.FACTS}")


def _converted(name: str, file: Path, colours: Mapping[str, Any]) -> Converted:
    chosen = option_flags.parsed(_OPTION.value, "width=16")
    check_options(name, chosen)
    chosen = current_options(name, chosen)
    logging.set_verbosity(logging.WARNING)
    given = {"num_classes": _NUM_CLASSES.value, "allow": _ALLOW.value, "entry": _ENTRY.value}
    if _INFLATE.value:
        return _inflated(name, file, colours, given, chosen)
    row = row_of(name, file)
    if row is not None:
        say(f"{file.name} is {row.name}")
        colours, chosen = {**colours_of(row), **colours}, {**row.options, **chosen}
    try:
        return convert(name, file, **given, **colours, **chosen)
    except CheckpointError as error:
        known = ", ".join(sources(name)) or "no project"
        raise ValueError(f"{error}. Weights of {name} are known from: {known}") from None


def _inflated(
    name: str,
    file: Path,
    colours: Mapping[str, Any],
    given: Mapping[str, Any],
    chosen: Mapping[str, Any],
) -> Converted:
    if "channels" in colours:
        raise ValueError("--channels has no effect with --inflate, which takes RGB files only")
    return dataclasses.replace(
        inflate_torch(name, file, how=_INFLATE.value, **given, **chosen), **colours
    )


def _colour(flag: str, texts: Sequence[str] | None) -> Colour | None:
    """Parses the colour of a flag; None if it is not given."""
    if texts is None:
        return None
    try:
        values = tuple(map(float, texts))
    except ValueError:
        values = ()
    kind = settings.number(above=0, most=1000) if flag == "std" else settings.number(-1000, 1000)
    settings.check({flag: values or ",".join(texts)}, {flag: settings.several(kind, 3)}, "--")
    red, green, blue = values
    return red, green, blue


if __name__ == "__main__":
    command_line.run(main, __doc__)
