"""The last part of the demo: published weights predict the action in a real video."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from vidjax.terminal import say
from vidjax.trained.clip_explanation import TAU, explain_clip, open_clip
from vidjax.trained.published.pretrained import Pretrained, load_pretrained
from vidjax.trained.published.registry import candidates
from vidjax.trained.published.weight_files import local_file

from .explain.explanation_files import TUBE_FILES, Part, write_tubes

NETWORK, TAG = "i3d", "kinetics400"
# Shorter clips than the published 64 frames, which take four times as long on a laptop.
_FRAMES, _STRIDE = 16, 4
# Reference data of this project, beside a clone.
_WEIGHTS = "weights/i3d_kinetics400_hassony2.pth"
_VIDEO = "clips/ucf101_few/BenchPress/v_BenchPress_g01_c01.avi"
_HOW = "A network that knows 400 real actions predicts your own video:"
_INSTALL = "  pip install 'vidjax[pretrained]'"
_PREDICT = f"  vidjax predict --weights={NETWORK}:{TAG} --video=my.mp4 --explain"


def show_real_video(video: Path | None, output: Path) -> list[Path]:
    """Predicts the action in a real video and draws a Saliency Tube, or prints how to do so.

    Args:
      video: the user's video; None takes one of the reference data, if they are on this machine.
      output: a folder for the files of the tube.

    Returns:
      The files; none if the weights or the video are missing.

    Raises:
      ValueError: the video cannot be read.
    """
    video, trained = video or _reference(_VIDEO), _open()
    say("")
    if video is None or trained is None:
        say(_HOW, *([_INSTALL] if trained is None else []), _PREDICT)
        return []
    say(f"predicted for {video} by {trained.source}:")
    clip = open_clip(_shortened(trained), video)
    seen = explain_clip(clip, tube={"tau": TAU})
    say(f"  {seen.title}")
    if any((output / name).exists() for name in TUBE_FILES):
        return [output / name for name in TUBE_FILES if (output / name).exists()]
    return write_tubes(output, [Part(seen)], video)


def _open() -> Pretrained | None:
    """Opens the network if its weights are on this machine; the demo downloads nothing."""
    if any(local_file(row) for row in candidates(NETWORK, TAG)):
        return load_pretrained(NETWORK, TAG)
    file = _reference(_WEIGHTS)
    return load_pretrained(NETWORK, TAG, path=file) if file else None


def _shortened(trained: Pretrained) -> Pretrained:
    seen = dataclasses.replace(trained.preprocessing, frames=_FRAMES, stride=_STRIDE)
    return dataclasses.replace(trained, preprocessing=seen)


def _reference(name: str) -> Path | None:
    """Returns a file of the reference data; None if it is absent."""
    beside = Path(__file__).parents[2] / "shared"
    file = Path(os.environ.get("VIDJAX_SHARED", beside)) / name
    return file if file.is_file() else None
