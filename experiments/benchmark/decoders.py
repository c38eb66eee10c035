"""Decoders that read frames out of the video files themselves, each in its fastest form.

A form is the fastest by CPU time: one thread each, since a training job has a process or a thread
for every clip that is made at once. Each call opens its file, as random videos of a large data set
are opened. Decoders that are not installed, or do not load, are left out with a line.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from av.video.reformatter import VideoReformatter

from vidjax.data.containers import address, open_video
from vidjax.data.decode import read_video
from vidjax.data.video_stream import stream_video

# Maps a file, the sorted indices [N] of frames and the video's rate to uint8 `[N, H, W, 3]`.
Decoder = Callable[[Path, np.ndarray, float], np.ndarray]


def own_decoders() -> dict[str, Decoder]:
    """What `vidjax predict` reads a video with, and what `vidjax prepare` does."""
    return {"vidjax, from the start": _streamed, "vidjax, whole video": _whole}


def peers(say: Callable[[str], None]) -> dict[str, Decoder]:
    """The other decoders that this machine has; `say` is told which ones it lacks, and why."""
    found: dict[str, Decoder] = {"PyAV, seek": _pyav, "OpenCV, seek": _opencv}
    for name, (package, make) in _OPTIONAL.items():
        if not importlib.util.find_spec(package):
            say(f"{name} is left out: pip install {_PROJECTS[package]}")
            continue
        try:
            found[name] = make()
        # A library of its own that does not load raises whatever it likes.
        except Exception as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            say(f"{name} is left out, as it does not load here: {reason}")
    return found


def _torchcodec() -> Decoder:
    from torchcodec.decoders import VideoDecoder

    def decode(file: Path, indices: np.ndarray, rate: float) -> np.ndarray:
        del rate
        # `approximate` trusts the header and does not scan the file first.
        decoder = VideoDecoder(str(file), dimension_order="NHWC", seek_mode="approximate")
        frames: np.ndarray = decoder.get_frames_at(indices.tolist()).data.numpy()
        return frames

    return decode


def _decord() -> Decoder:
    import decord

    def decode(file: Path, indices: np.ndarray, rate: float) -> np.ndarray:
        del rate
        frames: np.ndarray = (
            decord.VideoReader(str(file), num_threads=1).get_batch(indices).asnumpy()
        )
        return frames

    return decode


_OPTIONAL: Mapping[str, tuple[str, Callable[[], Decoder]]] = {
    "torchcodec, approximate seek": ("torchcodec", _torchcodec),
    "decord, seek": ("decord", _decord),
}
# Names of the packages in which others are.
_PROJECTS = {"torchcodec": "torchcodec", "decord": "decord2"}


def _pyav(file: Path, indices: np.ndarray, rate: float) -> np.ndarray:
    with open_video(file) as (container, stream):
        container.seek(int(indices[0] / rate / float(stream.time_base or 1)), stream=stream)
        return np.stack(list(_decoded(container, stream, indices, rate)))


def _decoded(container: Any, stream: Any, indices: np.ndarray, rate: float) -> Iterator[np.ndarray]:
    """The frames at `indices`, decoded from where the container stands."""
    wanted, last = set(indices.tolist()), int(indices[-1])
    # A new converter for each frame, as `to_ndarray` alone makes it, takes longer than decoding.
    converter = VideoReformatter()
    for frame in container.decode(stream):
        place = round(frame.time * rate)
        if place in wanted:
            yield converter.reformat(frame, format="rgb24", threads=1).to_ndarray()
        if place >= last:
            return


def _opencv(file: Path, indices: np.ndarray, rate: float) -> np.ndarray:
    del rate
    # FFmpeg alone, and by its address: other readers take names for patterns.
    one_thread = [cv2.CAP_PROP_N_THREADS, 1]
    capture = cv2.VideoCapture(address(file), cv2.CAP_FFMPEG, one_thread)
    capture.set(cv2.CAP_PROP_POS_FRAMES, int(indices[0]))
    wanted, frames = set(indices.tolist()), []
    for place in range(int(indices[0]), int(indices[-1]) + 1):
        capture.grab()
        if place in wanted:
            frames.append(cv2.cvtColor(capture.retrieve()[1], cv2.COLOR_BGR2RGB))
    capture.release()
    return np.stack(frames)


def _streamed(file: Path, indices: np.ndarray, rate: float) -> np.ndarray:
    wanted = set(indices.tolist())
    return np.stack([frame for _, frame in stream_video(file, fps=rate).at(wanted)])


def _whole(file: Path, indices: np.ndarray, rate: float) -> np.ndarray:
    del rate
    return read_video(file).frames[indices]
