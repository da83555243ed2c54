"""Checks of a pickle before torch unpickles it: opcodes, names, keys, and sizes of its tensors.

torch.load(weights_only=True) runs no foreign code, but it can be made to hang (nested tuples as
dictionary keys), to crash, or to allocate what the file does not hold. Here the opcodes run on a
stack of plain values; nothing is imported, hashed or allocated.
"""

import pickletools
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod
from pickle import UnpicklingError
from typing import IO, Any

import torch

MAX_PICKLE = 1 << 24  # bytes; tensors are stored outside of it
MAX_OPCODES = 2_000_000  # as many floats in lists take more bytes than that
MAX_STACK = 100_000  # values; torch.save writes containers in batches of 1,000
MAX_TUPLE = 10_000  # values in a tuple and the tuples in it: the work of hashing it
MAX_DIMENSIONS = 16

STORAGE_WIDTHS = {
    "DoubleStorage": 8,
    "FloatStorage": 4,
    "HalfStorage": 2,
    "BFloat16Storage": 2,
    "LongStorage": 8,
    "IntStorage": 4,
    "ShortStorage": 2,
    "CharStorage": 1,
    "ByteStorage": 1,
    "BoolStorage": 1,
    "UntypedStorage": 1,
}
"""Storage class -> bytes per element."""

CALLS = {
    "collections.OrderedDict",
    "_codecs.encode",
    "torch.Size",
    "torch.device",
    "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_parameter",
}
"""What a pickle of tensors and plain values calls."""

