"""Opens video files safely: nothing but the named local file can be opened.

FFmpeg treats the text before a colon as a protocol and follows the file names in playlists. Here it
gets an absolute path with the protocol `file`, and may read only video containers and single images
(videos of one frame). Patterns for image sequences are not expanded. The format is detected from
the contents of a file, not from its name.

FFmpeg allocates whatever a header asks for. Here one allocation is limited to the size of the
largest allowed frame, and one call to the time that a file may take.
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

from vidjax.data.decode_limits import (
    USUAL,
    DecodeError,
    DecodeLimitError,
    DecodeTimeoutError,
    Limits,
)
from vidjax.storage.local_copies import local_copy
from vidjax.storage.paths import UrlError, as_path
from vidjax.untrusted_names import short

__all__ = ["DecodeError", "address", "open_video"]

# DecodeError reports broken files. libav's own lines on stderr would only repeat it.
av.logging.set_level(av.logging.PANIC)

# FFmpeg's names of the containers that hold video and refer to no other files; then raw streams,
# then single images.
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
# FFmpeg goes by the suffix of these and treats them as image sequences.
_PICTURES = {b"\xff\xd8\xff": "jpeg_pipe", b"BM": "bmp_pipe"}
# Bytes of one FFmpeg allocation: four per pixel, and padding.
_BYTES_A_PIXEL, _PADDING = 4, 2**22


def address(path: str | Path) -> str:
    """Returns a path in the form that FFmpeg reads as a local file."""
    return f"file:{os.path.abspath(path)}"


@contextmanager
def open_video(
    path: str | Path, limits: Limits = USUAL
) -> Iterator[tuple[av.container.InputContainer, av.video.stream.VideoStream]]:
    """Opens a video file; yields its container and main video stream.

    A file in a bucket is copied to this machine first.

    Args:
      path: file or URL.
      limits: decoding limits.

    Raises:
      DecodeError: the file is missing, unreadable or not a video.
      BucketError: the bucket cannot be read.
    """
    with ExitStack() as stack:
        try:
            file = stack.enter_context(local_copy(as_path(path)))
        except FileNotFoundError:
            raise DecodeError(f"{path}: no such file") from None
        except UrlError as error:
            raise DecodeError(str(error)) from None
        yield stack.enter_context(_opened(file, path, limits))


@contextmanager
def _opened(
    file: Path, path: str | Path, limits: Limits
) -> Iterator[tuple[av.container.InputContainer, av.video.stream.VideoStream]]:
    """Opens a local file, which errors call `path`."""
    if file.is_dir():
        raise DecodeError(f"{path}: a folder, not a video file")
    if not file.is_file():
        raise DecodeError(f"{path}: no such file")
    _bound_allocations(limits.pixels)
    # For each call of FFmpeg; a single call does not take longer because the file is long.
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
        raise DecodeTimeoutError(f"{path}: opening takes longer than {seconds:g} s") from error
    except av.error.MemoryError as error:
        raise DecodeLimitError(
            f"{path}: its header asks for more memory than a video may use"
        ) from error
    except av.error.ArgumentError as error:
        raise DecodeError(f"{path}: not a readable video (unknown container)") from error
    except (av.error.InvalidDataError, UnicodeError) as error:
        raise DecodeError(f"{path}: not a readable video") from error
    except (av.error.FFmpegError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DecodeError(f"{path}: not a readable video ({short(reason)})") from error
    with container:
        if not container.streams.video:
            raise DecodeError(f"{path}: no video stream")
        # Not always the first one: cover art is a stream of one picture.
        stream = container.streams.best("video")
        assert isinstance(stream, av.video.stream.VideoStream)
        if stream.codec_context is None:
            raise DecodeError(f"{path}: not a readable video (no decoder for its codec)")
        # Callers decode in a process per core; threads of one decoder would only compete.
        stream.thread_type = "NONE"
        yield container, stream


def _titles() -> dict[str, Any]:
    """Ignores malformed titles, which are no reason to refuse a video; PyAV 19 does so itself."""
    return {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}


def _format(path: str | Path) -> str | None:
    """Detects the format of an image that FFmpeg does not recognize by its contents."""
    try:
        with open(path, "rb") as stream:
            head = stream.read(4)
    except OSError:
        # Opening the file reports the problem.
        return None
    return next((name for magic, name in _PICTURES.items() if head.startswith(magic)), None)


def _bound_allocations(pixels: int) -> None:
    """Limits the size of one FFmpeg allocation in this process, if FFmpeg has that setting.

    PyAV does not expose the setting. Its extension modules are linked to the library that has it.
    """
    with suppress(AttributeError, OSError):
        library = ctypes.CDLL(av._core.__file__)
        library.av_max_alloc(ctypes.c_size_t(_BYTES_A_PIXEL * pixels + _PADDING))
