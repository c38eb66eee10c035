"""Reads the pickles of `torch.save` without running code from them.

A pickle is a program for a small stack machine. This one knows the instructions that PyTorch
writes. It keeps tensors, texts, numbers and containers; other names become placeholders or are
refused. Nothing recurses, and an instruction takes about 100 bytes at most besides its text.
"""

from __future__ import annotations

import functools
import io
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import ml_dtypes  # noqa: F401 - names bfloat16 to NumPy, which safetensors needs as well

from vidjax.untrusted_names import printable

DTYPES = {
    **{"Byte": "u1", "Char": "i1", "Short": "<i2", "Int": "<i4", "Long": "<i8", "Bool": "?"},
    **{"Half": "<f2", "BFloat16": "bfloat16", "Float": "<f4", "Double": "<f8", "Untyped": "u1"},
}
# A tensor takes 30 to 60 instructions.
MOST_INSTRUCTIONS = 5_000_000
_LONGEST_NAME = 1000
_PASSED_OVER = re.compile(r"""(?x)
    torch\.(device|bool|half|float|double|short|int|long|b?float\d+|q?u?int\d+|complex\d+)
    | numpy\.(dtype|ndarray) | numpy\._?core\.multiarray\.(scalar|_reconstruct)
    | argparse\.Namespace | collections\.defaultdict | _codecs\.encode
    | (pytorch_)?lightning(_fabric|_utilities)?(\.\w+)+  # settings and callbacks of a run
    | (builtins|__builtin__)\.(dict|float|int|list|long|set)  # factories of a defaultdict""")
_STORAGE = re.compile(r"torch\.(?:storage\._?)?(\w+)Storage")


class CheckpointError(ValueError):
    """The file is not a PyTorch checkpoint, is damaged, or contains more than tensors."""


class Nothing:
    """The placeholder for everything that is skipped."""


class Kind(NamedTuple):
    """The class of a storage: `Float`, `Half` and so on."""

    name: str


class Stored(NamedTuple):
    """Numbers of a storage, as a pickle refers to them."""

    kind: str
    key: str
    start: int
    numel: int


class Tensor(NamedTuple):
    """A tensor: the arguments from which PyTorch would build it, as the file has them."""

    arguments: tuple[Any, ...]


class Built:
    """The result of a function call in a pickle; its state is set afterwards."""

    state: Any = None


class Known(NamedTuple):
    """The functions that a kind of pickle may call, and whether bytes are kept."""

    functions: Mapping[str, Callable[..., Any]]
    octets: bool = False


def short(value: object, longest: int = 80) -> str:
    """Formats text from a file for one line: printable, and cut if it is long."""
    text = str(value)
    return printable(text if len(text) <= longest else f"{text[:longest]}...")


def load(
    stream: io.BufferedIOBase, size: int, known: Known | None = None
) -> tuple[Any, dict[str, str]]:
    """Runs one pickle.

    Args:
      stream: positioned at the pickle's beginning; afterwards at its end.
      size: total number of bytes in the stream.
      known: functions that the pickle may call; None means those that `torch.save` uses.

    Returns:
      The unpickled tree and the kinds of all storages by key. The tree has dicts (only entries with
      text keys), lists, tuples, texts, numbers, results of the known functions, such as `Tensor`,
      and `Nothing`.

    Raises:
      CheckpointError: the pickle refers to other functions, is damaged, or is implausibly long.
    """
    machine = _Machine(stream, size, known or Known(FUNCTIONS))
    return machine.run(), machine.kinds


