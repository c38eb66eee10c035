"""Loads a checkpoint's tensors into a network's variables and reports what did not fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vidjax.convert.key_mapping import Path
from vidjax.convert.torch_pickles import short
from vidjax.slots.block import in_slot

Order = Callable[[np.ndarray], np.ndarray]
Grow = Callable[[np.ndarray, tuple[int, ...]], np.ndarray | None]

# Permutations from PyTorch's axis order to ours, by number of axes: outputs last, inputs before.
AXES = {2: (1, 0), 3: (2, 1, 0), 4: (2, 3, 1, 0), 5: (2, 3, 4, 1, 0)}


@dataclass(frozen=True)
class Report:
    """What happened to each tensor of a checkpoint. Paths are ours, keys are the file's.

    Attributes:
      layout: the project whose key names the file has.
      loaded: paths whose tensor was loaded, at most with its axes transposed.
      reshaped: paths whose tensor also gained or lost axes of length 1.
      inflated: paths whose kernel was inflated from an image kernel.
      reinitialised: paths of a classifier for other classes, which is newly initialised.
      added: paths of methods in the network's slots, absent from the file and newly initialised.
      missing: other paths that the file has no tensor for.
      unused: keys that have no counterpart in the network.
      nonfinite: paths whose tensor holds a NaN or an infinity.
      unfit: messages about keys whose shape differs from the shape at their path.
    """

    layout: str
    loaded: tuple[str, ...] = ()
    reshaped: tuple[str, ...] = ()
    inflated: tuple[str, ...] = ()
    reinitialised: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    nonfinite: tuple[str, ...] = ()
    unfit: tuple[str, ...] = ()

    @property
    def misfits(self) -> int:
        """The number of missing and unused tensors; newly initialised ones do not count."""
        return len(self.missing) + len(self.unused)

    def __str__(self) -> str:
        """Formats one line of counts, then the names of what did not fit."""
        parts = ("loaded", "reshaped", "reinitialised", "added", "missing", "unused")
        shown = (*parts[:2], *(("inflated",) if self.inflated else ()), *parts[2:])
        counts = ", ".join(f"{len(getattr(self, part))} {part}" for part in shown)
        lines = [f"{self.layout}: {counts}"]
        for part in (*parts[2:], "nonfinite"):
            names = getattr(self, part)
            if names:
                more = f" and {len(names) - 6} more" if len(names) > 6 else ""
                lines.append(f"  {part}: {', '.join(map(short, names[:6]))}{more}")
        return "\n".join([*lines, *(f"  {short(line, 300)}" for line in self.unfit[:6])])


@dataclass
class Fit:
    """Tensors by path, and the report of how they were loaded."""

    report: Report
    values: Mapping[Path, np.ndarray] = field(repr=False)


def ordered(tensor: np.ndarray) -> np.ndarray:
    """Transposes a PyTorch weight to our axis order: `[O, I, T, H, W]` to `[T, H, W, I, O]`."""
    return tensor.transpose(AXES[tensor.ndim]) if tensor.ndim in AXES else tensor


def fit(
    layout: str,
    tensors: Mapping[str, np.ndarray],
    places: Mapping[str, Path],
    shapes: Mapping[Path, tuple[int, ...]],
    order: Order = ordered,
    grow: Grow = lambda value, shape: None,
) -> Fit:
    """Assigns each tensor of a checkpoint to its path in the network.

    Args:
      layout: name of the project, for the report.
      tensors: the checkpoint.
      places: path of each key.
      shapes: shape of each path of the network.
      order: transposes a tensor to our axis order.
      grow: makes a kernel of a larger shape from a tensor, or returns None if it cannot.
    """
    values: dict[Path, np.ndarray] = {}
    parts = ("loaded", "reshaped", "inflated", "unused", "unfit")
    found: dict[str, list[str]] = {name: [] for name in parts}
    new_head = []
    for key in sorted(tensors):
        path = places.get(key)
        if path is None or path not in shapes:
            if not key.endswith("num_batches_tracked"):
                found["unused"].append(key)
            continue
        value = order(tensors[key])
        if (grown := grow(value, shapes[path])) is not None:
            found["inflated"].append(_name(path))
            values[path] = grown
        elif squeezed(value.shape) == squeezed(shapes[path]):
            same = value.shape == shapes[path]
            found["loaded" if same else "reshaped"].append(_name(path))
            values[path] = value.reshape(shapes[path])
        elif path[1] == "head" and value.shape[:-1] == shapes[path][:-1]:
            new_head.append(_name(path))
        else:
            found["unused"].append(key)
            found["unfit"].append(
                f"{key} {list(tensors[key].shape)} does not fit {_name(path)} {list(shapes[path])}"
            )
    return Fit(_reported(layout, found, new_head, values, shapes), values)


def _reported(
    layout: str,
    found: Mapping[str, list[str]],
    new_head: list[str],
    values: Mapping[Path, np.ndarray],
    shapes: Mapping[Path, tuple[int, ...]],
) -> Report:
    """Builds the report from what was found and what is absent."""
    absent = {path for path in shapes if path not in values and _name(path) not in new_head}
    added = {path for path in absent if in_slot(path)}
    nonfinite = [path for path, value in values.items() if not np.isfinite(value).all()]
    return Report(
        layout,
        reinitialised=tuple(sorted(new_head)),
        added=tuple(sorted(map(_name, added))),
        missing=tuple(sorted(map(_name, absent - added))),
        nonfinite=tuple(map(_name, nonfinite)),
        **{name: tuple(items) for name, items in found.items()},
    )


def squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Returns a shape without its axes of length 1."""
    return tuple(size for size in shape if size != 1)


def nested(values: Mapping[Path, Any]) -> dict[str, Any]:
    """Builds a nested dict from values by path."""
    tree: dict[str, Any] = {}
    for path, value in values.items():
        node = tree
        for part in path[:-1]:
            node = node.setdefault(part, {})
        node[path[-1]] = value
    return tree


def _name(path: Path) -> str:
    return "/".join(path[1:])
