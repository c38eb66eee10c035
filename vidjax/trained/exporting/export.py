"""Exports a network to a folder with its card, a size report and a loader, or writes nothing."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
from jax import export as jax_export

from vidjax.convert.converted_folder import check_empty
from vidjax.storage.local_copies import new_folder
from vidjax.storage.writing import write_text
from vidjax.trained.exporting import card, load, saved_model, stablehlo, streaming
from vidjax.trained.exporting.export_request import ExportRequest
from vidjax.trained.exporting.local_run import LocalRun, compile_locally
from vidjax.trained.exporting.program import PLATFORMS
from vidjax.trained.exporting.streaming import Streaming

FORMATS: Mapping[str, ModuleType] = {"stablehlo": stablehlo, "saved_model": saved_model}
# Allowed difference, relative to the largest logit. Compilers round differently, in bfloat16 by up
# to a hundredth; a wrong network differs by as much as the logits themselves.
_ROUNDING = 0.05
_README = """\
{name} ({source}): a network that recognises actions in video clips, exported by vidjax.

card.json       classes, input, output, versions, and size and SHA-256 of the network's files
load.py         loads it: from load import load; network, card = load(); network(clips)
streaming.json  cost of running it on a video stream; streaming.csv lists it by clip rate

Input: RGB clips, uint8 [B, {frames}, {height}, {width}, 3], for any B of at least 1. The frames
are {stride} apart in the video, resized to a short side of {short_side} pixels and cropped at the
centre. Colours are normalised inside the network. Output: logits, float32 [B, {classes}]; their
{scale} gives the class probabilities.
"""


def export(
    exported: ExportRequest,
    kind: str,
    output: Path,
    platforms: Sequence[str] = PLATFORMS,
    fps: float = 30.0,
) -> tuple[Streaming, float | None]:
    """Exports a network into a new folder, loads it back and compares the logits.

    Args:
      exported: the network.
      kind: one of `FORMATS`.
      output: a folder that does not exist yet, or is empty.
      platforms: platforms to run on, each one of `PLATFORMS`.
      fps: frames per second of the stream in the report.

    Returns:
      The streaming report, and the largest difference between a loaded network's logit and the
      original's; None if the platforms do not include this machine.

    Raises:
      ValueError: the folder is not empty, or the exported network computes something else.
    """
    check_empty(output)
    with new_folder(output, last=[card.FILE]) as unfinished:
        FORMATS[kind].write(exported, unfinished, platforms)
        files = card.digests(unfinished)
        card.write(card.card(exported, kind, platforms, files), unfinished)
        shutil.copyfile(load.__file__, unfinished / "load.py")
        write_text(unfinished / "README.txt", _readme(exported))
        here = compile_locally(exported)
        size = sum(facts["bytes"] for facts in files.values())
        report = streaming.streaming(exported, here, size, fps)
        streaming.write(report, unfinished)
        difference = (
            _difference(exported, here, unfinished) if _runs_here(kind, platforms) else None
        )
    return report, difference


def _readme(exported: ExportRequest) -> str:
    frames, height, width = exported.clip
    return _README.format(
        name=exported.trained.name,
        source=exported.trained.source,
        frames=frames,
        height=height,
        width=width,
        stride=exported.preprocessing.stride,
        short_side=exported.preprocessing.short_side,
        classes=exported.trained.num_classes,
        scale=exported.trained.scale,
    )


def _runs_here(kind: str, platforms: Sequence[str]) -> bool:
    here = jax_export.default_export_platform() if kind == "stablehlo" else "cpu"
    return here in platforms


def _difference(exported: ExportRequest, here: LocalRun, folder: Path) -> float:
    """Returns the largest difference from the network's own logits, on two clips of noise."""
    shape = (2, *exported.clip, 3)
    clips = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    network, _ = load.load(folder)
    expected = here.logits(clips)
    difference = float(np.max(np.abs(network(clips) - expected)))
    if not difference <= _ROUNDING * float(np.max(np.abs(expected))):
        raise ValueError(
            f"the exported network's logits differ by {difference:.3g} from the network's own, of "
            f"up to {np.max(np.abs(expected)):.3g}: nothing was exported"
        )
    return difference