SCALARS = {
    *("NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "BINFLOAT"),
    *("BINUNICODE", "SHORT_BINSTRING", "LONG1"),
}
CONTAINERS = {"EMPTY_LIST", "EMPTY_DICT", "EMPTY_SET"}
TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
"""Opcode -> length of the tuple."""


class UnsupportedOpcodeError(UnpicklingError):
    """torch.load(weights_only=True) does not know the opcode either."""


class ForbiddenCallError(UnpicklingError):
    """The pickle names something that is not needed for tensors and plain values."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


@dataclass(frozen=True, eq=False)
class TupleValue:
    items: tuple[Any, ...]
    weight: int


@dataclass(frozen=True, eq=False)
class Global:
    name: str


@dataclass(frozen=True, eq=False)
class Storage:
    elements: int
    width: int


@dataclass(frozen=True, eq=False)
class Opaque:
    """A container or an object whose contents do not matter here."""

    kind: str


@dataclass(eq=False)
class PickleContents:
    """What unpickling would build."""

    storages: dict[str, int] = field(default_factory=dict)
    """Key -> bytes."""
    tensor_bytes: int = 0
    """Bytes of all tensors, if none shared its storage with another."""


def check_pickle(file: IO[bytes]) -> PickleContents:
    """Read one pickle of at most MAX_PICKLE bytes and MAX_OPCODES opcodes from `file`.

    Raises UnpicklingError or ValueError if it is not harmless.
    """
    return _Machine().run(pickletools.genops(file), file.tell() + MAX_PICKLE)


class _Machine:
    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.outer: list[list[Any]] = []  # the stacks below each MARK
        self.memo: dict[int, Any] = {}
        self.depth = 0
        self.contents = PickleContents()

    def run(self, opcodes: Iterator[tuple[Any, Any, Any]], limit: int) -> PickleContents:
        """limit: the place in the file at which no opcode may begin any more."""
        for count, (opcode, argument, place) in enumerate(opcodes):
            if place >= limit or count >= MAX_OPCODES:
                raise UnpicklingError("a pickle that is too long")
            if opcode.name in ("BINPUT", "LONG_BINPUT") and argument > count:
                raise UnpicklingError("a memo larger than the pickle")
            if len(self.stack) + self.depth > MAX_STACK:
                raise UnpicklingError("values nested too deeply")
            try:
                self._step(opcode.name, argument)
            except (IndexError, KeyError) as error:
                raise UnpicklingError(f"opcode {opcode.name} without its value") from error
        return self.contents

    def _step(self, name: str, argument: Any) -> None:
        if name in SCALARS:
            self.stack.append(argument)
        elif name in CONTAINERS:
            self.stack.append(Opaque("container"))
        elif name in TUPLES:
            self.stack.append(_tuple(self._pop(TUPLES[name])))
        elif name in ("BINPUT", "LONG_BINPUT"):
            self.memo[argument] = self.stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            self.stack.append(self.memo[argument])
        elif name not in ("PROTO", "STOP"):
            self._structure(name, argument)

    def _structure(self, name: str, argument: Any) -> None:
        match name:
            case "MARK":
                self._mark()
            case "TUPLE":
                items = self._pop_mark()  # first: it changes the stack
                self.stack.append(_tuple(items))
            case "APPEND":
                self._pop(1)
            case "APPENDS":
                self._pop_mark()
            case "SETITEM":
                _check_key(self._pop(2)[0])
            case "SETITEMS":
                for key in self._pop_mark()[::2]:
                    _check_key(key)
            case "GLOBAL":
                self.stack.append(_named(argument))
            case "BINPERSID":
                self.stack.append(self._storage(*self._pop(1)))
            case "REDUCE":
                self.stack.append(self._call(*self._pop(2)))
            case "BUILD":
                self._pop(1)
                if _kind(self.stack[-1]) != "OrderedDict":
                    raise UnpicklingError("a state for something that has none")
            case _:
                raise UnsupportedOpcodeError(f"opcode {name}")

    def _mark(self) -> None:
        self.depth += len(self.stack) + 1
        self.outer.append(self.stack)
        self.stack = []

    def _pop_mark(self) -> list[Any]:
        items, self.stack = self.stack, self.outer.pop()
        self.depth -= len(self.stack) + 1
        return items

    def _pop(self, count: int) -> list[Any]:
        if count > len(self.stack):
            raise IndexError
        return [self.stack.pop() for _ in range(count)][::-1]

    def _storage(self, identifier: Any) -> Storage:
        """identifier: ("storage", type, key, location, number of elements)."""
        kind, named, key, _, elements = _items(identifier)[:5]
        width = STORAGE_WIDTHS.get(_global_name(named).rpartition(".")[2])
        if kind != "storage" or width is None or not isinstance(key, str):
            raise UnpicklingError("an unknown kind of storage")
        if type(elements) is not int or elements < 0:
            raise UnpicklingError("a storage of no size")
        storages = self.contents.storages
        storages[key] = max(storages.get(key, 0), width * elements)
        return Storage(elements, width)

    def _call(self, function: Any, arguments: Any) -> Any:
        name, given = _global_name(function), _items(arguments)
        match name.rpartition(".")[2]:
            case "OrderedDict":
                return Opaque("OrderedDict")
            case "Size":
                return _tuple(_items(given[0]))
            case "_rebuild_tensor" | "_rebuild_tensor_v2":
                return self._tensor(given)
            case "_rebuild_parameter":
                return self._parameter(given)
            case "encode" if given[1:] in ((), ("latin1",), ("utf-8",), ("ascii",)):
                return None
            case "device":
                return None
        raise ForbiddenCallError(name)

    def _tensor(self, given: tuple[Any, ...]) -> Opaque:
        """given: storage, offset, size, stride, requires_grad, backward hooks."""
        storage, offset, size, stride = given[:4]
        is_other = len(given) > 6 or any(isinstance(one, TupleValue) for one in given[4:])
        if not isinstance(storage, Storage) or is_other:
            raise UnpicklingError("an unknown kind of tensor")
        if not _fits(storage.elements, offset, _items(size), _items(stride)):
            raise UnpicklingError("a tensor larger than the file's storage of it")
        self.contents.tensor_bytes += prod(_items(size)) * storage.width
        return Opaque("tensor")

    def _parameter(self, given: tuple[Any, ...]) -> Opaque:
        if not given or _kind(given[0]) != "tensor":
            raise UnpicklingError("a parameter without a tensor")
        return Opaque("parameter")


def _tuple(items: Any) -> TupleValue:
    weight = 1 + sum(item.weight if isinstance(item, TupleValue) else 1 for item in items)
    if weight > MAX_TUPLE:
        raise UnpicklingError("a tuple of too many values")
    return TupleValue(tuple(items), weight)


def _items(value: Any) -> tuple[Any, ...]:
    if not isinstance(value, TupleValue):
        raise UnpicklingError("a tuple is missing")
    return value.items


def _named(argument: str) -> Global:
    """argument: module and name with a space between them."""
    module, _, name = argument.partition(" ")
    full = f"{module}.{name}"
    is_storage = module in ("torch", "torch.storage") and name in STORAGE_WIDTHS
    is_dtype = module == "torch" and isinstance(getattr(torch, name, None), torch.dtype)
    if not (full in CALLS or is_storage or is_dtype):
        raise ForbiddenCallError(full)
    return Global(full)


def _global_name(value: Any) -> str:
    if not isinstance(value, Global):
        raise UnpicklingError("a call of something without a name")
    return value.name


def _kind(value: Any) -> str:
    return value.kind if isinstance(value, Opaque) else ""


def _check_key(key: Any) -> None:
    if isinstance(key, Opaque | Storage):
        raise UnpicklingError("a dictionary key that is neither text nor a number")


def _fits(elements: int, offset: Any, size: tuple[Any, ...], stride: tuple[Any, ...]) -> bool:
    """Whether a tensor of that shape lies within a storage of so many elements."""
    numbers = (offset, *size, *stride)
    if len(size) != len(stride) or len(size) > MAX_DIMENSIONS:
        return False
    if not all(type(number) is int for number in numbers):
        return False
    if min(numbers) < 0 or prod(size) > elements:
        return False
    last = sum((side - 1) * step for side, step in zip(size, stride, strict=True))
    return 0 in size or offset + last < elements
