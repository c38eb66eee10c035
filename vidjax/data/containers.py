"""Opening video files, in the one way by which nothing else can be opened.

FFmpeg takes what stands before a colon for a protocol, and follows the names that playlists hold.
Here it gets an absolute path of the protocol `file`, and may read containers of video and single
pictures, which are videos of one frame. Patterns of names, which stand for sequences of pictures,
are not read. Contents tell what a file is; its name does not.

FFmpeg allocates what headers ask for. Here it gets no more for one array than a frame of the most
pixels takes, and no more seconds for one call than a file may take.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import av
import av.container
import av.video

from vidjax.data.costs import USUAL, CostError, DecodeError, LateError, Limits
from vidjax.storage.local import here
from vidjax.storage.paths import UrlError, as_path

__all__ = ["DecodeError", "address", "open_video"]

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
# FFmpeg believes the suffixes of these, and takes them for sequences.
_PICTURES = {b"\xff\xd8\xff": "jpeg_pipe", b"BM": "bmp_pipe"}
# Bytes that FFmpeg may take at once: four a pixel, and its paddings.
_BYTES_A_PIXEL, _PADDING = 4, 2**22


def address(path: str | Path) -> str:
    """A path as FFmpeg must get it to take it for a path."""
    return f"file:{os.path.abspath(path)}"


@contextmanager
def open_video(
    path: str | Path, limits: Limits = USUAL
) -> Iterator[tuple[av.container.InputContainer, av.video.stream.VideoStream]]:
    """A video file's container and its main video stream.

    One in a bucket is copied to this machine first.

    Args:
      path: file, or a URL.
      limits: what it may cost.

    Raises:
      DecodeError: the file is absent, unreadable or no video.
      BucketError: a bucket does not give it.
    """
    with ExitStack() as stack:
        try:
            file = stack.enter_context(here(as_path(path)))
        except FileNotFoundError:
            raise DecodeError(f"{path}: no such file") from None
        except UrlError as error:
            raise DecodeError(str(error)) from None
        yield stack.enter_context(_opened(file, path, limits))


@contextmanager
def _opened(
    file: Path, path: str | Path, limits: Limits
) -> Iterator[tuple[av.container.InputContainer, av.video.stream.VideoStream]]:
    """A file of this machine, which errors call `path`."""
    if file.is_dir():
        raise DecodeError(f"{path}: a folder, not a video file")
    if not file.is_file():
        raise DecodeError(f"{path}: no such file")
    _bound_allocations(limits.pixels)
    # For each call of FFmpeg: no single one takes longer because the file is long.
    seconds = min(limits.seconds, USUAL.seconds)
    try:
        container = av.open(
            address(file),
            mode="r",
            format=_format(file),
            options=_OPTIONS | {"max_pixels": str(limits.pixels)},
            timeout=seconds,
            **_titles(),
        )
    except av.error.ExitError as error:
        raise LateError(f"{path}: opening takes more than {seconds:g} s") from error
    except av.error.MemoryError as error:
        raise CostError(f"{path}: its header asks for more memory than a video may take") from error
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


def _titles() -> dict[str, Any]:
    """What a title holds is no reason to refuse a video; PyAV 19 sees to that by itself."""
    return {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}


def _format(path: str | Path) -> str | None:
    """The format of a picture that FFmpeg does not tell by its contents."""
    try:
        with open(path, "rb") as stream:
            head = stream.read(4)
    except OSError:
        # Opening it says what is wrong.
        return None
    return next((name for magic, name in _PICTURES.items() if head.startswith(magic)), None)


def _bound_allocations(pixels: int) -> None:
    """Bounds what FFmpeg allocates at once, in this process; one that lacks the setting has none.

    PyAV does not pass it on. Its extension modules are linked to the library that has it.
    """
    with suppress(AttributeError, OSError):
        library = ctypes.CDLL(av._core.__file__)
        library.av_max_alloc(ctypes.c_size_t(_BYTES_A_PIXEL * pixels + _PADDING))