class _Machine:
    def __init__(self, stream: io.BufferedIOBase, size: int, known: Known) -> None:
        self._stream, self._known = stream, known
        self._left = size - stream.tell()
        self._stack: list[Any] = []
        self._marked: list[list[Any]] = []
        self._memo: dict[int, Any] = {}
        self.kinds: dict[str, str] = {}

    def run(self) -> Any:
        for _ in range(MOST_INSTRUCTIONS):
            code = self._read(1)
            if code == b".":
                return self._stack.pop()
            if (instruction := _INSTRUCTIONS.get(code)) is None:
                raise CheckpointError(f"has the pickle instruction {code!r}, not of torch.save")
            instruction(self)
        raise CheckpointError(f"has a pickle of more than {MOST_INSTRUCTIONS} instructions")

    def _read(self, count: int) -> bytes:
        self._take(count)
        data = self._stream.read(count)
        if len(data) != count:
            raise CheckpointError("seems to be damaged: its pickle is truncated")
        return data

    def _take(self, count: int) -> None:
        if not 0 <= count <= self._left:
            raise CheckpointError(f"seems to be damaged: {count} bytes claimed, {self._left} left")
        self._left -= count

    def _number(self, form: str) -> int:
        found: int = struct.unpack(form, self._read(struct.calcsize(form)))[0]
        return found

    def _line(self) -> str:
        line = self._stream.readline(min(_LONGEST_NAME, self._left))
        self._take(len(line))
        if not line.endswith(b"\n"):
            raise CheckpointError("seems to be damaged: a name in its pickle has no end")
        return line[:-1].decode("utf-8")

    def _since_mark(self) -> list[Any]:
        items, self._stack = self._stack, self._marked.pop()
        return items

    def mark(self) -> None:
        self._marked.append(self._stack)
        self._stack = []

    def pop(self) -> None:
        if self._stack:
            self._stack.pop()
        else:
            self._stack = self._marked.pop()

    def pop_mark(self) -> None:
        self._since_mark()

    def constant(self, value: Any) -> None:
        self._stack.append(value)

    def fresh(self, make: type) -> None:
        self._stack.append(make())

    def skip(self, count: int) -> None:
        self._read(count)

    def number(self, form: str) -> None:
        self._stack.append(self._number(form))

    def long(self, form: str) -> None:
        data = self._read(self._number(form))
        # Sizes and counts have at most 64 bits; parsing the text of longer ones would take hours.
        small = len(data) <= 9
        self._stack.append(int.from_bytes(data, "little", signed=True) if small else Nothing)

    def text(self, form: str, encoding: str = "utf-8") -> None:
        data = self._read(self._number(form))
        self._stack.append(data.decode(encoding, "surrogatepass"))

    def octets(self, form: str) -> None:
        count = self._number(form)
        if self._known.octets:
            self._stack.append(self._read(count))
            return
        self._take(count)
        self._stream.seek(count, io.SEEK_CUR)
        self._stack.append(Nothing)

    def tuple_of(self, count: int) -> None:
        if len(self._stack) < count:
            raise CheckpointError("seems to be damaged: its pickle uses a value it never made")
        self._stack[-count:] = [tuple(self._stack[-count:])]

    def since_mark(self, make: Callable[[list[Any]], Any]) -> None:
        items = self._since_mark()
        self._stack.append(make(items))

    def append(self) -> None:
        item = self._stack.pop()
        self._extend([item])

    def appends(self) -> None:
        self._extend(self._since_mark())

    def _extend(self, items: list[Any]) -> None:
        if isinstance(into := self._stack[-1], list):
            into.extend(items)

    def set_item(self) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        self._set([key, value])

    def set_items(self) -> None:
        self._set(self._since_mark())

    def _set(self, items: list[Any]) -> None:
        if isinstance(into := self._stack[-1], dict):
            _put(into, zip(items[::2], items[1::2], strict=True))

    def put(self, form: str) -> None:
        self._memo[self._number(form)] = self._stack[-1]

    def memoize(self) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def get(self, form: str) -> None:
        self._stack.append(self._memo[self._number(form)])

    def name(self) -> None:
        module, name = self._line(), self._line()
        self._stack.append(_meaning(module, name, self._known.functions))

    def name_on_stack(self) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        self._stack.append(_meaning(module, name, self._known.functions))

    def call(self) -> None:
        arguments, function = self._stack.pop(), self._stack.pop()
        self._stack.append(_made(function, arguments, self._known.functions))

    def call_with_names(self) -> None:
        self._stack.pop()
        self.call()

    def call_named(self) -> None:
        function = _meaning(self._line(), self._line(), self._known.functions)
        self._stack.append(_made(function, tuple(self._since_mark()), self._known.functions))

    def call_first(self) -> None:
        function, *arguments = self._since_mark()
        self._stack.append(_made(function, tuple(arguments), self._known.functions))

    def state(self) -> None:
        state = self._stack.pop()
        if isinstance(made := self._stack[-1], Built):
            made.state = state

    def storage(self) -> None:
        _storage, kind, key, _location, numel, *view = self._stack.pop()
        if not isinstance(kind, Kind) or not isinstance(key, str):
            raise CheckpointError("seems to be damaged: it refers to no storage")
        if kind.name not in DTYPES:
            raise CheckpointError(
                f"holds {short(kind.name)} numbers; complex and quantised numbers are not supported"
            )
        if self.kinds.setdefault(key, kind.name) != kind.name:
            raise CheckpointError(
                f"seems to be damaged: storage {short(key)!r} is of {self.kinds[key]} and "
                f"{kind.name} numbers at once"
            )
        _view_key, start, numel = view[0] if any(view) else (None, 0, numel)
        self._stack.append(Stored(kind.name, key, start, numel))


