"""Reads thousands of mutations of a file in a separate, monitored process.

A reader is a function of a path. It returns if the file can be read, and raises `Refused` with the
line that a user would see if it cannot. Anything else fails the fuzz test: another exception, a
crash, too much memory or time, starting a program, a network connection, importing a module of the
current folder, or writing a file elsewhere.

    def read_verdicts(file):
        with refusing(VerdictsError):
            verdicts.read(file)

    outcome = fuzz("tests.faults.test_x:read_verdicts", valid_file, tmp_path)
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

ROOT = Path(__file__).parents[2]
COUNT = 10_000
MEMORY = 512 * 2**20
SECONDS = 20
# Tokens that text parsers often mishandle.
TEXT = (
    *(b"NaN", b"-Infinity", b"1e999", b"null", b"true", b"-1", b"0", b"10" * 20, b'"', b"'", b"\\"),
    *(b"{", b"}", b"[" * 5000, b"{}", b",", b":", b"\n", b"\r\n", b"\0", b"\x1b[2J", b"\xff", b"$"),
    *(b"../", b"planted", b"planted.Class", b"\xef\xbb\xbf", b"\xed\xa0\x80"),
)
# Sizes and counts that do not match the data after them.
BINARY = tuple(
    number.to_bytes(width, order)
    for width in (2, 4, 8)
    for number in (0, 1, 2 ** (8 * width - 1) - 1, 2 ** (8 * width - 1), 2 ** (8 * width) - 1)
    for order in ("little", "big")
)
_STARTED = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "pty.spawn")
_CONNECTED = ("socket.connect", "socket.bind", "socket.getaddrinfo")
_CAUGHT = 99
_DRAWN = re.compile("[0-9a-f]{16,}")
_RUN = "import json, sys; from tests.faults import fuzz; fuzz.read_all(json.loads(sys.argv[1]))"


class Refused(Exception):  # noqa: N818 - it is not an error here
    """Raised if the file was refused with an error for the user."""


@contextlib.contextmanager
def refusing(*errors: type[Exception]) -> Iterator[None]:
    """Turns errors for users into `Refused`; each must be one line of bounded size."""
    try:
        yield
    except errors as error:
        line = str(error)
        assert len(line.splitlines()) == 1, f"not one line: {line!r}"
        assert len(line) < 5000, f"{len(line)} characters of error"
        raise Refused(line) from None


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The outcome of the mutations.

    Attributes:
      read: number of mutations that could be read.
      refused: number of mutations that were refused.
      peak: largest memory of a reading in bytes; 0 if it cannot be measured.
    """

    read: int
    refused: int
    peak: int


