"""The last part of the demo: published weights name what happens in a real video."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from vidjax.terminal import say
from vidjax.trained.clip_explanation import TAU, open_clip, see
from vidjax.trained.published.pretrained import Pretrained, load_pretrained
from vidjax.trained.published.registry import candidates
from vidjax.trained.published.weight_files import at_hand

from .explain.explanation_files import TUBE_FILES, Part, write_tubes

NETWORK, TAG = "i3d", "kinetics400"
# Shorter than the published clips, for a laptop: of 64 frames, it takes four times as long.
_FRAMES, _STRIDE = 16, 4
# Where this project's own reference data lie, beside a clone.
_WEIGHTS = "weights/i3d_kinetics400_hassony2.pth"
_VIDEO = "clips/ucf101_few/BenchPress/v_BenchPress_g01_c01.avi"
_HOW = (
    "A network that knows 400 real actions does the same with a video of yours:",
    "  pip install 'vidjax[pretrained]'",
    f"  vidjax predict --weights={NETWORK}:{TAG} --video=my.mp4 --explain",
)


def show_real_video(video: Path | None, output: Path) -> list[Path]:
    """Names what happens in a real video and draws a tube over it, or says how to get there.

    Args:
      video: the user's; None takes one of the reference data, where they are.
      output: a folder for the tube's files.

    Returns:
      The files, none where weights or video are missing.

    Raises:
      ValueError: the video cannot be read.
    """
    video, trained = video or _reference(_VIDEO), _open()
    say("")
    if video is None or trained is None:
        say(*_HOW)
        return []
    say(f"what is done in {video}, says {trained.source}?")
    clip = open_clip(_shortened(trained), video)
    seen = see(clip, tube={"tau": TAU})
    say(f"  {seen.title}")
    if any((output / name).exists() for name in TUBE_FILES):
        return [output / name for name in TUBE_FILES if (output / name).exists()]
    return write_tubes(output, [Part(seen)], video)


def _open() -> Pretrained | None:
    """The network, if its weights are on this machine: the demo downloads nothing."""
    if any(at_hand(row) for row in candidates(NETWORK, TAG)):
        return load_pretrained(NETWORK, TAG)
    file = _reference(_WEIGHTS)
    return load_pretrained(NETWORK, TAG, path=file) if file else None


def _shortened(trained: Pretrained) -> Pretrained:
    seen = dataclasses.replace(trained.preprocessing, frames=_FRAMES, stride=_STRIDE)
    return dataclasses.replace(trained, preprocessing=seen)


def _reference(name: str) -> Path | None:
    """A file of the reference data; None where they are absent."""
    beside = Path(__file__).parents[2] / "shared"
    file = Path(os.environ.get("VIDJAX_SHARED", beside)) / name
    return file if file.is_file() else None
