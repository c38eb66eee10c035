"""Encodes the frames of a video file as a prepared data set would store them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vidjax.data.flow_extraction import chosen_fields, encoded_field, fields_in
from vidjax.data.optical_flow import num_stacks, stack_indices
from vidjax.data.record import FlowRecord, Record
from vidjax.data.transforms import encode_jpeg
from vidjax.data.video_stream import VideoStream, stream_video
from vidjax.data.views import Views
from vidjax.trained.preprocessing import Preprocessing


def as_record(
    video: Path,
    preprocessing: Preprocessing,
    views: Views,
    *,
    start: float | None = None,
    end: float | None = None,
) -> Record:
    """Reads a video file, or a piece of it, into a record with the frames that some views need.

    The frames are encoded as a data set stores them, so the network sees what it was trained on.
    The file is decoded twice, first to count its frames and then to take the needed ones, so hours
    of video take as little memory as seconds.

    Args:
      video: a file.
      preprocessing: preprocessing of the network.
      views: views that will be cut from the record; it has no other frames.
      start: start of the piece in seconds from the first frame; None is 0.
      end: end of the piece in seconds, exclusive; None is the end of the video.

    Raises:
      DecodeError: the file cannot be decoded.
    """
    side = preprocessing.stored_side or preprocessing.short_side
    stream = stream_video(
        video, fps=preprocessing.fps, start=start, end=end, short_side=side, counted=True
    )
    assert stream.count is not None
    if preprocessing.flow:
        return _flow_record(video, preprocessing, views, stream)
    wanted = np.unique(views.shape.view_indices(stream.count, views.clips))
    jpegs = {
        index: encode_jpeg(frame, preprocessing.quality)
        for index, frame in stream.at(wanted[wanted >= 0].tolist())
    }
    return Record(_Frames(jpegs, stream.count), label=-1, name=str(video), fps=stream.fps)


def _flow_record(
    video: Path, preprocessing: Preprocessing, views: Views, stream: VideoStream
) -> FlowRecord:
    """Does the same for a network that takes optical flow."""
    assert preprocessing.flow is not None
    assert stream.count is not None
    fields, pairs = fields_in(stream.count, video), preprocessing.pairs
    indices = np.unique(views.shape.view_indices(num_stacks(fields, pairs), views.clips))
    wanted = np.unique(stack_indices(indices[indices >= 0], pairs, fields)).tolist()
    jpegs: dict[int, bytes] = {}
    for number, field in chosen_fields(stream, wanted, preprocessing.flow, video):
        jpegs[2 * number], jpegs[2 * number + 1] = encoded_field(field, preprocessing.quality)
    stored = _Frames(jpegs, 2 * fields)
    return FlowRecord(stored, label=-1, name=str(video), fps=stream.fps, pairs=pairs)


class _Frames(Sequence[bytes]):
    """A sequence as long as the video that holds only some of its frames."""

    def __init__(self, jpegs: Mapping[int, bytes], count: int) -> None:
        self._jpegs, self._count = jpegs, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self._jpegs[each] for each in range(*index.indices(len(self)))]
        return self._jpegs[index]
