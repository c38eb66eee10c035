"""An export's folder: the network, its card, its size and how to load it, whole or not at all."""

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
from vidjax.trained.exporting.export_request import Exported
from vidjax.trained.exporting.local_run import Here, compile_here
from vidjax.trained.exporting.program import PLATFORMS
from vidjax.trained.exporting.streaming import Streaming

FORMATS: Mapping[str, ModuleType] = {"stablehlo": stablehlo, "saved_model": saved_model}
# Of the largest logit. Compilers round differently, bfloat16 to a hundredth; another network
# differs by as much as the logits are large.
_ROUNDING = 0.05
_README = """\
{name} ({source}): a network that recognises actions in clips of video, exported by vidjax.

card.json       classes, input, output, versions, and size and sha256 of the network's files
load.py         loads it: from load import load; network, card = load(); network(clips)
streaming.json  what it costs to run on a stream of video; streaming.csv by how often

It takes RGB clips uint8 [B, {frames}, {height}, {width}, 3] with any B of at least 1: frames of a
video {stride} apart, their short side resized to {short_side} pixels, the centre cut out.
Colours are normalised inside. It gives logits float32 [B, {classes}]; their {scale} is the
probability of the classes.
"""


def export(
    exported: Exported,
    kind: str,
    output: Path,
    platforms: Sequence[str] = PLATFORMS,
    fps: float = 30.0,
) -> tuple[Streaming, float | None]:
    """Exports a network into a new folder, loads it back and compares.

    Args:
      exported: the network.
      kind: of `FORMATS`.
      output: a folder that does not exist yet, or is empty.
      platforms: of `PLATFORMS`, that it is to run on.
      fps: frames a second of the stream to report on.

    Returns:
      The streaming-size report, and the largest difference of a logit from the network's own;
      None where the platforms leave this machine out.

    Raises:
      ValueError: the folder holds something, or what was written is another function.
    """
    check_empty(output)
    with new_folder(output, last=[card.FILE]) as unfinished:
        FORMATS[kind].write(exported, unfinished, platforms)
        files = card.digests(unfinished)
        card.write(card.card(exported, kind, platforms, files), unfinished)
        shutil.copyfile(load.__file__, unfinished / "load.py")
        write_text(unfinished / "README.txt", _readme(exported))
        here = compile_here(exported)
        size = sum(facts["bytes"] for facts in files.values())
        report = streaming.streaming(exported, here, size, fps)
        streaming.write(report, unfinished)
        difference = (
            _difference(exported, here, unfinished) if _runs_here(kind, platforms) else None
        )
    return report, difference


def _readme(exported: Exported) -> str:
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


def _difference(exported: Exported, here: Here, folder: Path) -> float:
    """Of the loaded network's logits from its own, for two clips of noise."""
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
