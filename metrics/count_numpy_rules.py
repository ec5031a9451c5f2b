"""What numpy's functions cost. An additive cost is (additions, multiplications); see `metrics.counts`.

A sort takes n ceil(log2 n) comparisons and a partition 3 n, whatever the order was. A method has the rule of
the function of its name.
"""

from __future__ import annotations

from math import isqrt, prod
from typing import Any

import numpy as np

from metrics.count_base import plus
from metrics.count_numpy_places import PLACES, Rule, first

METHODS_IN_PLACE = {"sort": "sorted_in_place", "partition": "partitioned_in_place"}
FREE = {
    *("shape", "ndim", "size", "may_share_memory", "shares_memory", "result_type", "can_cast"),
    *("min_scalar_type", "promote_types", "iscomplexobj", "isrealobj", "isscalar", "array_repr"),
    *("array_str", "array2string", "broadcast_shapes", "einsum_path", "common_type", "setflags"),
    *("empty", "empty_like", "ndarray", "frombuffer", "ix_", "getfield", "dump", "require"),
    *("isfortran", "iterable", "mintypecode", "format_float_positional", "get_printoptions"),
    *(
        "format_float_scientific",
        "base_repr",
        "binary_repr",
        "issubdtype",
        "typename",
        "printoptions",
    ),
}
UFUNCS: dict[str, tuple[int, int]] = {
    **dict.fromkeys(
        ("add", "subtract", "negative", "positive", "absolute", "fabs", "sign"), (1, 0)
    ),
    **dict.fromkeys(("maximum", "minimum", "fmax", "fmin", "equal", "not_equal", "less"), (1, 0)),
    **dict.fromkeys(("less_equal", "greater", "greater_equal", "logical_and", "invert"), (1, 0)),
    **dict.fromkeys(("logical_or", "logical_xor", "logical_not", "bitwise_and"), (1, 0)),
    **dict.fromkeys(("bitwise_or", "bitwise_xor", "left_shift", "right_shift", "floor"), (1, 0)),
    **dict.fromkeys(("ceil", "rint", "trunc", "isnan", "isinf", "isfinite", "signbit"), (1, 0)),
    **dict.fromkeys(("copysign", "conjugate", "bitwise_count", "heaviside", "isnat"), (1, 0)),
    **dict.fromkeys(("multiply", "square", "ldexp", "deg2rad", "rad2deg"), (0, 1)),
    **dict.fromkeys(("radians", "degrees"), (0, 1)),
    "clip": (2, 0),
    "divide": plus("div"),
    "floor_divide": plus("div", (1, 0)),
    "fmod": plus("mod"),
    "divmod": plus("mod"),
    "power": plus("pow"),
    "float_power": plus("pow"),
    "cbrt": plus("sqrt"),
    "exp2": plus("exp"),
    "log2": plus("log"),
    "log10": plus("log"),
    "remainder": plus("mod"),
    "arctan": plus("atan"),
    "arcsin": plus("sqrt", "atan", (1, 1)),
    "arccos": plus("sqrt", "atan", (2, 1)),
    "arctan2": plus("div", "atan"),
    "sinh": plus("exp", "reciprocal", (1, 1)),
    "cosh": plus("exp", "reciprocal", (1, 1)),
    "logaddexp": plus("exp", "log1p", (3, 0)),
    "logaddexp2": plus("exp", "log1p", (3, 0)),
    **{
        name: plus(name)
        for name in (
            *("reciprocal", "sqrt", "exp", "expm1", "log", "log1p", "sin", "cos", "tan", "tanh"),
            "hypot",
        )
    },
}
PRODUCTS = ("matmul", "vecdot", "matvec", "vecmat")  # ufuncs too
COPIES = {  # bytes only, and an addition per element whose type changes
    *(
        "array",
        "asarray",
        "ascontiguousarray",
        "asanyarray",
        "asfortranarray",
        "copy",
        "concatenate",
    ),
    *("stack", "hstack", "vstack", "dstack", "column_stack", "block", "tile", "repeat", "flatten"),
    *("ravel", "roll", "pad", "append", "insert", "delete", "meshgrid", "broadcast_arrays", "flip"),
    *("rot90", "tri", "tril", "triu", "diag", "diagflat", "eye", "identity", "zeros", "ones"),
    *("full", "zeros_like", "ones_like", "full_like", "fromiter", "tobytes", "byteswap", "astype"),
    *("reshape", "resize", "array_split", "asarray_chkfinite", "fromstring", "tolist", "item"),
    *(
        "concat",
        "fliplr",
        "flipud",
        "row_stack",
        "matrix_transpose",
        "permute_dims",
        "vander",
        "indices",
        "load",
        "fromfile",
        "loadtxt",
        "unstack",
        "diagonal",
    ),
    *("atleast_1d", "atleast_2d", "atleast_3d", "real", "imag", "swapaxes", "transpose", "squeeze"),
}
ELEMENTWISE: dict[str, tuple[int, int]] = {  # per element of the result
    **dict.fromkeys(("where", "arange", "iscomplex", "isreal", "array_equal"), (1, 0)),
    "linspace": (1, 1),
    "logspace": plus("pow", (1, 1)),
    "geomspace": plus("pow", (1, 1)),
    "clip": (2, 0),
    "round": plus("div", (1, 1)),
    "around": plus("div", (1, 1)),
    "outer": (0, 1),
    "kron": (0, 1),
    "isclose": (4, 1),
    "nan_to_num": (3, 0),
    "diff": (1, 0),
    "ediff1d": (1, 0),
    "conj": (1, 0),
    "angle": plus("div", "atan"),
    "sinc": plus("sin", "div", (0, 1)),
    "unwrap": plus("mod", (4, 0)),
}
# (cost per input, whether n inputs of an output take n - 1 of it, cost per output)
REDUCTIONS: dict[str, tuple[tuple[int, int], bool, tuple[int, int]]] = {
    **dict.fromkeys(
        ("sum", "max", "amax", "min", "amin", "argmax", "argmin"), ((1, 0), True, (0, 0))
    ),
    **dict.fromkeys(("any", "all", "trace"), ((1, 0), True, (0, 0))),
    **dict.fromkeys(("nansum", "nanmax", "nanmin", "ptp"), ((2, 0), True, (0, 0))),
    **dict.fromkeys(("count_nonzero", "nonzero", "flatnonzero"), ((1, 0), False, (0, 0))),
    **dict.fromkeys(("argwhere", "packbits", "unpackbits", "bincount"), ((1, 0), False, (0, 0))),
    "allclose": ((5, 1), False, (0, 0)),
    "prod": ((0, 1), True, (0, 0)),
    "mean": ((1, 0), True, plus("div")),
    "var": ((3, 1), False, plus("div", "div")),
    "std": ((3, 1), False, plus("div", "div", "sqrt")),
    **dict.fromkeys(("norm", "vector_norm", "matrix_norm"), ((1, 1), False, plus("sqrt"))),
}
SCANS = {"cumsum": (1, 0), "cumprod": (0, 1), "cumulative_sum": (1, 0), "cumulative_prod": (0, 1)}
RANDOM = {
    **dict.fromkeys(("normal", "standard_normal", "randn", "lognormal"), "normal"),
    **dict.fromkeys(("uniform", "random", "rand", "random_sample"), "uniform"),
    **dict.fromkeys(("integers", "randint", "choice", "permutation", "permuted"), "integer"),
    **dict.fromkeys(("shuffle", "bytes"), "integer"),
    **dict.fromkeys(("exponential", "standard_exponential"), "exponential"),
}


