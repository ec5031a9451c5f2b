"""What torch's operations cost that pick, place, sort and search; see `metrics.count_torch_rules`.

They read and write the elements that they touch, each time they touch one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from metrics.count_base import levels, plus

# A rule counts the operations of a call and returns bytes (read, written), or None for all of its inputs
# and outputs.
Rule = Callable[[Any, Any], tuple[int, int] | None]


def size(x: Tensor) -> int:
    """Bytes of a tensor's elements."""
    return x.numel() * x.element_size()


def gathered(*positions: int) -> Rule:
    """Reads its indices, at these positions, and what it gathers."""

    def rule(counter: Any, call: Any) -> tuple[int, int]:
        indices = [call.args[i] for i in positions]
        flat = [x for y in indices for x in (y if isinstance(y, (list, tuple)) else [y])]
        flat = [x for x in flat if isinstance(x, Tensor)]
        for x in flat:
            if x.dtype is torch.bool:
                counter.operate(x.dtype, x.numel())
        out = sum(size(x) for x in call.results)
        return sum(size(x) for x in flat) + out, out

    return rule


def embedding_bag(counter: Any, call: Any) -> tuple[int, int]:
    """Reads and sums the rows of each bag. mode: 0 sum, 1 mean, 2 max."""
    weight, indices, offsets = call.args[:3]
    out = call.results[0]
    touched = indices.numel() * weight.shape[1]
    counter.operate(out.dtype, max(0, touched - out.numel()))
    if call.get(4, "mode", 0) == 1:
        counter.expensive("div", out.dtype, out.numel())
    read = size(indices) + size(offsets) + touched * weight.element_size()
    return read, sum(size(x) for x in call.results)


def embedding_backward(counter: Any, call: Any) -> tuple[int, int]:
    """Adds each row's gradient to a table of zeros."""
    grad, indices = call.args[:2]
    counter.operate(grad.dtype, grad.numel())
    return size(grad) + size(indices), size(call.results[0])


def scattered(counter: Any, call: Any) -> tuple[int, int]:
    """index_put, index_add, scatter and their like: what they touch, read as well where it is added to.

    Not in place, they copy the rest.
    """
    x, out = call.args[0], call.results[0]
    source = call.args[-1] if isinstance(call.args[-1], Tensor) else None
    adds = "add" in call.name or bool(call.kwargs.get("reduce"))
    if call.name.startswith(("index_put", "_index_put", "_unsafe_index_put")):
        indices, source = call.args[1], call.args[2]
        adds = bool(call.get(3, "accumulate", False))
        touched = x[tuple(slice(None) if i is None else i for i in indices)].numel()
        flat = [i for i in indices if i is not None]
    else:
        index = call.args[2]
        source = call.args[3] if isinstance(call.args[3], Tensor) else None
        whole_rows = call.name.startswith("index")
        rows = max(1, x.shape[call.args[1]] if x.dim() else 1)
        touched = index.numel() * (x.numel() // rows) if whole_rows else index.numel()
        flat = [index]
    each = x.element_size()
    if adds:
        scale = call.kwargs.get("alpha", 1) != 1
        counter.each(x.dtype, touched, (1, int(scale)))
    read = sum(size(i) for i in flat) + touched * each * adds
    read += size(source) if source is not None else 0
    copied = 0 if call.mutated else size(out)
    return read + copied, touched * each + copied


def sort(counter: Any, call: Any) -> None:
    """n log2 n comparisons, whatever the order was; of the k largest n log2 k."""
    x = call.args[0]
    n = x.shape[-1] if x.dim() else 1
    if call.name in ("sort", "argsort") and x.dim():
        named = call.kwargs.get("dim", next((a for a in call.args[1:] if type(a) is int), -1))
        n = x.shape[named]
    if call.name in ("topk", "kthvalue"):
        n = min(n, call.args[1])
    counter.operate(x.dtype, x.numel() * levels(n))


def unique(counter: Any, call: Any) -> None:
    x = call.args[0]
    counter.operate(x.dtype, x.numel() * (levels(x.numel()) + 1))


def search(counter: Any, call: Any) -> tuple[int, int]:
    """A binary search each, which reads what it compares with."""
    table, wanted = call.args[:2] if call.name == "searchsorted" else call.args[1::-1]
    n = wanted.numel() if isinstance(wanted, Tensor) else 1
    compared = n * levels(table.shape[-1])
    counter.operate(table.dtype, compared)
    own = size(wanted) if isinstance(wanted, Tensor) else 0
    return own + compared * table.element_size(), size(call.results[0])


def picked(counter: Any, call: Any) -> tuple[int, int] | None:
    """nonzero, masked_select, bincount: one look at each element of the input or mask."""
    looked = call.args[1] if call.name == "masked_select" else call.args[0]
    counter.operate(looked.dtype, looked.numel())
    if call.name == "masked_select":
        out = size(call.results[0])
        return size(looked) + out, out
    return None


def multinomial(counter: Any, call: Any) -> None:
    """Without replacement a race of exponentials, else sums and a binary search per draw."""
    x, out = call.args[0], call.results[0]
    if out.shape[-1] == 1 or not call.get(2, "replacement", False):
        counter.random(torch.int32, x.dtype, x.numel(), x.element_size(), "exponential")
        counter.each(x.dtype, x.numel(), plus("div", (levels(out.shape[-1]), 0)))
    else:
        counter.random(torch.int32, x.dtype, out.numel(), x.element_size(), "uniform")
        counter.operate(x.dtype, x.numel() + out.numel() * levels(x.shape[-1]))


def taken_out(counter: Any, call: Any) -> tuple[int, int]:
    return call.args[0].element_size(), 0


PLACES: dict[str, Rule] = {
    "index": gathered(1),
    **dict.fromkeys(("embedding", "take", "_unsafe_index"), gathered(1)),
    **dict.fromkeys(("index_select", "gather"), gathered(2)),
    **dict.fromkeys(("_embedding_bag", "_embedding_bag_forward_only"), embedding_bag),
    "embedding_dense_backward": embedding_backward,
    **dict.fromkeys(("index_put", "index_add", "index_copy", "index_fill", "scatter"), scattered),
    **dict.fromkeys(("scatter_add", "scatter_reduce", "index_put_impl"), scattered),
    **dict.fromkeys(("sort", "argsort", "topk", "kthvalue", "median"), sort),
    **dict.fromkeys(("_unique2", "unique_dim", "unique_consecutive"), unique),
    **dict.fromkeys(("searchsorted", "bucketize"), search),
    **dict.fromkeys(("nonzero", "masked_select", "bincount"), picked),
    "multinomial": multinomial,
    "_local_scalar_dense": taken_out,
}
