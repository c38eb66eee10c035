"""Decoders that read frames from video files, each in its fastest setting.

Fastest means least CPU time. Each decoder has one thread, because a training job has one process or
thread per clip in progress. Each call opens its file, as when training on random videos of a large
data set. Decoders that are not installed or do not load are left out, with a message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from av.video.reformatter import VideoReformatter

from vidjax.data.containers import address, open_video
from vidjax.data.decode import read_video
from vidjax.data.video_stream import stream_video
from vidjax.installed_packages import is_installed

# Maps a file, the sorted indices [N] of frames and the video's rate to uint8 `[N, H, W, 3]`.
Decoder = Callable[[Path, np.ndarray, float], np.ndarray]


def own_decoders() -> dict[str, Decoder]:
    """Returns the decoders of `vidjax predict` and `vidjax prepare`."""
    return {"vidjax, from the start": _streamed, "vidjax, whole video": _whole}


def peers(say: Callable[[str], None]) -> dict[str, Decoder]:
    """Returns the other decoders on this machine; `say` prints which are left out, and why."""
    found: dict[str, Decoder] = {"PyAV, seek": _pyav, "OpenCV, seek": _opencv}
    for name, (package, make) in _OPTIONAL.items():
        if not is_installed(package):
            say(f"{name} is left out: pip install {_PROJECTS[package]}")
            continue
        try:
            found[name] = make()
        # The native library of a decoder may raise anything if it does not load.
        except Exception as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            say(f"{name} is left out, because it does not load on this machine: {reason}")
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
# Names of the packages on PyPI, by the name of the module.
_PROJECTS = {"torchcodec": "torchcodec", "decord": "decord2"}


def _pyav(file: Path, indices: np.ndarray, rate: float) -> np.ndarray:
    with open_video(file) as (container, stream):
        container.seek(int(indices[0] / rate / float(stream.time_base or 1)), stream=stream)
        return np.stack(list(_decoded(container, stream, indices, rate)))


def _decoded(container: Any, stream: Any, indices: np.ndarray, rate: float) -> Iterator[np.ndarray]:
    """Yields the frames at `indices`, decoding from the container's current position."""
    wanted, last = set(indices.tolist()), int(indices[-1])
    # `to_ndarray` alone would make a new converter per frame, which takes longer than decoding.
    converter = VideoReformatter()
    for frame in container.decode(stream):
        place = round(frame.time * rate)
        if place in wanted:
            yield converter.reformat(frame, format="rgb24", threads=1).to_ndarray()
        if place >= last:
            return


def _opencv(file: Path, indices: np.ndarray, rate: float) -> np.ndarray:
    del rate
    # Only FFmpeg, and by a safe address, because other backends read names as patterns.
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
