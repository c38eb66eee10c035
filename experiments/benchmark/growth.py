"""Measures how time and memory of training grow along one axis at a time.

A step of a small network is compiled and timed with several batch sizes, numbers of frames, frame
sizes, widths, depths and numbers of classes, then with several numbers of simulated devices. The
start of a run is timed with several numbers of videos. The exponent is the slope of a straight line
through the logarithms of all points; 1 means linear growth. The last slope uses only the two
largest points, where constant costs matter least. Growth with width and depth is compared with the
growth of the network's multiply-adds.

Examples:
  vidjax benchmark growth --output=runs/growth
  vidjax benchmark growth --axes=videos --videos=10,1000,100000
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import msgspec
from absl import flags

import vidjax
from vidjax.data import tables
from vidjax.storage.paths import as_path
from vidjax.storage.writing import make_folder, writing
from vidjax.terminal import complain, say
from vidjax.training.malloc_settings import keep_freed_memory

from . import growth_devices, growth_videos
from .arguments import clip_sizes, numbers
from .comparison import release
from .flops_and_bytes import TRAINING, count_flops_and_bytes
from .growth_figure import draw
from .growth_line import Line
from .machine import describe, versions
from .timing import print_table, time_in_turns
from .train_step import make_step

_MODEL = flags.DEFINE_string(
    "model", "r3d_18", "NETWORK: Network to measure, from vidjax.list_models()."
)
_WIDTH = flags.DEFINE_integer("width", 16, "Channels of the stem.", lower_bound=1)
_BATCH = flags.DEFINE_integer("batch", 4, "Clips per step.", lower_bound=1)
_CLIP = flags.DEFINE_list("clip", ["8", "64", "64"], "FRAMES,HEIGHT,WIDTH: Size of a clip.")
_CLASSES = flags.DEFINE_integer("classes", 400, "Number of classes.", lower_bound=1)
_FACTORS = flags.DEFINE_list(
    "factors", ["1", "2", "4"], "FACTOR,...: Factors for batch, frames and width."
)
_VIDEOS = flags.DEFINE_list(
    "videos", ["10", "100", "1000", "10000", "100000"], "COUNT,...: Numbers of videos."
)
_DEVICES = flags.DEFINE_list(
    "devices", ["1", "2", "4", "8"], "COUNT,...: Numbers of simulated devices."
)
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Rounds; the median counts.", lower_bound=1)
_AXES = flags.DEFINE_list(
    "axes",
    ["batch", "frames", "pixels", "width", "depth", "classes", "devices", "videos"],
    "AXIS,...: Axes to grow along.",
)
_ALSO = flags.DEFINE_string("also", "", "FILE: growth.csv of another run, to show in the figure.")
_OUTPUT = flags.DEFINE_string("output", "", "FOLDER: New folder for growth.csv and growth.png.")
COLUMNS = ("axis", "quantity", "from", "to", "exponent", "last slope", "ideal", "")


def main(arguments: Sequence[str]) -> None:
    """Measures each axis, prints the exponents, and writes the points and a figure.

    Raises:
      ValueError: an axis is unknown, or the output exists already.
    """
    del arguments
    keep_freed_memory()
    known: dict[str, Callable[[], list[Line]]] = {
        **{axis: partial(_of_step, axis) for axis in _STEPS},
        "devices": _of_devices,
        "videos": _of_videos,
    }
    for axis in _AXES.value:
        if axis not in known:
            raise ValueError(f"--axes={axis}: must be one of {', '.join(known)}")
    if _OUTPUT.value and as_path(_OUTPUT.value).exists():
        raise ValueError(f"--output={_OUTPUT.value} exists already: name a new folder")
    say(describe(), versions())
    lines: list[Line] = []
    for axis in _AXES.value:
        found = known[axis]()
        for line in found:
            complain("  ".join(line.cells()))
        lines += found
    title = (
        f"{_MODEL.value} of width {_WIDTH.value}, {_BATCH.value} clips of {'x'.join(_CLIP.value)}, "
        "float32, training, except for the axis that grows"
    )
    print_table(title, COLUMNS, [line.cells() for line in lines])
    if _OUTPUT.value:
        folder = make_folder(as_path(_OUTPUT.value))
        _write(folder / "growth.csv", lines)
        draw(folder / "growth.png", [*_earlier(), *lines])


def _write(file: Path, lines: Sequence[Line]) -> None:
    with writing(file) as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("axis", "quantity", "size", "value"))
        for line in lines:
            rows = sorted(line.points.items())
            writer.writerows((line.axis, line.quantity, *point) for point in rows)


class _Point(msgspec.Struct):
    """A row of `growth.csv`."""

    axis: str
    quantity: str
    size: int
    value: float


def _earlier() -> list[Line]:
    """Reads the lines of an earlier run; they have no expected growth."""
    found: dict[tuple[str, str], dict[int, float]] = {}
    if _ALSO.value:
        for _, row in tables.read(as_path(_ALSO.value), _Point):
            found.setdefault((row.axis, row.quantity), {})[row.size] = row.value
    return [Line(axis, quantity, points) for (axis, quantity), points in found.items()]


@dataclass(frozen=True)
class _Size:
    """The sizes of a step."""

    batch: int
    clip: tuple[int, int, int]
    width: int
    blocks: int
    classes: int


def _base() -> _Size:
    return _Size(_BATCH.value, clip_sizes(_CLIP.value), _WIDTH.value, 2, _CLASSES.value)


def _factors() -> tuple[int, ...]:
    return numbers("factors", _FACTORS.value)


def _grown(axis: str) -> dict[int, _Size]:
    """Returns the sizes of the steps along an axis, by the position on the axis."""
    base, factors = _base(), _factors()
    frames, height, width = base.clip
    changes: dict[str, dict[int, dict[str, Any]]] = {
        "batch": {base.batch * f: {"batch": base.batch * f} for f in factors},
        "frames": {frames * f: {"clip": (frames * f, height, width)} for f in factors},
        "pixels": {
            height * width * f**2 // 4: {"clip": (frames, height * f // 2, width * f // 2)}
            for f in factors
        },
        "width": {base.width * f // 2: {"width": base.width * f // 2} for f in factors},
        "depth": {4 * f: {"blocks": f} for f in factors},
        "classes": {10 * 10**k: {"classes": 10 * 10**k} for k in range(len(factors) + 1)},
    }
    return {size: _Size(**(vars(base) | change)) for size, change in changes[axis].items()}


_STEPS = ("batch", "frames", "pixels", "width", "depth", "classes")


def _of_step(axis: str) -> list[Line]:
    times, memory, compiling, ideal = {}, {}, {}, {}
    for size, each in _grown(axis).items():
        model = vidjax.create_model(
            _MODEL.value, num_classes=each.classes, width=each.width, depths=(each.blocks,) * 4
        )
        shape = (each.batch, *each.clip, 3)
        ideal[size] = float(TRAINING * count_flops_and_bytes(model, shape).macs)
        step = make_step(model, shape)
        times[size] = time_in_turns({"step": step}, _ROUNDS.value)["step"]
        memory[size], compiling[size] = step.memory / 2**20, step.seconds
        del step
        release()
        jax.clear_caches()
    return [
        Line(axis, "ms a step", times, ideal),
        Line(axis, "MiB planned", memory, ideal if axis in ("width", "depth") else None),
        Line(axis, "s to compile", compiling),
    ]


def _of_devices() -> list[Line]:
    found = {count: growth_devices.measure(count) for count in numbers("devices", _DEVICES.value)}
    several = {count: each for count, each in found.items() if count > 1}
    return [
        Line("devices", "MiB planned a device", _each(found, "memory", 2**20)),
        Line("devices", "s to compile", _each(found, "compile")),
        Line("devices", "MiB sent a device", _each(several, "sent", 2**20)),
    ]


def _of_videos() -> list[Line]:
    found = {}
    for count in numbers("videos", _VIDEOS.value):
        with tempfile.TemporaryDirectory() as scratch:
            found[count] = growth_videos.measure(count, Path(scratch))
    lines = [Line("videos", f"s to {part}", _each(found, part)) for part in growth_videos.PARTS]
    return [*lines, Line("videos", "MiB", _each(found, "memory", 2**20))]


def _each(found: Mapping[int, Mapping[str, float]], name: str, unit: float = 1) -> dict[int, float]:
    return {count: each[name] / unit for count, each in found.items()}