def find(name: str) -> Rule | None:
    """The rule of a function, or None."""
    if name.startswith("random."):
        return random if name.removeprefix("random.") in RANDOM else None
    if name in RULES:
        return RULES[name]
    for table, rule in (
        (COPIES, copied),
        (ELEMENTWISE, elementwise),
        (REDUCTIONS, reduction),
        (SCANS, scan),
    ):
        if name in table:
            return rule
    return None


def worked_in(call: Any) -> Any:
    """The type of the arithmetic: the result's, but of a yes or no that of what was compared."""
    results = call.results or [call.result]
    dtype = getattr(results[0], "dtype", np.dtype(bool))
    if dtype.kind == "b" and call.inputs:
        return np.result_type(*(x.dtype for x in call.inputs))
    return dtype


def ufunc_operations(counter: Any, ufunc: Any, method: str, call: Any) -> tuple[int, int] | None:
    """Counts a ufunc's operations; bytes only where they are not those of all inputs and outputs."""
    name, results = ufunc.__name__, call.results or [call.result]
    made = int(np.size(results[0]))
    if name in PRODUCTS and method == "__call__":
        product(counter, call)
        return None
    cost = UFUNCS.get(name)
    if cost is None:
        counter.note(f"{name}: no rule, counted as one addition per result")
        cost = (1, 0)
    if name == "power" and np.ndim(call.args[1]) == 0 and call.args[1] == 2:
        cost = UFUNCS["square"]
    if method == "at":
        array, index, *values = call.args
        touched = array[index].size * array.itemsize
        counter.each(array.dtype, touched // array.itemsize, cost)
        given = sum(x.nbytes for x in values if isinstance(x, np.ndarray))
        where = index if isinstance(index, tuple) else (index,)
        given += sum(x.nbytes for x in where if isinstance(x, np.ndarray))
        return given + touched, touched
    times = made
    if method in ("reduce", "reduceat", "accumulate"):
        given = int(np.size(call.args[0]))
        times = given if method == "accumulate" else max(0, given - made)
    counter.each(worked_in(call), times, cost)
    return None


def product(counter: Any, call: Any) -> None:
    """matmul, dot, inner: as many products and sums per result as the first factor's last axis has."""
    a, b = call.args[0], call.args[1]
    made = int(np.size((call.results or [call.result])[0]))
    scalar = np.ndim(a) == 0 or np.ndim(b) == 0
    k = 1 if scalar else np.shape(a)[-2 if call.name == "vecmat" and np.ndim(a) > 1 else -1]
    counter.operate(worked_in(call), 0 if scalar else made * k, made * k)


def contraction(counter: Any, call: Any) -> None:
    """tensordot: sizes of factors and result tell how many are summed."""
    a, b = (int(np.size(x)) for x in call.args[:2])
    made = int(np.size(call.result))
    number = made * isqrt(a * b // made) if made else 0
    counter.operate(worked_in(call), number, number)


def einsum(counter: Any, call: Any) -> None:
    """As numpy does it without optimize: for all values of all indices at once."""
    form, *operands = call.args
    if not isinstance(form, str) or "." in form:
        counter.note("einsum without letters for all axes: counted as one addition per result")
        counter.operate(worked_in(call), int(np.size(call.result)))
        return
    given, _, made = form.replace(" ", "").partition("->")
    sizes = {
        letter: size
        for letters, x in zip(given.split(","), operands, strict=True)
        for letter, size in zip(letters, np.shape(x), strict=True)
    }
    number = prod(sizes.values())
    less = number - int(np.size(call.result)) if len(made) == len(sizes) else number
    counter.operate(worked_in(call), max(0, less), number * (len(operands) - 1))


def copied(counter: Any, call: Any) -> tuple[int, int] | None:
    for x in call.outputs:
        if call.inputs and call.inputs[0].dtype != x.dtype:
            counter.operate(x.dtype, x.size)
    if isinstance(call.result, bytes):
        return len(call.result), len(call.result)
    return None


def elementwise(counter: Any, call: Any) -> None:
    if call.name == "where" and len(call.args) == 1:
        counter.operate(first(call).dtype, first(call).size)
        return
    numbers = call.results if call.name != "array_equal" else call.inputs[:1]
    for x in numbers:
        times = x.size
        if call.name == "diff":
            times *= call.kwargs.get("n", call.args[1] if len(call.args) > 1 else 1)
        counter.each(worked_in(call), times, ELEMENTWISE[call.name])


def reduction(counter: Any, call: Any) -> None:
    per_input, less_one, per_output = REDUCTIONS[call.name]
    x = first(call)
    made = int(np.size((call.results or [call.result])[0]))
    dtype = (
        worked_in(call) if call.name in ("sum", "prod", "mean", "var", "std", "trace") else x.dtype
    )
    if call.name == "bincount":
        dtype = call.result.dtype
    counter.each(dtype, max(0, x.size - made) if less_one else x.size, per_input)
    counter.each(dtype, made, per_output)


def scan(counter: Any, call: Any) -> None:
    counter.each(worked_in(call), call.results[0].size, SCANS[call.name])


def random(counter: Any, call: Any) -> tuple[int, int] | None:
    """The words that a generator makes, and what makes numbers of them; see `metrics.counts`."""
    name = call.name.removeprefix("random.")
    results = call.results or [call.result]
    x = call.args[0] if name == "shuffle" else results[0]
    if isinstance(x, bytes):
        x = np.frombuffer(x, np.uint8)
    dtype = np.dtype(getattr(x, "dtype", np.int64))
    counter.random(np.dtype(np.uint32), dtype, int(np.size(x)), dtype.itemsize, RANDOM[name])
    return (x.nbytes, x.nbytes) if name == "shuffle" and isinstance(x, np.ndarray) else None


RULES: dict[str, Rule] = {
    **PLACES,
    **dict.fromkeys(("dot", "inner", "vdot", "matmul", "vecdot"), product),
    "tensordot": contraction,
    "einsum": einsum,
}
