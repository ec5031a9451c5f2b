"""What torch's operations cost. An additive cost is (additions, multiplications); see `metrics.counts`.

Names are those of `aten`, without the underscore of in-place variants and the prefix _foreach_. Matrix
products and convolutions are torch's own formulas (torch.utils.flop_counter), half of them additions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import flop_registry

from metrics.count_base import plus
from metrics.count_torch_nets import NETS
from metrics.count_torch_places import PLACES, Rule

FREE = {
    *("detach", "detach_", "alias", "lift_fresh", "lift", "_unsafe_view", "is_same_size", "set_"),
    *("transpose_", "t_", "squeeze_", "unsqueeze_", "unsafe_split", "unsafe_chunk"),
    *("resolve_conj", "resolve_neg", "record_stream", "_has_compatible_shallow_copy_type"),
}
EMPTY = {  # memory that nobody writes yet
    *("empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided", "resize_"),
    "empty_permuted",
}
OVERWRITE = {  # what they change they do not read
    *("fill_", "zero_", "copy_", "normal_", "uniform_", "bernoulli_", "random_", "exponential_"),
    *("_foreach_zero_", "_foreach_copy_", "eye_"),
}
COPIES = {  # bytes only
    *("cat", "stack", "repeat", "flip", "roll", "constant_pad_nd", "tril", "triu", "new_zeros"),
    *("zeros", "ones", "full", "zeros_like", "ones_like", "full_like", "new_ones", "new_full"),
    *("fill", "zero", "scalar_tensor", "eye", "slice_backward", "select_backward"),
    *("diagonal_backward", "unfold_backward", "slice_scatter", "select_scatter", "view_copy"),
    *("_reshape_copy", "expand_copy", "rot90", "diag_embed", "repeat_interleave"),
}
ELEMENTWISE: dict[str, tuple[int, int]] = {
    **dict.fromkeys(
        ("eq", "ne", "lt", "le", "gt", "ge", "maximum", "minimum", "neg", "abs"), (1, 0)
    ),
    **dict.fromkeys(("relu", "threshold", "threshold_backward", "where", "masked_fill"), (1, 0)),
    **dict.fromkeys(("sign", "sgn", "floor", "ceil", "round", "trunc", "frac", "isnan"), (1, 0)),
    **dict.fromkeys(("isinf", "fmax", "fmin", "logical_and", "logical_or", "logical_not"), (1, 0)),
    **dict.fromkeys(("logical_xor", "bitwise_and", "bitwise_or", "bitwise_xor", "and"), (1, 0)),
    **dict.fromkeys(("bitwise_not", "or", "xor", "lshift", "rshift", "heaviside"), (1, 0)),
    **dict.fromkeys(("bitwise_left_shift", "bitwise_right_shift", "arange", "isfinite"), (1, 0)),
    **dict.fromkeys(("clamp", "hardtanh", "hardtanh_backward", "isclose"), (2, 0)),
    **dict.fromkeys(("clamp_min", "clamp_max"), (1, 0)),
    **dict.fromkeys(("mul", "square", "dropout_backward", "native_dropout_backward"), (0, 1)),
    **dict.fromkeys(("leaky_relu", "leaky_relu_backward", "linspace", "addcmul"), (1, 1)),
    **dict.fromkeys(("add", "sub", "rsub"), (1, 0)),
    "lerp": (2, 1),
    "addcdiv": plus("div", (1, 0)),
    "true_divide": plus("div"),
    "floor_divide": plus("div", (1, 0)),
    "fmod": plus("mod"),
    "remainder": plus("mod"),
    "exp2": plus("exp"),
    "log2": plus("log"),
    "log10": plus("log"),
    "erfc": plus("erf"),
    "atan2": plus("div", "atan"),
    "sinh": plus("exp", "reciprocal", (1, 1)),
    "cosh": plus("exp", "reciprocal", (1, 1)),
    "softplus": plus("exp", "log1p"),
    "softplus_backward": plus("sigmoid", (0, 1)),
    "logaddexp": plus("exp", "log1p", (3, 0)),
    "log_sigmoid_forward": plus("exp", "log1p", (2, 0)),
    "log_sigmoid_backward": plus("sigmoid", (1, 1)),
    "silu": plus("sigmoid", (0, 1)),
    "silu_backward": plus("sigmoid", (2, 3)),
    "sigmoid_backward": (1, 2),
    "tanh_backward": (1, 2),
    "mse_loss_backward": (1, 2),
    "nan_to_num": (3, 0),
    "elu": plus("exp", (2, 1)),
    "glu": plus("sigmoid", (0, 1)),
    "hardswish": (3, 2),
    "polar": plus("sin", "cos", (0, 2)),
    **{
        name: plus(name)
        for name in (
            *("div", "reciprocal", "sqrt", "rsqrt", "exp", "expm1", "log", "log1p", "sin", "cos"),
            *("tan", "tanh", "sigmoid", "erf", "atan", "hypot"),
        )
    },
}
# (cost per input, whether n inputs of an output take n - 1 of it, cost per output)
REDUCTIONS: dict[str, tuple[tuple[int, int], bool, tuple[int, int]]] = {
    **dict.fromkeys(
        ("sum", "max", "min", "amax", "amin", "argmax", "argmin"), ((1, 0), True, (0, 0))
    ),
    **dict.fromkeys(("any", "all", "nansum"), ((1, 0), True, (0, 0))),
    **dict.fromkeys(("count_nonzero", "equal"), ((1, 0), False, (0, 0))),
    "aminmax": ((2, 0), True, (0, 0)),
    "prod": ((0, 1), True, (0, 0)),
    "mean": ((1, 0), True, plus("div")),
    **dict.fromkeys(("var", "var_mean"), ((3, 1), False, plus("div", "div"))),
    **dict.fromkeys(("std", "std_mean"), ((3, 1), False, plus("div", "div", "sqrt"))),
    "logsumexp": (plus("exp", (3, 0)), False, plus("log", (1, 0))),
    "mse_loss": ((2, 1), False, plus("div")),
}
SCANS = {"cumsum": (1, 0), "cumprod": (0, 1), "cummax": (1, 0), "cummin": (1, 0)}
RANDOM = {
    **dict.fromkeys(("normal", "randn", "randn_like"), "normal"),
    **dict.fromkeys(("uniform", "rand", "rand_like"), "uniform"),
    **dict.fromkeys(("randint", "randint_like", "random", "randperm"), "integer"),
    "bernoulli": "bit",
    "exponential": "exponential",
}


def find(op: Any, name: str) -> Rule | None:
    """The rule of an operator, or None."""
    packet = op._overloadpacket
    name = name.removeprefix("_foreach_").strip("_") if name not in RULES else name
    if packet in flop_registry and name not in RULES:
        return matrix(flop_registry[packet])
    if name in RULES:
        return RULES[name]
    for table, rule in (
        (COPIES, copies),
        (ELEMENTWISE, elementwise),
        (REDUCTIONS, reduction),
        (SCANS, scan),
        (RANDOM, random),
    ):
        if name in table:
            return rule(name)
    return None


def worked_in(call: Any, result: Tensor) -> torch.dtype:
    """The type that a result was worked out in: its own, but of a yes or no that of what was compared."""
    dtype = result.dtype
    if dtype is torch.bool:
        for x in call.inputs:
            dtype = torch.promote_types(dtype, x.dtype)
    return dtype


def copies(name: str) -> Rule:
    return lambda counter, call: None


def elementwise(name: str) -> Rule:
    cost = ELEMENTWISE[name]
    scaled = {
        "add": "alpha",
        "sub": "alpha",
        "rsub": "alpha",
        "addcmul": "value",
        "addcdiv": "value",
    }
    factor = scaled.get(name)

    def rule(counter: Any, call: Any) -> None:
        each = cost
        later = (a for a in call.args[3:] if isinstance(a, (int, float)))  # of _foreach_ variants
        if factor and call.kwargs.get(factor, next(later, 1)) != 1:
            each = (cost[0], cost[1] + 1)
        for x in call.results:
            counter.each(worked_in(call, x), x.numel(), each)

    return rule


def reduction(name: str) -> Rule:
    per_input, less_one, per_output = REDUCTIONS[name]

    def rule(counter: Any, call: Any) -> None:
        given = sum(x.numel() for x in call.inputs)
        results = call.results if name != "equal" else call.inputs
        x = results[0]
        made = sum(y.numel() for y in results) if isinstance(call.result, list) else x.numel()
        dtype = call.inputs[0].dtype if name.startswith("arg") else worked_in(call, x)
        counter.each(dtype, max(0, given - made) if less_one else given, per_input)
        counter.each(dtype, made, per_output)

    return rule


def scan(name: str) -> Rule:
    return lambda counter, call: counter.each(
        call.results[0].dtype, call.results[0].numel(), SCANS[name]
    )


def random(name: str) -> Rule:
    def rule(counter: Any, call: Any) -> None:
        for x in call.results:
            floating = x.dtype.is_floating_point
            kind = RANDOM[name] if floating or RANDOM[name] != "uniform" else "integer"
            width = x.element_size() if kind != "bit" else 4
            counter.random(torch.int32, x.dtype, x.numel(), width, kind)

    return rule


def matrix(flops: Callable[..., int]) -> Rule:
    """A product by torch's formula, and what is added to it."""

    def rule(counter: Any, call: Any) -> None:
        number = flops(*call.args, **call.kwargs, out_val=call.result)
        x = call.results[0] if call.results else call.inputs[0]
        counter.operate(x.dtype, number // 2, number // 2)
        if call.name in ("addmm", "baddbmm"):
            factors = [call.kwargs.get(name, 1) != 1 for name in ("beta", "alpha")]
            counter.each(x.dtype, x.numel(), (1, sum(factors)))
        elif call.name == "convolution" and call.get(2, "bias") is not None:
            counter.operate(x.dtype, x.numel())

    return rule


def vector_product(counter: Any, call: Any) -> None:
    """mv, dot, vdot, addmv: as many products as the first factor's elements."""
    first = call.args[1] if call.name.startswith("addmv") else call.args[0]
    counter.operate(first.dtype, first.numel(), first.numel())
    if call.name.startswith("addmv"):
        counter.operate(first.dtype, call.results[0].numel())


def copied(counter: Any, call: Any) -> None:
    """An addition per element whose type changes, communication where the device does."""
    source = call.inputs[-1] if call.mutated else call.inputs[0]
    for x in call.results:
        if x.dtype != source.dtype:
            counter.operate(x.dtype, x.numel())
        if x.device != source.device:
            counter.communicate(x.numel() * x.element_size())


def power(counter: Any, call: Any) -> None:
    exponent = call.args[1] if len(call.args) > 1 else call.kwargs.get("exponent")
    known: dict[float, tuple[int, int]] = {
        2: (0, 1),
        3: (0, 2),
        1: (0, 0),
        0: (0, 0),
        0.5: plus("sqrt"),
        -0.5: plus("rsqrt"),
        -1: plus("reciprocal"),
        -2: plus("reciprocal", (0, 1)),
    }
    cost = plus("pow")
    if isinstance(exponent, (int, float)):
        cost = known.get(exponent, cost)
    for x in call.results:
        counter.each(x.dtype, x.numel(), cost)


def norm(counter: Any, call: Any) -> None:
    """Squares, sum and root; of another order, magnitudes and their power."""
    order = call.get(1, "ord", 2)
    per_input = {2: (0, 1), 1: (1, 0)}.get(order, plus("pow", (1, 0)))
    per_input = (1, 0) if order in (float("inf"), float("-inf")) else per_input
    given = sum(x.numel() for x in call.inputs)
    made = sum(x.numel() for x in call.results)
    dtype = call.results[0].dtype
    counter.each(dtype, given, per_input)
    counter.operate(dtype, max(0, given - made))
    if order == 2:
        counter.expensive("sqrt", dtype, made)


RULES: dict[str, Rule] = {
    **NETS,
    **PLACES,
    **dict.fromkeys(("mv", "dot", "vdot", "addmv"), vector_product),
    **dict.fromkeys(("clone", "copy", "_to_copy", "contiguous"), copied),
    "pow": power,
    **dict.fromkeys(("linalg_vector_norm", "norm"), norm),
}
