"""Arrays and random generators whose every operation passes by a counter; see `metrics.count_numpy`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from metrics.count_base import extent
from metrics.count_numpy_rules import METHODS_IN_PLACE

PLAIN = np.ndarray  # the real one, whatever np.ndarray is at the moment


class _Open:
    counter: Any = None


OPEN = _Open()  # the counter that is open, if one is


class _Meta(type):
    """Lets `Counted` stand in for np.ndarray: every array is an instance."""

    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, PLAIN)

    def __subclasscheck__(cls, kind: Any) -> bool:
        return issubclass(kind, PLAIN)


class Counted(PLAIN, metaclass=_Meta):
    """An array whose operations are counted while a `NumpyCounter` is open, and only then."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:  # np.ndarray(shape, dtype, buffer, ...)
        counter = OPEN.counter
        if cls is not Counted or counter is None or counter.busy:
            return PLAIN.__new__(cls if cls is not Counted else PLAIN, *args, **kwargs)
        return counter.call("ndarray", PLAIN, args, kwargs)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        counter = OPEN.counter
        if counter is None or counter.busy:
            return _uncounted(getattr(ufunc, method), inputs, kwargs)
        return counter.ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        counter = OPEN.counter
        if counter is None or counter.busy:
            return _uncounted(func, args, kwargs)
        return counter.call(func.__name__, func, args, kwargs)

    def __getitem__(self, key: Any) -> Any:
        found = PLAIN.__getitem__(self, key)
        counter = OPEN.counter
        if counter is not None and not counter.busy:
            counter.got(self, key, found)
        return found

    def __setitem__(self, key: Any, value: Any) -> None:
        counter = OPEN.counter
        if counter is not None and not counter.busy:
            counter.set(self, key, value)
        PLAIN.__setitem__(self, key, value)

    def __repr__(self) -> str:
        return repr(_plain(self))

    def __str__(self) -> str:
        return str(_plain(self))

    def __copy__(self) -> Any:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> Any:
        return self.copy()

    @property
    def flat(self) -> Any:
        if OPEN.counter is not None and not OPEN.counter.busy:
            OPEN.counter.note("ndarray.flat: what goes through it is not counted")
        return _plain(self).flat

    @flat.setter
    def flat(self, value: Any) -> None:
        self.reshape(-1)[...] = np.resize(value, self.size)


def _plain(x: Any) -> Any:
    return PLAIN.view(x, PLAIN)


def _method(name: str) -> Callable[..., Any]:
    original = getattr(PLAIN, name)

    @functools.wraps(original)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        counter = OPEN.counter
        if counter is None or counter.busy:
            return original(self, *args, **kwargs)
        known = METHODS_IN_PLACE.get(name, name)
        return counter.call(known, original, (self, *args), kwargs)

    return method


for _name in dir(PLAIN):
    if not _name.startswith("_") and callable(getattr(PLAIN, _name)):
        setattr(Counted, _name, _method(_name))


class CountedGenerator(np.random.Generator):
    """A generator whose numbers are counted while a `NumpyCounter` is open."""


def _draw(name: str) -> Callable[..., Any]:
    original = getattr(np.random.Generator, name)

    @functools.wraps(original)
    def draw(self: Any, *args: Any, **kwargs: Any) -> Any:
        counter = OPEN.counter
        if counter is None or counter.busy:
            return _uncounted(functools.partial(original, self), args, kwargs)
        return counter.call(f"random.{name}", functools.partial(original, self), args, kwargs)

    return draw


for _name in dir(np.random.Generator):
    if not _name.startswith("_") and _name not in ("bit_generator", "spawn"):
        setattr(CountedGenerator, _name, _draw(_name))


class Call:
    """One function that was run. args, kwargs: as numpy saw them, plain; result: what it gave back.

    inputs: arrays that came in, each once. in_place: those given as `out`. outputs: new ones. view: that the
    result is a view of an input.
    """

    def __init__(self, name: str, args: Any, kwargs: Any) -> None:
        self.name = name
        self.inputs: list[Any] = []
        self.in_place: list[Any] = []
        self.outputs: list[Any] = []
        self.result: Any = None
        self.outside = self.view = False
        self._plain: dict[int, Any] = {}  # by the id of the array that came in
        self._counted: dict[int, Any] = {}  # by the id of its plain view
        self.args = self._unwrapped(args, self.inputs)
        self.kwargs = {
            key: self._unwrapped(value, self.in_place if key == "out" else self.inputs)
            for key, value in kwargs.items()
        }

    def _unwrapped(self, value: Any, found: list[Any]) -> Any:
        """Counted arrays among values, lists and tuples as plain ones; all arrays are put into `found`."""
        if isinstance(value, PLAIN):
            plain: Any = value
            if type(value) is Counted:
                plain = self._plain.get(id(value))
                if plain is None:
                    plain = self._plain[id(value)] = PLAIN.view(value, PLAIN)
                    self._counted[id(plain)] = value
            elif value.ndim:
                self.outside = True
            if not any(plain is x for x in found):
                found.append(plain)
            return plain
        if isinstance(value, (list, tuple)) and any(
            isinstance(x, (PLAIN, list, tuple)) for x in value
        ):
            items = [self._unwrapped(x, found) for x in value]
            return items if isinstance(value, list) else tuple(items)
        return value

    def done(self, result: Any) -> None:
        self.result = result
        found: list[Any] = []
        _arrays(result, found)
        before = {id(owner(x)) for x in (*self.inputs, *self.in_place)}
        self.outputs = [x for x in found if id(owner(x)) not in before]
        self.view = bool(found) and not self.outputs and not self.in_place

    @property
    def results(self) -> list[Any]:
        """All arrays that were written."""
        return self.outputs or self.in_place

    def wrapped(self, value: Any) -> Any:
        """The result with its arrays counted; what came in goes out as the object that it was."""
        if type(value) is PLAIN:
            known = self._counted.get(id(value))
            return value.view(Counted) if known is None else known
        if isinstance(value, (list, tuple)) and any(isinstance(x, (PLAIN, list)) for x in value):
            items = [self.wrapped(x) for x in value]
            if isinstance(value, list):
                return items
            return tuple(items) if type(value) is tuple else type(value)(*items)
        return value


def _uncounted(function: Any, args: Any, kwargs: Any) -> Any:
    call = Call("", args, kwargs)
    return function(*call.args, **call.kwargs)


def _arrays(value: Any, found: list[Any]) -> None:
    if isinstance(value, PLAIN):
        found.append(value)
    elif isinstance(value, (list, tuple)):
        for x in value[:64] if isinstance(value, list) else value:
            _arrays(x, found)


def owner(x: Any) -> Any:
    """The array whose memory it is."""
    while True:
        base = x.base
        if base is not None and not isinstance(base, PLAIN):
            base = getattr(base, "base", None)  # as_strided puts an object between
        if not isinstance(base, PLAIN):
            return x
        x = base


def nbytes(x: Any) -> int:
    """Bytes of memory that an array covers."""
    return extent(x.shape, x.strides, x.itemsize)
