"""ByteDMD: the data-movement distance of a Python function, byte by byte.

The data-movement distance of Ding and Smith (Beyond Time Complexity, 2022, arXiv:2203.02536) on bytes,
as Bulatov defined it: memory is one LRU stack, and to read a byte at depth d (1 on top) costs
ceil(sqrt(d)), the length of a wire in a plane. Writes, arithmetic, literals and moving values between
lists are free. All operands of an operation are priced before any is moved; then they move to the top
in read order, then the result is pushed.

The function runs once, on tracked scalars, and its reads are written down; only then is when a value
is last used known, and the reads are priced. The rules that the published values leave open:

* arguments lie with the first on top, and of one list the last element lies on top;
* being returned, or stored into an argument, is a use: such a value stays;
* a value that is never used stays as well (an argument that is ignored is in the way);
* a list that is passed twice lies in memory once.

A trace belongs to all inputs only if no value decides what is done next, so a tracked value refuses to
become a number: see `Escape`. That keeps honest code honest; the attributes behind it are not guarded.
"""

from __future__ import annotations

import math
import numbers
import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from metrics.lru_depth import depths, price
from metrics.tape import SELECT, BytedmdError, Escape, Tape, failed, refuse

NUMBERS = (numbers.Number, np.bool_)  # numpy registers all of its numbers but this one


@dataclass(frozen=True, eq=False)
class Cost:
    """cost: the sum over all bytes read of ceil(sqrt(depth)). reads: scalars read. trace: int64
    [reads], depth of each read in scalars, 1 on top. result: what the function returned, as numbers."""

    cost: int
    reads: int
    trace: np.ndarray
    result: Any


class Scalar:
    """A number whose reads are written down. Comparisons give a Scalar too, never a bool."""

    __slots__ = ("_id", "_tape", "_value")

    def __init__(self, tape: Tape, identity: int, value: Any) -> None:
        self._tape, self._id, self._value = tape, identity, value

    def __repr__(self) -> str:
        return f"<tracked scalar {self._id}>"  # tells nothing of the value

    def __copy__(self) -> Scalar:
        return self

    def __deepcopy__(self, memo: Any) -> Scalar:
        return self

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Scalar:
        """A numpy function of scalars is one operation; one of arrays would hide its reads."""
        scalars = all(type(x) is Scalar or isinstance(x, NUMBERS) for x in inputs)
        if method != "__call__" or options or ufunc.nout != 1 or not scalars:
            refuse(
                self._tape, f"numpy's {ufunc.__name__} over arrays", "write the loop over scalars"
            )
        return apply(ufunc, *inputs)


def apply(function: Callable[..., Any], *operands: Any) -> Scalar:
    """function(*operands) as one operation that reads every tracked operand once.

    For what has no operator: apply(math.exp, x), or apply(lambda c, a, b: a if c else b, x < y, x, y).
    The function may look at its operands alone: what it reads besides (a table) is on no bill.
    """
    tracked = [x for x in operands if type(x) is Scalar]
    if not tracked or len(tracked) > 255:
        raise BytedmdError(f"apply: {len(tracked)} tracked operands; it takes 1 to 255")
    tape = tracked[0]._tape
    for x in tracked:
        _same(tape, x)
    values = (x._value if type(x) is Scalar else _literal(x) for x in operands)
    operands = tuple(values)
    try:
        value = function(*operands)
    except Exception as error:
        failed(tape, error)
    try:
        _literal(value)
    except BytedmdError as error:
        tape.refuse(error)
    for x in tracked:
        tape.reads.append(x._id)
    tape.arity.append(len(tracked))
    tape.next += 1
    return Scalar(tape, tape.next - 1, value)


def bytedmd(function: Callable[..., Any], *args: Any, bytes_per_scalar: int = 1) -> Cost:
    """Runs function(*args) on tracked copies and prices every read.

    args: numbers, lists and tuples of them to any depth, numpy arrays (which become nested lists). The
    caller's own lists are left as they are. What is known beforehand (a size, a permutation) is no
    data: bind it with functools.partial, and it is free and a plain number.
    """
    if isinstance(bytes_per_scalar, bool) or not isinstance(bytes_per_scalar, int):
        raise BytedmdError(f"bytes_per_scalar={bytes_per_scalar!r}: must be a whole number")
    if not 1 <= bytes_per_scalar <= 1024:
        raise BytedmdError(f"bytes_per_scalar={bytes_per_scalar}: must be 1 to 1024")
    tape = Tape()
    seen: dict[int, Any] = {}
    wrapped, order = [], []
    for arg in args:
        first = tape.next
        wrapped.append(_wrap(tape, arg, seen))
        order.append(range(first, tape.next))
    tape.arguments = tape.next
    reads, arity = tape.reads, tape.arity
    try:
        returned = function(*wrapped)
    except Exception:
        if tape.refused:
            raise tape.refused from None
        raise
    finally:
        tape.close()
    if tape.refused:
        raise tape.refused
    kept: set[int] = set()
    result = _unwrap(returned, kept, tape)
    stored: set[int] = set()
    for item in wrapped:
        _unwrap(item, stored, tape)
    kept |= {i for i in stored if i >= tape.arguments}
    bottom_to_top = np.array([i for group in reversed(order) for i in group], np.int64)
    trace = depths(
        bottom_to_top,
        np.frombuffer(reads, np.int64),
        np.frombuffer(arity, np.uint8),
        np.fromiter(kept, np.int64, len(kept)),
    )
    return Cost(price(trace, bytes_per_scalar), len(trace), trace, result)


