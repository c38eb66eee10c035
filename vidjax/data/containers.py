"""Opening video files, in the one way by which nothing else can be opened.

FFmpeg takes what stands before a colon for a protocol, and follows the names that playlists hold.
Here it gets an absolute path of the protocol `file`, and may read containers of video and single
pictures, which are videos of one frame. Patterns of names, which stand for sequences of pictures,
are not read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import av.container
import av.video

# Broken files are reported by DecodeError; libav's own lines on stderr repeat it unasked.
av.logging.set_level(av.logging.PANIC)

# What FFmpeg calls the containers that hold video and name no other files; raw streams below, then
# single pictures.
_CONTAINERS = """
    mov matroska avi mpegts mpeg flv live_flv asf ogg rm nut mxf gxf dv wtv swf nsv pva ty dhav
    gif apng yuv4mpegpipe
    h261 h263 h264 hevc vvc m4v mpegvideo ivf av1 obu vc1 vc1test dirac cavsvideo mjpeg mjpeg_2000
    png_pipe jpeg_pipe bmp_pipe webp_pipe tiff_pipe
"""
_OPTIONS = {
    "protocol_whitelist": "file",
    "format_whitelist": ",".join(_CONTAINERS.split()),
}
# What a title holds is no reason to refuse a video; PyAV 19 sees to that by itself.
_TITLES: dict[str, Any] = (
    {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
)


class DecodeError(ValueError):
    """A file cannot be decoded as asked."""


def address(path: str | Path) -> str:
    """A path as FFmpeg must get it to take it for a path."""
    return f"file:{os.path.abspath(path)}"


@contextmanager
def open_video(
    path: str | Path,
) -> Iterator[tuple[av.container.InputContainer, av.video.stream.VideoStream]]:
    """A video file's container and its main video stream.

    Raises:
      DecodeError: the file is absent, unreadable or no video.
    """
    if os.path.isdir(path):
        raise DecodeError(f"{path}: a folder, not a video file")
    if not os.path.isfile(path):
        raise DecodeError(f"{path}: no such file")
    try:
        container = av.open(address(path), mode="r", options=_OPTIONS, **_TITLES)
    except av.error.ArgumentError as error:
        raise DecodeError(f"{path}: not a readable video (in no known video container)") from error
    except (av.error.FFmpegError, UnicodeError, ValueError) as error:
        raise DecodeError(f"{path}: not a readable video ({type(error).__name__})") from error
    with container:
        if not container.streams.video:
            raise DecodeError(f"{path}: no video stream")
        # Not always the first one: cover art is a stream of one picture.
        stream = container.streams.best("video")
        assert isinstance(stream, av.video.stream.VideoStream)
        if stream.codec_context is None:
            raise DecodeError(f"{path}: not a readable video (nothing decodes its codec)")
        # Callers decode in a process per core; threads of one decoder would only compete.
        stream.thread_type = "NONE"
        yield container, stream
