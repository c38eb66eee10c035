"""Deinterlaces video frames."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import av
import av.filter


def deinterlaced(frames: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """Deinterlaces frames with FFmpeg's yadif filter; the number of frames stays the same.

    Videos whose first frame is progressive are passed through, as are frames that are not marked
    as interlaced.
    """
    first = next(frames, None)
    if first is None:
        return
    everything = itertools.chain([first], frames)
    if not first.interlaced_frame:
        yield from everything
        return
    # Source and sink do not keep the graph alive.
    graph, source, sink = _filter(first)
    size = first.width, first.height
    for frame in everything:
        if (frame.width, frame.height) != size:
            # The filter takes frames of one size. Other frames, which are rare, stay interlaced.
            yield frame
            continue
        source.push(frame)
        yield from _finished(sink)
    source.push(None)
    yield from _finished(sink)
    del graph


def _filter(
    first: av.VideoFrame,
) -> tuple[av.filter.Graph, av.filter.context.FilterContext, av.filter.context.FilterContext]:
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=first.width, height=first.height, format=first.format, time_base=first.time_base
    )
    filled = graph.add("yadif", "deint=interlaced")
    sink = graph.add("buffersink")
    source.link_to(filled)
    filled.link_to(sink)
    graph.configure()
    return graph, source, sink


def _finished(sink: av.filter.context.FilterContext) -> Iterator[av.VideoFrame]:
    while True:
        try:
            frame = sink.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        assert isinstance(frame, av.VideoFrame)
        yield frame
