"""What torch's larger operations of networks cost; see `metrics.count_torch_rules`."""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from torch.utils.flop_counter import sdpa_backward_flop_count, sdpa_flop_count

from metrics.count_base import plus
from metrics.count_torch_places import Rule, size


def gelu(counter: Any, call: Any) -> None:
    """x Φ(x), by erf: x / √2, (1 + erf) times x / 2; or by tanh. Backward has Φ's slope as well."""
    curved = call.kwargs.get("approximate") == "tanh"
    if call.name == "gelu":
        cost = plus("tanh", (2, 6)) if curved else plus("erf", (1, 3))
    else:
        cost = plus("tanh", (5, 14)) if curved else plus("erf", "exp", (2, 7))
    counter.each(call.results[0].dtype, call.results[0].numel(), cost)


def softmax(counter: Any, call: Any) -> None:
    """Maximum, difference, exponential and sum of all; then a quotient each, or a logarithm per row."""
    x = call.results[0]
    counter.each(x.dtype, x.numel(), plus("exp", (3, 0)))
    if call.name == "_log_softmax":
        rows = x.numel() // max(1, x.shape[call.args[1]] if x.dim() else 1)
        counter.each(x.dtype, rows, plus("log"))
        counter.operate(x.dtype, x.numel())
    else:
        counter.expensive("div", x.dtype, x.numel())


def softmax_backward(counter: Any, call: Any) -> None:
    """Of the logarithm: g - e^y Σg. Else: y g, its sum, g - Σ, times y."""
    x = call.results[0]
    logarithm = call.name.startswith("_log")
    counter.each(x.dtype, x.numel(), plus("exp", (2, 1)) if logarithm else (2, 2))


def nll(counter: Any, call: Any) -> tuple[int, int]:
    """Of every row the one log-probability that is asked for."""
    target, out = call.args[1], call.results[0]
    n, each = target.numel(), call.args[0].element_size()
    counter.operate(out.dtype, n)
    counter.expensive("div", out.dtype, 1)
    return size(target) + n * each, sum(size(x) for x in call.results)


def nll_backward(counter: Any, call: Any) -> tuple[int, int]:
    grad, target, out = call.args[0], call.args[2], call.results[0]
    counter.expensive("div", out.dtype, target.numel())
    return size(grad) + size(target), size(out)


def layer_norm(counter: Any, call: Any) -> None:
    """Sum; differences, squares and their sum; scale and shift; weight and bias. Per row a root.

    Of batches and groups the same; running means are not counted.
    """
    x, rows = call.outputs[0], call.outputs[-1].numel()
    at = 2 if call.name == "native_layer_norm" else 1
    weight, bias = (call.get(at + i, name) is not None for i, name in enumerate(("weight", "bias")))
    counter.each(x.dtype, x.numel(), (4 + bias, 2 + weight))
    counter.each(x.dtype, rows, plus("div", "div", "rsqrt"))


def layer_norm_backward(counter: Any, call: Any) -> None:
    """Of the input: the weighted gradient, its sum and its sum with x, then a g + b x + c."""
    grad, mask = call.args[0], call.get(7, "output_mask")
    weight = call.args[5] is not None
    n = grad.numel()
    if mask[0]:
        counter.each(grad.dtype, n, (4, 3 + weight))
        counter.each(grad.dtype, call.args[3].numel(), (2, 6))
    if mask[1]:
        counter.each(grad.dtype, n, (2, 2))
    if mask[2]:
        counter.operate(grad.dtype, n)


OTHER_KERNELS = ("flash_attention", "efficient_attention", "cudnn_attention")  # of GPUs


