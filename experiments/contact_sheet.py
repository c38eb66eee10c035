r"""Draws the network's input: one row per clip, one column per frame.

It shows a training batch as the network gets it: cropped, augmented and flipped. With --video it
shows every view of one video that evaluation uses. Look at it before a long run. Optical flow is
drawn in colours: the hue is the direction, the saturation the distance. Only the first flow field
at each place is shown.

Examples:
  vidjax contact_sheet --config=demo --output=batch.png
  vidjax contact_sheet --config=srtg:dataset=hacs --output=batch.png \
      --batch=7 --clips=12
  vidjax contact_sheet --config=demo --output=views.png --video=0
  vidjax contact_sheet --weights=i3d:kinetics400 --output=views.png --video=0 \
      --config.data.manifest=videos.csv
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from absl import flags

from vidjax.data.flow_visualization import flow_to_rgb
from vidjax.data.transforms import COLOURS
from vidjax.progress import ProgressLine
from vidjax.storage.paths import as_path
from vidjax.storage.writing import make_folder, writing_bytes
from vidjax.terminal import say
from vidjax.training.input_preview import InputPreview, test_views, training_batch
from vidjax.untrusted_names import figure_text

from . import command_line, network_flags

_CONFIG = network_flags.define_config_or_file()
_OUTPUT = flags.DEFINE_string("output", None, "FILE: New PNG file.")
_BATCH = flags.DEFINE_integer("batch", 0, "Number of the training batch, from 0.", 0)
_VIDEO = flags.DEFINE_integer(
    "video", None, "Number of a test video, from 0. Its views are shown instead of a batch.", 0
)
_CLIPS = flags.DEFINE_integer(
    "clips",
    None,
    "Largest number of clips to show. By default 8 clips of a batch, and all views of a video.",
    1,
)
_FRAMES = flags.DEFINE_integer(
    "frames", 8, "Largest number of frames to show of a clip, evenly spaced.", 1
)
flags.adopt_module_key_flags(network_flags)
flags.mark_flag_as_required("output")
_GAP = 2
_SMALLEST = 112
# Colours of the gaps; grey for optical flow, in which white is no motion.
_WHITE, _GREY = 255, 160


def main() -> None:
    """Draws the sheet."""
    output = as_path(_OUTPUT.value)
    if output.exists():
        raise ValueError(f"--output={output} exists already; name another file")
    config = network_flags.configured(_CONFIG.value)
    with ProgressLine() as progress:
        if _VIDEO.value is None:
            preview = training_batch(config, _BATCH.value, progress.count)
        else:
            preview = test_views(config, _VIDEO.value, progress.count)
    shown = min(_CLIPS.value or (len(preview.clips) if _VIDEO.present else 8), len(preview.clips))
    _draw(preview, shown, output)
    total, *shape = preview.clips.shape[:4]
    say(f"{shown} of {total} clips of {'x'.join(map(str, shape))}", f"  {output}")


def _draw(preview: InputPreview, shown: int, output: Path) -> None:
    # A figure without pyplot leaves no global state behind.
    from matplotlib.figure import Figure

    clips, gap = preview.clips[:shown], _WHITE
    if clips.shape[-1] != COLOURS:
        clips, gap = flow_to_rgb(clips), _GREY
    frames, size = clips.shape[1], clips.shape[3]
    places = np.unique(np.linspace(0, frames - 1, _FRAMES.value).round().astype(int))
    # Small clips are enlarged.
    zoom = max(1, _SMALLEST // size)
    clips = clips[:, places].repeat(zoom, axis=2).repeat(zoom, axis=3)
    sheet, step = _mosaic(clips, gap), clips.shape[3] + _GAP
    figure = Figure(figsize=(2 + sheet.shape[1] / 100, 0.8 + sheet.shape[0] / 100), dpi=100)
    axes = figure.add_subplot()
    axes.imshow(sheet, interpolation="nearest")
    labels = list(map(figure_text, preview.names[: len(clips)]))
    axes.set_yticks((np.arange(len(clips)) + 0.5) * step, labels)
    axes.set_xticks((np.arange(len(places)) + 0.5) * step, places)
    axes.set_xlabel(f"frame of {frames}")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    make_folder(output.parent)
    with writing_bytes(output) as stream:
        figure.savefig(stream, format=output.suffix[1:] or "png", bbox_inches="tight")


def _mosaic(clips: np.ndarray, shade: int) -> np.ndarray:
    """Arranges clips `[N, T, H, W, 3]` in N rows and T columns, with gaps of a shade between."""
    gap = ((0, 0), (0, 0), (0, _GAP), (0, _GAP), (0, 0))
    padded = np.pad(clips, gap, constant_values=shade)
    rows, columns, height, width = padded.shape[:4]
    return padded.swapaxes(1, 2).reshape(rows * height, columns * width, 3)


if __name__ == "__main__":
    command_line.run(main, __doc__)
