"""Records of TensorBoard's event files.

A file is a sequence of records, each with its length, its bytes, and checksums of both. The bytes
are a protocol buffer `tensorflow.Event`. Packages that write these files import PyTorch or
TensorFlow, which takes longer than compiling a small network.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping

import numpy as np

# Kinds of fields in a protocol buffer.
_VARINT, _EIGHT_BYTES, _SIZED, _FOUR_BYTES = 0, 1, 2, 5
# `SessionLog.START`, after which TensorBoard hides what was written of this step and later ones.
_START = 1


def opening_records(time: float, step: int) -> bytes:
    """Returns the first records of a file; TensorBoard then hides earlier values from `step` on.

    Args:
      time: seconds since 1970.
      step: the next step.
    """
    version = _event(time, 0, _sized(3, b"brain.Event:2"))
    return _record(version) + _record(_event(time, step, _sized(7, _whole(1, _START))))


def scalars_record(time: float, step: int, numbers: Mapping[str, float]) -> bytes:
    """Returns the record of a step's numbers.

    Args:
      time: seconds since 1970.
      step: number of finished steps.
      numbers: numbers by tag, such as `train/loss`; numbers beyond float32 become infinite. What
        TensorBoard does not allow in a tag becomes `_`.
    """
    values = (
        _sized(1, _sized(1, re.sub(r"[^-/\w.]", "_", tag).encode()) + _real(2, number))
        for tag, number in numbers.items()
    )
    return _record(_event(time, step, _sized(5, b"".join(values))))


def _event(time: float, step: int, content: bytes) -> bytes:
    return _tag(1, _EIGHT_BYTES) + struct.pack("<d", time) + _whole(2, step) + content


def _whole(field: int, number: int) -> bytes:
    return _tag(field, _VARINT) + _varint(number)


def _real(field: int, number: float) -> bytes:
    with np.errstate(over="ignore"):
        return _tag(field, _FOUR_BYTES) + np.float64(number).astype("<f4").tobytes()


def _sized(field: int, content: bytes) -> bytes:
    return _tag(field, _SIZED) + _varint(len(content)) + content


def _tag(field: int, kind: int) -> bytes:
    return _varint(field << 3 | kind)


def _varint(number: int) -> bytes:
    """A number in groups of seven bits, lowest first; all but the last have the top bit set."""
    groups = bytearray()
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    groups.append(number)
    return bytes(groups)


def _record(content: bytes) -> bytes:
    length = struct.pack("<Q", len(content))
    return length + _checksum(length) + content + _checksum(content)


def _checksum(content: bytes) -> bytes:
    """A rotated CRC-32C, so that the checksum of data that hold checksums stays strong."""
    crc = 0xFFFFFFFF
    for byte in content:
        crc = crc >> 8 ^ _CRC_OF_BYTE[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def _crc_of_byte(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    return byte


_CRC_OF_BYTE = tuple(map(_crc_of_byte, range(256)))
