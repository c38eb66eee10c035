"""Parses arguments of the benchmarks: sizes, numbers, and options of a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def clip_sizes(values: str | Sequence[str]) -> tuple[int, int, int]:
    """Parses frames, height and width of a clip.

    Raises:
      ValueError: they are not three positive numbers.
    """
    text = values if isinstance(values, str) else ",".join(values)
    parts = text.replace("x", ",").split(",")
    if len(parts) != 3 or not all(part.isdigit() and int(part) for part in parts):
        raise ValueError(f"--clip={text}: must be FRAMES,HEIGHT,WIDTH, such as 8,64,64")
    frames, height, width = map(int, parts)
    return frames, height, width


def numbers(flag: str, values: Sequence[str], least: int = 1) -> tuple[int, ...]:
    """Parses whole numbers that are not below `least`.

    Raises:
      ValueError: a value is not such a number; names the flag.
    """
    for value in values:
        if not value.isdigit() or int(value) < least:
            given = f"--{flag}={','.join(values)}"
            raise ValueError(f"{given}: {value!r} is not a whole number of at least {least}")
    return tuple(map(int, values))


def network_options(
    width: int | None, depths: Sequence[str] | None, **others: Any
) -> dict[str, Any]:
    """Returns the options of a network that the user has set, for `vidjax.create_model`.

    Raises:
      ValueError: as `numbers`.
    """
    blocks = numbers("depths", depths, 0) if depths else None
    options = {"width": width, "depths": blocks, **others}
    return {name: value for name, value in options.items() if value is not None}


def network_and_width(text: str) -> tuple[str, int | None]:
    """Parses a network's name, optionally followed by a width, as in `r3d_18:width=16`.

    Raises:
      ValueError: the text has another form.
    """
    name, _, width = text.partition(":width=")
    if ":" in name or (":" in text and not (width.isdigit() and int(width))):
        raise ValueError(f"network {text!r}: a name, or one with a width, as r3d_18:width=16")
    return name, int(width) if width else None


def named(network: str, options: Mapping[str, Any]) -> str:
    """Formats a network's name, followed by the options that differ from the published network."""
    return network + "".join(f" {name}={value}" for name, value in options.items())


def without(flags: Sequence[str], arguments: Sequence[str]) -> list[str]:
    """Removes flags that have a value, written as `--flag=3` or `--flag 3`, from arguments."""
    kept, skip = [], False
    for each in arguments:
        name, equals, _ = each.partition("=")
        if not skip and name not in flags:
            kept.append(each)
        skip = not skip and name in flags and not equals
    return kept