def scores(queries: int, keys: int, causal: bool) -> int:
    """Scores of one head that the CPU's flash kernel works out.

    It goes by blocks of 32, 64 or 256 queries and 512 keys, and of a causal mask skips only blocks that
    are masked whole: nothing up to 512 keys (ATen/native/cpu/FlashAttentionKernel.cpp).
    """
    block = 256 if queries >= 768 else 64 if queries >= 192 else 32
    found = 0
    for first in range(0, queries, block):
        rows = min(block, queries - first)
        seen = min(first + rows, keys) if causal else keys
        found += rows * min(-(-seen // 512) * 512, keys)
    return found


def _skips(counter: Any, call: Any, position: int) -> bool:
    """Whether a causal mask may save work: said of the CPU's kernel alone."""
    if "for_cpu" in call.name:
        return bool(call.get(position, "is_causal", False))
    counter.note(f"{call.name}: counted in full, whatever a mask lets the kernel skip")
    return False


def attention(counter: Any, call: Any) -> None:
    """Scores, scaled; softmax of them, undivided; times the values, over the sums."""
    q, k, v = call.args[:3]
    causal = _skips(counter, call, 4)
    heads, queries, keys = prod(q.shape[:2]), q.shape[-2], k.shape[-2]
    done = heads * scores(queries, keys, causal)
    flops = sdpa_flop_count(q.shape, k.shape, v.shape) * done // max(1, heads * queries * keys)
    masked = call.kwargs.get("attn_mask") is not None
    counter.operate(q.dtype, flops // 2, flops // 2)
    counter.each(q.dtype, done, plus("exp", (3 + masked, 1)))
    counter.operate(q.dtype, 0, heads * queries * v.shape[-1])
    counter.each(q.dtype, heads * queries, plus("reciprocal", "log", (1, 0)))


def attention_backward(counter: Any, call: Any) -> None:
    """The scores once more, and four products with them; sums of gradient times output."""
    grad, q, k, v = call.args[:4]
    causal = _skips(counter, call, 7)
    heads, queries, keys = prod(q.shape[:2]), q.shape[-2], k.shape[-2]
    done = heads * scores(queries, keys, causal)
    flops = sdpa_backward_flop_count(grad.shape, q.shape, k.shape, v.shape)
    flops = flops * done // max(1, heads * queries * keys)
    counter.operate(q.dtype, flops // 2, flops // 2)
    counter.each(q.dtype, done, plus("exp", (2, 2)))
    counter.operate(q.dtype, grad.numel(), grad.numel())


def dropout(counter: Any, call: Any) -> None:
    x = call.results[0]
    counter.random(torch.int32, x.dtype, x.numel(), 4, "bit")
    counter.operate(x.dtype, 0, 2 * x.numel())


def adam(counter: Any, call: Any) -> tuple[int, int]:
    """Two running means, bias corrections, and the step; read: parameter, gradient, means."""
    decay, amsgrad = call.kwargs["weight_decay"] != 0, call.kwargs["amsgrad"]
    decoupled = "adamw" in call.name
    each = plus("sqrt", "div", "div", (5 + amsgrad, 5))
    if decay:
        each = plus(each, (0, 1) if decoupled else (1, 1))
    for x in call.args[0]:
        counter.each(x.dtype, x.numel(), each)
    parameters, gradients, *state = call.args[:5]
    own = sum(size(x) for y in (parameters, *state) for x in y)
    return own + sum(size(x) for x in (*gradients, *call.args[5])), own


def sgd(counter: Any, call: Any) -> tuple[int, int]:
    decay, momentum = call.kwargs["weight_decay"] != 0, call.kwargs["momentum"] != 0
    nesterov = bool(call.kwargs["nesterov"])
    each = 1 + decay + nesterov
    for x in call.args[0]:
        counter.each(x.dtype, x.numel(), (each + momentum, each + 2 * momentum))
    own = sum(size(x) for y in (call.args[0], call.args[2]) for x in y)
    return own + sum(size(x) for x in call.args[1]), own


NETS: dict[str, Rule] = {
    **dict.fromkeys(("gelu", "gelu_backward"), gelu),
    **dict.fromkeys(("_softmax", "_safe_softmax", "_log_softmax"), softmax),
    **dict.fromkeys(("_softmax_backward_data", "_log_softmax_backward_data"), softmax_backward),
    **dict.fromkeys(("nll_loss_forward", "nll_loss2d_forward"), nll),
    **dict.fromkeys(("nll_loss_backward", "nll_loss2d_backward"), nll_backward),
    **dict.fromkeys(("native_layer_norm", "native_group_norm", "native_batch_norm"), layer_norm),
    "_native_batch_norm_legit": layer_norm,
    "native_layer_norm_backward": layer_norm_backward,
    **{
        f"_scaled_dot_product_{kind}{way}": rule
        for kind in ("flash_attention_for_cpu", *OTHER_KERNELS)
        for way, rule in (("", attention), ("_backward", attention_backward))
    },
    "native_dropout": dropout,
    **dict.fromkeys(("_fused_adam_", "_fused_adamw_"), adam),
    "_fused_sgd_": sgd,
}