def _wrap(tape: Tape, value: Any, seen: dict[int, Any]) -> Any:
    """Tracked copy of an argument. seen: by id, so that what is one list stays one list."""
    if id(value) in seen:
        return seen[id(value)][0]
    made: Any
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        made = _wrap(tape, value.tolist(), {})
    elif type(value) is list:
        made = []
        seen[id(value)] = made, value
        made += [_wrap(tape, item, seen) for item in value]
        return made
    elif type(value) is tuple:
        made = tuple(_wrap(tape, item, seen) for item in value)
    elif isinstance(value, NUMBERS):
        tape.next += 1
        return Scalar(tape, tape.next - 1, value)
    else:
        raise BytedmdError(
            f"an argument holds a {type(value).__name__}; arguments are numbers, lists and tuples of "
            "them, and numeric arrays: bind anything else with functools.partial"
        )
    seen[id(value)] = made, value  # holds value, so that no other object can get its id
    return made


def _unwrap(value: Any, found: set[int], tape: Tape) -> Any:
    """Plain copy of what a function returned; `found` collects the tracked values in it."""
    if type(value) is Scalar:
        _same(tape, value)
        found.add(value._id)
        return value._value
    if isinstance(value, (list, tuple)):
        items = [_unwrap(item, found, tape) for item in value]
        return items if isinstance(value, list) else tuple(items)
    if isinstance(value, dict):
        return {key: _unwrap(item, found, tape) for key, item in value.items()}
    if isinstance(value, np.ndarray) and value.dtype == object:
        return _unwrap(value.tolist(), found, tape)
    if value is None or isinstance(value, (*NUMBERS, str, bytes, np.ndarray)):
        return value
    raise BytedmdError(
        f"the function returned, or stored in an argument, a {type(value).__name__}, in which results "
        "cannot be seen, so they would leave memory too early; return numbers, lists, tuples or dicts"
    )


def _literal(value: Any) -> Any:
    """A number that is no data: free."""
    if isinstance(value, NUMBERS):
        return value
    raise BytedmdError(
        f"a {type(value).__name__} met a tracked scalar; operands and results are numbers: write the "
        "loop over scalars"
    )


def _same(tape: Tape, other: Scalar) -> None:
    if other._tape is not tape:
        error = Escape(
            "a tracked value of another call was used, so the read cannot be priced; "
            "pass it as an argument"
        )
        other._tape.refused = other._tape.refused or error
        tape.refuse(error)


def _operation(function: Callable[..., Any], swapped: bool = False) -> Callable[..., Any]:
    """A binary operator; this path is most of what tracing costs, so it is written flat."""

    def method(self: Scalar, other: Any) -> Any:
        tape = self._tape
        if type(other) is Scalar:
            if other._tape is not tape:
                _same(tape, other)
            try:
                result = function(self._value, other._value)
            except Exception as error:
                failed(tape, error)
            tape.reads.append(self._id)
            tape.reads.append(other._id)
            tape.arity.append(2)
        else:
            if type(other) is not float and not isinstance(other, NUMBERS):
                return NotImplemented
            try:
                result = function(other, self._value) if swapped else function(self._value, other)
            except Exception as error:
                failed(tape, error)
            tape.reads.append(self._id)
            tape.arity.append(1)
        identity = tape.next
        tape.next = identity + 1
        return Scalar(tape, identity, result)

    return method


def _unary(function: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Scalar, *digits: int) -> Scalar:
        return apply(lambda value: function(value, *digits), self)

    return method


def _escape(what: str, instead: str) -> Callable[..., Any]:
    def method(self: Scalar, *ignored: Any, **options: Any) -> NoReturn:
        refuse(self._tape, what, instead)

    return method


def _equip(names: Iterable[str], make: Callable[[str], Callable[..., Any]]) -> None:
    for name in names:
        setattr(Scalar, f"__{name}__", make(name))


ARITHMETIC = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "lshift", "rshift", "xor")
_equip(ARITHMETIC, lambda name: _operation(getattr(operator, name)))
_equip((f"r{n}" for n in ARITHMETIC), lambda n: _operation(getattr(operator, n[1:]), swapped=True))
_equip(("and", "or"), lambda name: _operation(getattr(operator, f"{name}_")))
_equip(("rand", "ror"), lambda n: _operation(getattr(operator, f"{n[1:]}_"), swapped=True))
_equip(("lt", "le", "eq", "ne", "gt", "ge"), lambda name: _operation(getattr(operator, name)))
_equip(("neg", "pos", "abs", "invert"), lambda name: _unary(getattr(operator, name)))
_equip(("floor", "ceil", "trunc"), lambda name: _unary(getattr(math, name)))
_equip(("round",), lambda name: _unary(round))

USE = "use apply(function, x), which prices the read and stays tracked"
SCAN = "read every element it may be, and choose by arithmetic"
ESCAPES = {
    "bool": ("branching on a value (if, while, and, or, not, in, min, max, sorted)", SELECT),
    "float": ("float()", USE),
    "int": ("int()", USE),
    "complex": ("complex()", USE),
    "index": ("indexing, range() or repetition by a value", SCAN),
    "hash": ("hashing (a set, a dict's key)", SCAN),
    "str": ("str()", "return it instead"),
    "format": ("formatting", "return it instead"),
    "bytes": ("bytes()", "return it instead"),
    "array": ("conversion to a numpy array", "keep scalars in lists"),
    "divmod": ("divmod()", "use // and %"),
    "rdivmod": ("divmod()", "use // and %"),
    "iter": ("iterating over a number", "check which argument is the list"),
    "reduce_ex": ("pickling", "return it instead"),
}
for _name, _words in ESCAPES.items():
    setattr(Scalar, f"__{_name}__", _escape(*_words))