def fuzz(
    reader: str,
    valid: Path,
    scratch: Path,
    *,
    count: int = COUNT,
    tokens: Sequence[bytes] = TEXT,
    memory: int = MEMORY,
    seconds: float = SECONDS,
    only: str = "*",
) -> Outcome:
    """Reads mutations of a valid file, or of the files of a valid folder, one at a time.

    Args:
      reader: `module:function`.
      valid: file or folder, which is copied.
      scratch: folder to work in. A mutation that failed stays there.
      count: number of mutations.
      tokens: texts that are inserted in addition to random bytes.
      memory: largest memory of one reading in bytes.
      seconds: time limit of one reading.
      only: pattern of the files of a folder that are mutated.
    """
    order = {
        "reader": reader,
        "valid": str(valid.absolute()),
        "tokens": [token.hex() for token in tokens],
        "count": count,
        "memory": memory,
        "seconds": seconds,
        "only": only,
    }
    place = scratch / "fuzz"
    place.mkdir()
    marker = place / "marker"
    # The current folder is on Python's path in every command.
    (place / "planted.py").write_text(f"open({str(marker)!r}, 'w').close()\n")
    process = subprocess.run(
        [sys.executable, "-c", _RUN, json.dumps(order)],
        cwd=place,
        env={**os.environ, "PYTHONPATH": f"{place}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    code, kept = process.returncode, f"the mutation is in {place}"
    assert code != -signal.SIGALRM, f"a reading took more than {seconds} s; {kept}"
    assert code == 0, f"exit code {code}; {kept}\n{process.stderr[-4000:]}"
    assert not marker.exists(), f"a planted module was run; {kept}"
    outcome = Outcome(**json.loads(process.stdout.splitlines()[-1]))
    # Shown by `pytest -rP`.
    print(
        f"{reader.partition(':')[2]} {valid.name} {only}: {outcome.read} read, {outcome.refused} "
        f"refused, at most {outcome.peak / 2**20:.0f} MiB"
    )
    return outcome


@st.composite
def _mutations(draw: st.DrawFn, tokens: Sequence[bytes], size: int) -> list[tuple[str, int, bytes]]:
    place = st.integers(0, max(0, size - 1))
    piece = st.sampled_from(tokens) | st.binary(min_size=1, max_size=8)
    kinds = st.sampled_from(("flip", "overwrite", "insert", "cut", "delete", "repeat"))
    return draw(st.lists(st.tuples(kinds, place, piece), min_size=1, max_size=6))


def mutated(data: bytes, edits: Sequence[tuple[str, int, bytes]]) -> bytes:
    """Applies edits to data; each has a kind, a position and a piece of bytes."""
    for kind, place, piece in edits:
        start = min(place, len(data))
        head, tail, end = data[:start], data[start:], start + max(1, piece[0])
        match kind:
            case "flip":
                data = head + bytes(byte ^ 1 << piece[0] % 8 for byte in tail[:1]) + tail[1:]
            case "overwrite":
                data = head + piece + tail[len(piece) :]
            case "insert":
                data = head + piece + tail
            case "cut":
                data = head
            case "delete":
                data = head + data[end:]
            case "repeat":
                data = data[:end] + tail
    return data


def _watch(scratch: Path) -> None:
    """Ends the process if reading starts a program, connects, imports or writes something."""

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        caught = event in _STARTED or event in _CONNECTED
        if event == "import":
            caught = str(arguments[0]).partition(".")[0] == "planted"
        if event == "open" and isinstance(arguments[0], str | bytes):
            flags = arguments[2] if isinstance(arguments[2], int) else 0
            path = os.fsdecode(arguments[0])
            writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            inside = os.path.abspath(path).startswith((str(scratch), "/dev/", "/proc/"))
            caught = bool(writes) and not inside
        if caught:
            os.write(2, f"{event} {arguments!r}"[:500].encode() + b"\n")
            os._exit(_CAUGHT)

    sys.addaudithook(hook)


def _memory(name: str) -> int:
    """Returns the bytes in a line of `/proc/self/status`; 0 if there is no such line."""
    with (
        contextlib.suppress(FileNotFoundError),
        open("/proc/self/status", encoding="ascii") as file,
    ):
        for line in file:
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
    return 0


def _forget_peak() -> None:
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w", encoding="ascii") as file:
        file.write("5")


def _stable(file: Path) -> tuple[list[str], int]:
    """Sorts files in a reproducible order, because some have random names."""
    return [_DRAWN.sub("", part) for part in file.parts], file.stat().st_size


def read_all(order: dict) -> None:
    """Reads all mutations in the process that `fuzz` starts."""
    module, _, function = order["reader"].partition(":")
    read = getattr(importlib.import_module(module), function)
    valid, tokens = Path(order["valid"]), [bytes.fromhex(token) for token in order["tokens"]]
    copy = Path.cwd() / valid.name
    subprocess.run(["cp", "-r", str(valid), str(copy)], check=True)
    found = [copy] if copy.is_file() else [f for f in copy.rglob(order["only"]) if f.is_file()]
    files = sorted(found, key=_stable)
    originals = {file: file.read_bytes() for file in files}
    read(copy)  # The valid file must be accepted; reading it also imports what readers need.
    _watch(Path.cwd())
    tally = {"read": 0, "refused": 0, "peak": 0}

    def once(file: Path, edits: list[tuple[str, int, bytes]]) -> None:
        file.write_bytes(mutated(originals[file], edits))
        _forget_peak()
        before = _memory("VmRSS")
        signal.setitimer(signal.ITIMER_REAL, order["seconds"])
        try:
            read(copy)
            tally["read"] += 1
        except Refused:
            tally["refused"] += 1
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        taken = _memory("VmHWM") - before
        tally["peak"] = max(tally["peak"], taken)
        assert taken <= order["memory"], f"a reading took {taken / 2**20:.0f} MiB"
        file.write_bytes(originals[file])

    def one_of(file: Path) -> st.SearchStrategy:
        return st.tuples(st.just(file), _mutations(tokens, len(originals[file])))

    @seed(0)
    @settings(
        max_examples=order["count"],
        database=None,
        deadline=None,
        print_blob=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.sampled_from(files).flatmap(one_of))
    def run(drawn: tuple[Path, list[tuple[str, int, bytes]]]) -> None:
        once(*drawn)

    run()
    print(json.dumps(tally))
