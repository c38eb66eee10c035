"""Writes small files whose headers claim huge contents, as an attacker might send them."""

import struct
import zlib

import av
import numpy as np


def box(kind, *parts):
    """Makes a box of an MP4."""
    content = b"".join(parts)
    return struct.pack(">I4s", 8 + len(content), kind) + content


def numbers(*values):
    """Encodes numbers as big-endian, four bytes each."""
    return struct.pack(f">{len(values)}I", *values)


def write_lying_mp4(file, samples, *, ticks=1, stored=None, extra=b""):
    """Writes a video of 16 bytes that claims `samples` samples, each `ticks` / 25 s long."""
    stored = samples if stored is None else stored
    entry = box(
        b"avc1", b"\0" * 6 + struct.pack(">H", 1) + b"\0" * 16 + struct.pack(">HH", 64, 48),
        numbers(0x480000, 0x480000, 0) + struct.pack(">H", 1) + b"\0" * 32 + b"\0\x18\xff\xff",
    )  # fmt: skip
    table = box(
        b"stbl",
        box(b"stsd", numbers(0, 1), entry),
        box(b"stts", numbers(0, 1, stored, ticks)),
        box(b"stsc", numbers(0, 1, 1, max(1, stored), 1)),
        box(b"stsz", numbers(0, 1, stored)),
        box(b"stco", numbers(0, 1, 48)),
    )
    media = box(
        b"mdia",
        box(b"mdhd", numbers(0, 0, 0, 25, min(2**32 - 1, samples * ticks), 0)),
        box(b"hdlr", numbers(0, 0) + b"vide" + b"\0" * 13),
        box(b"minf", box(b"vmhd", numbers(1, 0, 0)), table),
    )
    track = box(b"trak", box(b"tkhd", numbers(3, 0, 0, 1) + b"\0" * 68), media)
    head = box(b"mvhd", numbers(0, 0, 0, 1000, 1000) + b"\0" * 80)
    file.write_bytes(
        box(b"ftyp", b"isom\0\0\0\0isom")
        + box(b"mdat", b"\0" * 16)
        + box(b"moov", head, track, extra)
    )
    return file


def write_lying_fragments(file, samples):
    """Writes an MP4 whose only fragment claims this number of samples of a byte."""
    extends = box(b"mvex", box(b"trex", numbers(0, 1, 1, 1, 1, 0)))
    write_lying_mp4(file, 0, extra=extends)
    run = box(b"traf", box(b"tfhd", numbers(0x20000, 1)), box(b"trun", numbers(0, samples)))
    with file.open("ab") as stream:
        stream.write(box(b"moof", box(b"mfhd", numbers(0, 1)), run) + box(b"mdat", b"\0" * 8))
    return file


def write_lying_png(file, width, height):
    """Writes an image that claims this size, but has 100 bytes."""
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"\0" * 100)),
        (b"IEND", b""),
    )
    file.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(data)) + kind + data + numbers(zlib.crc32(kind + data))
            for kind, data in chunks
        )
    )
    return file


def write_changing(file, *sizes):
    """Writes raw H.264 whose size (width, height) changes every five frames."""
    pieces = []
    for number, (width, height) in enumerate(sizes):
        piece = file.with_name(f"{file.stem}-{number}.h264")
        with av.open(str(piece), "w", format="h264") as container:
            stream = container.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            frame = np.zeros((height, width, 3), np.uint8)
            for _ in range(5):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            container.mux(stream.encode())
        pieces.append(piece.read_bytes())
        piece.unlink()
    file.write_bytes(b"".join(pieces))
    return file
