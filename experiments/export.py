r"""Exports a trained network to files that need neither vidjax nor Flax.

The exported network takes RGB clips uint8 [B, T, H, W, 3] with any batch size, normalises the
colours itself and returns float32 logits. Beside it are its card (classes, input, versions,
sha256), load.py, and a report of what it costs to run it on a stream of video.

Examples:
  vidjax export --workdir=runs/demo --format=stablehlo --output=exported/demo
  vidjax export --workdir=runs/demo --checkpoint=best --format=saved_model \
      --config.eval.size=128 --output=exported/demo-tensorflow
  vidjax export --weights=weights/x3d_m --format=stablehlo --output=exported/x3d_m
"""

from __future__ import annotations

from absl import flags

from vidjax.convert.converted_folder import check_empty
from vidjax.storage.paths import as_path
from vidjax.terminal import say
from vidjax.trained.exporting.export import FORMATS, export
from vidjax.trained.exporting.export_request import ExportRequest
from vidjax.trained.exporting.program import PLATFORMS

from . import command_line, network_flags

_CLIP = flags.DEFINE_list(
    "clip",
    None,
    "FRAMES,HEIGHT,WIDTH: Size of the clips for --weights. By default the weights' own.",
)
_FORMAT = flags.DEFINE_enum("format", None, list(FORMATS), "Format of the export.")
_OUTPUT = flags.DEFINE_string("output", None, "FOLDER: New folder for the files.")
_PLATFORMS = flags.DEFINE_multi_enum(
    "platform", PLATFORMS, PLATFORMS, "Platforms that the export runs on."
)
_FPS = flags.DEFINE_float(
    "fps",
    None,
    "Frame rate of the video stream in the report. By default that of the run, or 30.",
)
flags.adopt_module_key_flags(network_flags)
flags.mark_flags_as_required(["format", "output"])
_CONFIG = network_flags.define_config()


def main() -> None:
    """Exports and reports."""
    output = as_path(_OUTPUT.value)
    check_empty(output)
    if _CLIP.value and network_flags.WORKDIR.value:
        raise ValueError(
            "--clip is for --weights alone; a run has --config.clip.frames and --config.eval.size"
        )
    clip = _clip()
    _, trained = network_flags.opened(_CONFIG.value)
    fps = trained.preprocessing.fps or 30.0 if _FPS.value is None else _FPS.value
    if fps <= 0:
        raise ValueError(f"--fps={fps:g}: must be above 0")
    exported = ExportRequest.of(trained, clip)
    report, difference = export(exported, _FORMAT.value, output, _PLATFORMS.value, fps)
    say(*str(report).splitlines())
    if difference is None:
        say(f"not tested: this machine is none of {', '.join(_PLATFORMS.value)}")
    else:
        say(f"tested: the exported network's logits differ by at most {difference:.2g}")
    for file in sorted(output.iterdir()):
        say(f"  {file}")


def _clip() -> tuple[int, int, int] | None:
    if not _CLIP.value:
        return None
    if len(_CLIP.value) != 3 or not all(part.isdecimal() and int(part) for part in _CLIP.value):
        raise ValueError(
            f"--clip={','.join(_CLIP.value)}: must be FRAMES,HEIGHT,WIDTH, such as 16,112,112"
        )
    frames, height, width = map(int, _CLIP.value)
    return frames, height, width


if __name__ == "__main__":
    command_line.run(main, __doc__)
