"""The cost of running a network on a video stream: size, computation, memory and time."""

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
from vidjax.trained.exporting.export_request import ExportRequest
from vidjax.trained.exporting.local_run import LocalRun


@dataclass(frozen=True)
class Window:
    """The cost of one clip per fixed number of frames.

    Attributes:
      every: frames from the start of one clip to the start of the next.
      clips_per_second: clips to compute.
      macs_per_second: multiply-adds to compute.
      buffer_frames: frames to keep.
      buffer_bytes: memory for those frames, cropped, as uint8.
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
    """The streaming report.

    Attributes:
      artifact_bytes: size of all files of the network.
      params: number of parameters.
      float32_bytes: size of the parameters.
      bfloat16_bytes: size of the parameters if stored in bfloat16.
      macs_per_clip: multiply-adds per clip.
      clip_seconds: length of video that a clip covers: its frames times their stride.
      fps: frames per second of the stream.
      working_bytes: peak memory for activations, one clip at a time; None if the compiler does not
        report it.
      seconds_per_clip: measured, one clip at a time; the median of several runs.
      device: device on which memory and time were measured.
      windows: costs by the interval between clips.
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
        """Formats the report for a terminal."""
        lines = [
            f"artifact            {_mib(self.artifact_bytes)}",
            f"parameters          {self.params:,}: {_mib(self.float32_bytes)} in float32, "
            f"{_mib(self.bfloat16_bytes)} in bfloat16",
            f"multiply-adds       {self.macs_per_clip / 1e9:.3g} G per clip of "
            f"{self.clip_seconds:.3g} s at {self.fps:g} frames/s",
            f"activations         {_mib(self.working_bytes)} per clip ({self.device})",
            f"time                {self.seconds_per_clip * 1e3:.3g} ms per clip ({self.device})",
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
    return "unknown" if size is None else f"{size / 2**20:.3g} MiB"


def streaming(
    exported: ExportRequest, here: LocalRun, artifact_bytes: int, fps: float
) -> Streaming:
    """Makes the report.

    Args:
      exported: the network.
      here: the network, compiled on this machine.
      artifact_bytes: size of the network's files.
      fps: frames per second of the stream.
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


def _window(exported: ExportRequest, every: int, macs: int, seconds: float, fps: float) -> Window:
    rate = fps / every
    frames = frames_kept(exported.clip[0], exported.preprocessing.stride, every)
    size = frames * math.prod(exported.clip[1:]) * 3
    return Window(every, rate, macs * rate, frames, size, seconds * rate)


def frames_kept(frames: int, stride: int, every: int) -> int:
    """Returns how many frames a buffer must keep: those that belong to some clip.

    Args:
      frames: frames per clip.
      stride: frames of the stream from one frame of a clip to the next.
      every: frames of the stream from the start of a clip to the start of the next.
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
