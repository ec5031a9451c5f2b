"""Counts what numpy does: every function, method, operator and index on arrays made while it counts.

Arrays are of a subclass, `Counted`, whose every operation comes by here, is done by numpy itself on plain
arrays, and so has the same result to the bit. What makes arrays (np.zeros, np.asarray, a random generator)
is replaced while the counter is open, also where a module has it by name (from numpy import zeros), and so
is np.ndarray; arrays from before must be handed in by `wrap`. What numpy does among arrays that nobody
wrapped is not seen; that they are there is noted where they meet others. A random generator from before,
or one not made by default_rng, makes counted arrays, but its numbers come for nothing.

Bytes are those at the boundary of a function: each array that goes in is read once, each that comes out
written once; a view moves nothing, an index reads and writes what it touches. Rules: count_numpy_rules.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

import numpy as np

from metrics.count_base import PYTHON, BaseCounter
from metrics.count_numpy_array import OPEN, PLAIN, Call, Counted, CountedGenerator, nbytes, owner
from metrics.count_numpy_rules import FREE, find, ufunc_operations

_FUNCTIONS = (FunctionType, BuiltinFunctionType, type(np.concatenate), type(np.sum))
SCALARS = "arithmetic of numpy scalars is not counted"
OUTSIDE = "arrays made outside of counting came in; operations among such alone are not counted"


class NumpyCounter(BaseCounter):
    """with NumpyCounter() as counter: train(counter.wrap(array)); then counter.tally. One at a time."""

    how = "numpy"
    blind = (PYTHON, SCALARS)

    def __init__(self) -> None:
        super().__init__()
        self.busy = False  # within numpy, whose own calls are not the program's
        self._restore: list[tuple[Any, str, Any]] = []

    def __enter__(self) -> NumpyCounter:
        if OPEN.counter is not None:
            raise RuntimeError("a NumpyCounter is open already; close it first")
        self.begin()
        for name, value in list(vars(np).items()):
            if not name.startswith("_") and isinstance(value, _FUNCTIONS):
                self._replace(np, name, _function(name, value))
        make = np.random.default_rng
        self._replace(np.random, "default_rng", lambda *a, **k: _generator(make(*a, **k)))
        for name, value in list(vars(np.random).items()):
            legacy = isinstance(getattr(value, "__self__", None), np.random.RandomState)
            if legacy and name not in ("seed", "get_state", "set_state"):
                self._replace(np.random, name, _function(f"random.{name}", value))
        self._replace_imported()
        self._replace(np, "ndarray", Counted)
        OPEN.counter = self
        return self

    def __exit__(self, *error: Any) -> None:
        OPEN.counter = None
        while self._restore:
            where, name, value = self._restore.pop()
            setattr(where, name, value)
        self.end()

    def _replace(self, where: Any, name: str, value: Any) -> None:
        self._restore.append((where, name, getattr(where, name)))
        setattr(where, name, value)

    def _replace_imported(self) -> None:
        """The same in modules that have a function by a name of their own."""
        made = {id(value): getattr(where, name) for where, name, value in self._restore}
        for module in list(sys.modules.values()):
            if isinstance(module, ModuleType) and not module.__name__.startswith("numpy"):
                for name, value in list(vars(module).items()):
                    if id(value) in made:
                        self._replace(module, name, made[id(value)])

    def wrap(self, array: Any) -> Any:
        """The same memory as an array that is counted."""
        if type(array) is not PLAIN:
            return array
        self._remember(array)
        return array.view(Counted)

    def call(self, name: str, function: Any, args: Any, kwargs: Any) -> Any:
        """Runs a function on plain arrays, counts it, and returns its result wrapped."""
        call = Call(name, args, kwargs)
        self.busy = True
        try:
            call.done(function(*call.args, **call.kwargs))
            self._count(call)
        finally:
            self.busy = False
        return call.wrapped(call.result)

    def ufunc(self, ufunc: Any, method: str, args: Any, kwargs: Any) -> Any:
        """The same for a ufunc or a method of one."""
        call = Call(ufunc.__name__, args, kwargs)
        self.busy = True
        try:
            call.done(getattr(ufunc, method)(*call.args, **call.kwargs))
            self._move(call, ufunc_operations(self, ufunc, method, call))
        finally:
            self.busy = False
        return call.wrapped(call.result)

    def _count(self, call: Call) -> None:
        if call.name in FREE or call.view:
            for x in (*call.inputs, *call.outputs):
                self._remember(x)
            return
        rule = find(call.name)
        if rule is None:
            if not (call.inputs or call.outputs):
                return  # of settings and python numbers
            self.note(f"{call.name}: no rule, counted as one addition per result")
            for x in call.results or call.inputs:
                self.operate(x.dtype, x.size)
            self._move(call, None)
        elif call.inputs or call.outputs or call.name.startswith("random."):
            self._move(call, rule(self, call))

    def _move(self, call: Call, moved: tuple[int, int] | None) -> None:
        self.step()
        if call.outside:
            self.note(OUTSIDE)
        for x in (*call.inputs, *call.results):
            self._remember(x)
        if moved is None:
            read, written = (sum(nbytes(x) for x in y) for y in (call.inputs, call.results))
            moved = read, written
        self.move(*moved)

    def _remember(self, x: Any) -> None:
        own = owner(x)
        self.see(id(own), own, own.nbytes)

    def got(self, array: Any, key: Any, found: Any) -> None:
        """Counts array[key]: a copy of what an array of places picks, one element, or nothing."""
        if not isinstance(found, PLAIN):
            self.move(getattr(found, "nbytes", array.itemsize), 0)
            return
        if isinstance(key, (int, slice)) or owner(found) is owner(array):
            return
        self.step()
        self._remember(found)
        self.move(self._places(key) + found.nbytes, found.nbytes)

    def set(self, array: Any, key: Any, value: Any) -> None:
        """Counts array[key] = value."""
        target = PLAIN.__getitem__(array, key)
        given = 0
        if isinstance(value, PLAIN):
            if isinstance(target, PLAIN) and _same(target, value):
                return  # the end of a[i:j] += x, which numpy leaves out as well
            self._remember(value)
            given = nbytes(value)
            if value.dtype != array.dtype:
                self.operate(array.dtype, int(np.size(target)))
        self.step()
        self.move(self._places(key) + given, int(np.size(target)) * array.itemsize)

    def _places(self, key: Any) -> int:
        """Bytes of the arrays in an index; a mask costs a look at each element."""
        found = [x for x in (key if isinstance(key, tuple) else (key,)) if isinstance(x, PLAIN)]
        for x in found:
            if x.dtype == bool:
                self.operate(x.dtype, x.size)
            if type(x) is PLAIN:
                self.note(OUTSIDE)
        return sum(nbytes(x) for x in found)


def _function(name: str, original: Any) -> Callable[..., Any]:
    """What stands in for numpy's own function while a counter is open."""

    @functools.wraps(original)
    def function(*args: Any, **kwargs: Any) -> Any:
        counter = OPEN.counter
        if counter is None or counter.busy:
            return original(*args, **kwargs)
        return counter.call(name, original, args, kwargs)

    return function


def _generator(made: np.random.Generator) -> np.random.Generator:
    return made if type(made) is CountedGenerator else CountedGenerator(made.bit_generator)


def _same(a: Any, b: Any) -> bool:
    alike = a.shape == b.shape and a.strides == b.strides and a.dtype == b.dtype
    return alike and a.ctypes.data == b.ctypes.data