def _meaning(module: Any, name: Any, functions: Mapping[str, Callable[..., Any]]) -> Any:
    if not isinstance(module, str) or not isinstance(name, str):
        raise CheckpointError("seems to be damaged: a name in its pickle is not text")
    wanted = f"{module}.{name}"
    if storage := _STORAGE.fullmatch(wanted):
        return Kind(storage[1])
    if (function := functions.get(wanted)) is not None:
        return function
    if _PASSED_OVER.fullmatch(wanted):
        return Nothing
    raise CheckpointError(
        f"asks to run '{short(wanted, 200)}' on loading: only tensors are read. If you trust it, "
        "load it with PyTorch and save its state_dict again"
    )


def _made(function: Any, arguments: Any, functions: Mapping[str, Callable[..., Any]]) -> Any:
    if function is Nothing:
        return Nothing
    if not isinstance(arguments, tuple) or function not in functions.values():
        raise CheckpointError("seems to be damaged: its pickle calls something that is no function")
    return function(*arguments)


def _ordered_dict(pairs: Sequence[Any] = ()) -> dict[str, Any]:
    made: dict[str, Any] = {}
    _put(made, pairs)
    return made


def _put(into: dict[str, Any], pairs: Any) -> None:
    """Keeps the pairs with text keys, whose hashes the author of a file cannot choose."""
    into.update((key, value) for key, value in pairs if type(key) is str)


def _size(numbers: Any = ()) -> Any:
    return numbers


def _tensor(*arguments: Any) -> Tensor:
    return Tensor(arguments)


def _parameter(tensor: Any, *_arguments: Any) -> Any:
    return tensor


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": _ordered_dict,
    "torch.Size": _size,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
}


def _with(method: Callable[..., None], *arguments: Any) -> Callable[[_Machine], None]:
    return functools.partial(_call, method, arguments)


def _call(method: Callable[..., None], arguments: tuple[Any, ...], machine: _Machine) -> None:
    method(machine, *arguments)


# Names as in `pickletools`; without those that `torch.save` never writes from protocol 2 on.
_INSTRUCTIONS: dict[bytes, Callable[[_Machine], None]] = {
    b"\x80": _with(_Machine.skip, 1),  # PROTO
    b"\x95": _with(_Machine.skip, 8),  # FRAME
    b"(": _Machine.mark,
    b"0": _Machine.pop,
    b"1": _Machine.pop_mark,
    b"N": _with(_Machine.constant, None),
    b"\x88": _with(_Machine.constant, True),
    b"\x89": _with(_Machine.constant, False),
    b"J": _with(_Machine.number, "<i"),
    b"K": _with(_Machine.number, "<B"),
    b"M": _with(_Machine.number, "<H"),
    b"G": _with(_Machine.number, ">d"),
    b"\x8a": _with(_Machine.long, "<B"),
    b"\x8b": _with(_Machine.long, "<i"),
    b"U": _with(_Machine.text, "<B", "latin1"),  # byte strings of Python 2
    b"T": _with(_Machine.text, "<i", "latin1"),
    b"\x8c": _with(_Machine.text, "<B"),
    b"X": _with(_Machine.text, "<I"),
    b"\x8d": _with(_Machine.text, "<Q"),
    b"C": _with(_Machine.octets, "<B"),
    b"B": _with(_Machine.octets, "<I"),
    b"\x8e": _with(_Machine.octets, "<Q"),
    b"\x96": _with(_Machine.octets, "<Q"),
    b")": _with(_Machine.constant, ()),
    b"\x85": _with(_Machine.tuple_of, 1),
    b"\x86": _with(_Machine.tuple_of, 2),
    b"\x87": _with(_Machine.tuple_of, 3),
    b"t": _with(_Machine.since_mark, tuple),
    b"]": _with(_Machine.fresh, list),
    b"a": _Machine.append,
    b"e": _Machine.appends,
    b"}": _with(_Machine.fresh, dict),
    b"s": _Machine.set_item,
    b"u": _Machine.set_items,
    b"\x8f": _with(_Machine.constant, Nothing),  # EMPTY_SET
    b"\x90": _Machine.pop_mark,  # ADDITEMS
    b"\x91": _with(_Machine.since_mark, lambda _items: Nothing),  # FROZENSET
    b"q": _with(_Machine.put, "<B"),
    b"r": _with(_Machine.put, "<I"),
    b"\x94": _Machine.memoize,
    b"h": _with(_Machine.get, "<B"),
    b"j": _with(_Machine.get, "<I"),
    b"c": _Machine.name,
    b"\x93": _Machine.name_on_stack,
    b"R": _Machine.call,
    b"\x81": _Machine.call,  # NEWOBJ
    b"\x92": _Machine.call_with_names,  # NEWOBJ_EX
    b"i": _Machine.call_named,  # INST
    b"o": _Machine.call_first,  # OBJ
    b"b": _Machine.state,  # BUILD
    b"Q": _Machine.storage,  # BINPERSID
}
