"""What numpy's functions cost that pick, place, sort and search; see `metrics.count_numpy_rules`.

A sort takes n ceil(log2 n) comparisons and a partition 3 n, whatever the order was.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from metrics.count_base import levels

# A rule counts the operations of a call and returns bytes (read, written), or None for all of its inputs
# and outputs.
Rule = Callable[[Any, Any], tuple[int, int] | None]


def first(call: Any) -> Any:
    """The first argument, an array or what may become one."""
    return call.inputs[0] if call.inputs else np.asarray(call.args[0] if call.args else 0)


def along(call: Any, position: int = 1) -> tuple[Any, int]:
    """The first argument, and its length along the axis that is meant."""
    x = first(call)
    axis = call.kwargs.get("axis", call.args[position] if len(call.args) > position else -1)
    return x, int(x.size if axis is None else np.shape(x)[axis] if x.ndim else 1)


def sort(counter: Any, call: Any) -> tuple[int, int] | None:
    x, n = along(call)
    counter.operate(x.dtype, x.size * levels(n))
    return (x.nbytes, x.nbytes) if call.name.endswith("in_place") else None


def partition(counter: Any, call: Any) -> tuple[int, int] | None:
    x = first(call)
    counter.operate(x.dtype, 3 * x.size)
    return (x.nbytes, x.nbytes) if call.name.endswith("in_place") else None


def lexsort(counter: Any, call: Any) -> None:
    for x in call.inputs:
        counter.operate(x.dtype, x.size * levels(x.shape[-1] if x.ndim else 1))


def unique(counter: Any, call: Any) -> None:
    """A sort and a comparison of neighbours."""
    x = first(call)
    counter.operate(x.dtype, x.size * (levels(x.size) + 1))


def search(counter: Any, call: Any) -> tuple[int, int]:
    """A binary search each, which reads what it compares with."""
    names = {"searchsorted": ("a", "v"), "digitize": ("x", "bins")}[call.name]
    pair = [
        np.asarray(call.args[i] if len(call.args) > i else call.kwargs[name])
        for i, name in enumerate(names)
    ]
    table, wanted = pair if call.name == "searchsorted" else pair[::-1]
    compared = wanted.size * levels(table.size)
    counter.operate(table.dtype, compared)
    written = sum(x.nbytes for x in call.results)
    return wanted.nbytes + compared * table.itemsize, written


def gathered(counter: Any, call: Any) -> tuple[int, int]:
    """take, compress, choose and their like: reads indices or mask, and what they pick."""
    out = sum(x.nbytes for x in call.results)
    own = (
        0 if call.name in ("compress", "extract") else 1
    )  # where the array stands that is picked from
    picks = [x for i, x in enumerate(call.args[:2]) if i != own ^ 1]
    read = sum(x.nbytes for x in picks if isinstance(x, np.ndarray))
    for x in picks:
        if isinstance(x, np.ndarray) and x.dtype == bool:
            counter.operate(x.dtype, x.size)
    return read + out, out


def placed(counter: Any, call: Any) -> tuple[int, int]:
    """put, copyto, place, putmask, fill, fill_diagonal: reads what it is given, writes what it touches."""
    x, *rest = call.args
    given = [v for v in (*rest, *call.kwargs.values()) if isinstance(v, np.ndarray)]
    written = x.nbytes
    if call.name in ("put", "put_along_axis"):
        written = int(np.size(rest[0])) * x.itemsize
    elif call.name in ("place", "putmask"):
        counter.operate(np.dtype(bool), int(np.size(rest[0])))
        written = int(np.count_nonzero(rest[0])) * x.itemsize
    elif call.name == "fill_diagonal":
        written = min(x.shape) * x.itemsize
    return sum(v.nbytes for v in given), written


def isin(counter: Any, call: Any) -> None:
    """Both sorted together."""
    n = sum(int(np.size(x)) for x in call.args[:2])
    counter.operate(first(call).dtype, n * (levels(n) + 1))


PLACES: dict[str, Rule] = {
    **dict.fromkeys(("sort", "argsort", "sorted_in_place"), sort),
    **dict.fromkeys(("partition", "argpartition", "partitioned_in_place", "median"), partition),
    "lexsort": lexsort,
    **dict.fromkeys(("unique", "unique_values", "unique_counts", "unique_inverse"), unique),
    **dict.fromkeys(("searchsorted", "digitize"), search),
    **dict.fromkeys(("take", "take_along_axis", "compress", "extract", "choose"), gathered),
    **dict.fromkeys(("put", "put_along_axis", "copyto", "place", "putmask"), placed),
    **dict.fromkeys(("fill", "fill_diagonal"), placed),
    **dict.fromkeys(("isin", "in1d", "intersect1d", "union1d", "setdiff1d"), isin),
}
