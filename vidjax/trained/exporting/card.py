"""The card of an export: everything a program needs to call the network and read its output."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from vidjax.run.workdir import versions
from vidjax.storage.writing import write_text
from vidjax.trained.exporting.export_request import ExportRequest
from vidjax.trained.exporting.program import INPUT, OUTPUT

FILE = "card.json"
_PACKAGES = ("vidjax", "jax", "jaxlib", "flax", "tensorflow", "tensorflow-cpu")


def card(
    exported: ExportRequest, kind: str, platforms: Sequence[str], files: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """Makes the card, of plain JSON types.

    Args:
      exported: the network.
      kind: `stablehlo` or `saved_model`.
      platforms: platforms that it runs on.
      files: size and SHA-256 of the files, as returned by `digests`.
    """
    trained, seen = exported.trained, exported.preprocessing
    frames, height, width = exported.clip
    installed = {name: found for name, found in versions(_PACKAGES) if found != "not installed"}
    return {
        "format": kind,
        "model": {"name": trained.name, "options": dict(trained.options)},
        "source": trained.source,
        "step": trained.step,
        "classes": trained.classes and list(trained.classes),
        "input": {
            "name": INPUT,
            "dtype": "uint8",
            "shape": ["batch", frames, height, width, 3],
            "colours": "RGB",
        },
        "output": {
            "name": OUTPUT,
            "dtype": "float32",
            "shape": ["batch", trained.num_classes],
            "probabilities": trained.scale,
        },
        "frames": {
            "stride": seen.stride,
            "sampling": seen.sampling,
            "fps": seen.fps,
            "short_side": seen.short_side,
        },
        "normalisation": {
            "mean": seen.mean,
            "std": seen.std,
            "inside": True,
        },
        "platforms": list(platforms),
        "versions": installed,
        "files": files,
    }


def digests(directory: Path) -> dict[str, dict[str, Any]]:
    """Returns size in bytes and SHA-256 of every file in a folder, by name."""
    return dict(_digests(directory))


def _digests(directory: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for file in sorted(directory.rglob("*")):
        if file.is_file():
            content = file.read_bytes()
            name = file.relative_to(directory).as_posix()
            digest = hashlib.sha256(content).hexdigest()
            yield name, {"bytes": len(content), "sha256": digest}


def write(mapping: dict[str, Any], directory: Path) -> None:
    """Writes `card.json`."""
    write_text(directory / FILE, json.dumps(mapping, indent=2) + "\n")
