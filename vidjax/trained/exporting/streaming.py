"""What it takes to run a network on a stream of video: size, work, memory and time."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
from dataclasses import dataclass
from pathlib import Path

import jax

from vidjax.evaluation.cost import count_cost
from vidjax.storage.writing import write_text, writing
from vidjax.trained.exporting.export_request import Exported
from vidjax.trained.exporting.local_run import Here


@dataclass(frozen=True)
class Window:
    """A clip every so many frames of a stream.

    Attributes:
      every: frames from one clip to the next.
      clips_per_second: that have to be computed.
      macs_per_second: multiply-adds.
      buffer_frames: that have to be kept.
      buffer_bytes: of these, cropped, uint8.
      busy: share of this machine's time; above 1 it cannot keep up.
    """

    every: int
    clips_per_second: float
    macs_per_second: float
    buffer_frames: int
    buffer_bytes: int
    busy: float


@dataclass(frozen=True)
class Streaming:
    """The streaming-size report.

    Attributes:
      artifact_bytes: of all files that hold the network.
      params: number of parameters.
      float32_bytes: of the parameters.
      bfloat16_bytes: of the parameters, if they were stored so.
      macs_per_clip: multiply-adds of a clip.
      clip_seconds: of video that a clip stands for, its frames times their stride.
      fps: frames a second of the stream.
      working_bytes: largest memory for activations, a clip at a time; None where the compiler does
        not say.
      seconds_per_clip: measured, a clip at a time, median of several.
      device: where memory and time were measured.
      windows: by how often a clip is computed.
    """

    artifact_bytes: int
    params: int
    float32_bytes: int
    bfloat16_bytes: int
    macs_per_clip: int
    clip_seconds: float
    fps: float
    working_bytes: int | None
    seconds_per_clip: float
    device: str
    windows: tuple[Window, ...]

    def __str__(self) -> str:
        """For a terminal."""
        lines = [
            f"artifact            {_mib(self.artifact_bytes)}",
            f"parameters          {self.params:,}: {_mib(self.float32_bytes)} in float32, "
            f"{_mib(self.bfloat16_bytes)} in bfloat16",
            f"multiply-adds       {self.macs_per_clip / 1e9:.3g} G a clip of "
            f"{self.clip_seconds:.3g} s at {self.fps:g} frames/s",
            f"activations         {_mib(self.working_bytes)} a clip ({self.device})",
            f"time                {self.seconds_per_clip * 1e3:.3g} ms a clip ({self.device})",
            "a clip every   clips/s   G multiply-adds/s   frames kept        MiB   busy here",
        ]
        return "\n".join([*lines, *map(_row, self.windows)])


def _row(window: Window) -> str:
    return (
        f"{window.every:>5} frames {window.clips_per_second:>10.3g}"
        f" {window.macs_per_second / 1e9:>19.3g} {window.buffer_frames:>13}"
        f" {window.buffer_bytes / 2**20:>10.3g} {window.busy:>11.1%}"
    )


def _mib(size: int | None) -> str:
    return "not known" if size is None else f"{size / 2**20:.3g} MiB"


def streaming(exported: Exported, here: Here, artifact_bytes: int, fps: float) -> Streaming:
    """The report.

    Args:
      exported: the network.
      here: the network on this machine.
      artifact_bytes: of the files that hold it.
      fps: frames a second of the stream.
    """
    cost = count_cost(exported.trained.model, exported.clip)
    stride = exported.preprocessing.stride
    span = exported.clip[0] * stride
    return Streaming(
        artifact_bytes=artifact_bytes,
        params=cost.params,
        float32_bytes=4 * cost.params,
        bfloat16_bytes=2 * cost.params,
        macs_per_clip=cost.macs,
        clip_seconds=span / fps,
        fps=fps,
        working_bytes=here.working_bytes,
        seconds_per_clip=here.seconds,
        device=jax.devices()[0].device_kind,
        windows=tuple(
            _window(exported, every, cost.macs, here.seconds, fps)
            for every in sorted(
                {span, max(1, span // 2), max(1, span // 4), exported.preprocessing.stride}
            )[::-1]
        ),
    )


def _window(exported: Exported, every: int, macs: int, seconds: float, fps: float) -> Window:
    rate = fps / every
    frames = frames_kept(exported.clip[0], exported.preprocessing.stride, every)
    size = frames * math.prod(exported.clip[1:]) * 3
    return Window(every, rate, macs * rate, frames, size, seconds * rate)


def frames_kept(frames: int, stride: int, every: int) -> int:
    """How many frames of a stream a buffer for its clips holds: those that some clip has.

    Args:
      frames: of a clip.
      stride: from one frame of a clip to the next.
      every: frames from the start of a clip to that of the next.
    """
    places = [number * stride for number in range(frames)]
    return sum(
        any((frame - place) % every == 0 for place in places) for frame in range(places[-1] + 1)
    )


def write(report: Streaming, directory: Path) -> None:
    """Writes `streaming.json`, and the windows as `streaming.csv`."""
    mapping = dataclasses.asdict(report)
    write_text(directory / "streaming.json", json.dumps(mapping, indent=2) + "\n")
    with writing(directory / "streaming.csv") as stream:
        writer = csv.DictWriter(stream, [field.name for field in dataclasses.fields(Window)])
        writer.writeheader()
        writer.writerows(mapping["windows"])
