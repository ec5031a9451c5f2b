"""Counts of torch: single operations by hand, the GPT by a closed form, peaks, processes, bfloat16."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from algorithms.backprop_gpt import BackpropGPT
from algorithms.transformer import Transformer
from metrics.counts import EXPENSIVE
from tasks.sequence import SequenceSpec

torch = pytest.importorskip("torch", reason="needs PyTorch")

from metrics.count_torch import TorchCounter  # noqa: E402
from metrics.count_torch_nets import scores  # noqa: E402

ROOT = Path(__file__).parent.parent
PYTHON = "python code is not counted"
GPT: dict[str, Any] = {
    "n_layer": 2, "n_head": 2, "n_embd": 16, "block_size": 8, "batch_size": 4, "max_iters": 1,
    "device": "cpu",
}  # fmt: skip


class ByName(TorchCounter):
    """Keeps (type, additions, multiplications) by operation as well."""

    def __init__(self) -> None:
        super().__init__()
        self.by_name: dict[str, Counter[str]] = {}

    def _count(self, plan: Any, call: Any) -> None:
        before = {key: tuple(value) for key, value in self._sums.items()}
        super()._count(plan, call)
        found = self.by_name.setdefault(call.name, Counter())
        found["calls"] += 1
        for dtype, (adds, muls) in self._sums.items():
            had = before.get(dtype, (0, 0))
            found[f"{dtype} add"] += adds - had[0]
            found[f"{dtype} mul"] += muls - had[1]


def text_of(length: int = 600, symbols: int = 12) -> np.ndarray:
    return np.random.default_rng(0).integers(97, 97 + symbols, length).astype(np.uint8)


def trained(algorithm: Any, text: np.ndarray, counter: Any) -> Any:
    """The predictor of a training under a counter, or under none."""
    algorithm.prepare(SequenceSpec(len(text), segment=32, lanes=4, seed=0))
    training = algorithm.train({"text": text})
    with counter:
        while True:
            try:
                next(training)
            except StopIteration as end:
                return end.value


def counted(function: Callable[..., Any], *args: Any) -> dict[str, Any]:
    with TorchCounter() as counter:
        function(*args)
    return counter.tally.told()


def cost(name: str, times: int) -> tuple[int, int]:
    return EXPENSIVE[name][0] * times, EXPENSIVE[name][1] * times


E2, D2 = cost("exp", 6), cost("div", 6)
T = torch.ones
LONG = torch.tensor([0, 2, 2, 1])
# what is done to what, additions and multiplications of float32, others, bytes read and written
CASES: dict[str, tuple[Callable[..., Any], list[Any], tuple[int, int], dict[str, int], int, int]] = {
    "add": (torch.add, [T(2, 3), T(2, 3)], (6, 0), {}, 48, 24),
    "add with a factor": (lambda x, y: x.add(y, alpha=2), [T(6), T(6)], (6, 6), {}, 48, 24),
    "a number with itself": (lambda x: x * x, [T(6)], (0, 6), {}, 24, 24),
    "broadcast": (torch.add, [T(2, 3), T(3)], (6, 0), {}, 36, 24),
    "expanded": (lambda x: x.expand(100, 3) * 2, [T(3)], (0, 300), {}, 12, 1200),
    "in place": (lambda x, y: x.mul_(y), [T(6), T(6)], (0, 6), {}, 48, 24),
    "views": (lambda x: x.t().reshape(6)[1:4].view(3, 1).T.unbind(0), [T(3, 2)[:, :1].expand(3, 2)],
              (0, 0), {}, 12, 24),  # the reshape copies what it is given
    "fill": (lambda x: x.fill_(3.0), [T(6)], (0, 0), {}, 0, 24),
    "copy": (lambda x, y: x.copy_(y), [T(6), T(6)], (0, 0), {}, 24, 24),
    "to bfloat16": (lambda x: x.bfloat16(), [T(6)], (0, 0), {"bf16_add": 6}, 24, 12),
    "float64 is two": (lambda x: x + x, [T(6).double()], (12, 0), {}, 48, 48),
    "int64 is two": (lambda x: x * x, [LONG], (0, 0), {"int32_mul": 8}, 32, 32),
    "compare": (lambda x: x > 0, [T(6)], (6, 0), {}, 24, 6),
    "exp": (torch.exp, [T(2, 3)], E2, {}, 24, 24),
    "square": (lambda x: x**2, [T(6)], (0, 6), {}, 24, 24),
    "sum": (lambda x: x.sum(1), [T(2, 3)], (4, 0), {}, 24, 8),
    "mean": (lambda x: x.mean(), [T(2, 3)], (5 + cost("div", 1)[0], cost("div", 1)[1]), {}, 24, 4),
    "mm": (torch.mm, [T(2, 3), T(3, 5)], (30, 30), {}, 84, 40),
    "addmm": (torch.addmm, [T(5), T(2, 3), T(3, 5)], (40, 30), {}, 104, 40),
    "einsum": (lambda a, b: torch.einsum("bij,bjk->bik", a, b), [T(4, 2, 3), T(4, 3, 5)],
               (120, 120), {}, 336, 160),
    "mv": (torch.mv, [T(2, 3), T(3)], (6, 6), {}, 36, 8),
    "index": (lambda x, i: x[i], [T(9, 5), LONG], (0, 0), {}, 32 + 80, 80),
    "embedding": (torch.nn.functional.embedding, [LONG, T(9, 5)], (0, 0), {}, 32 + 80, 80),
    "index_add_": (lambda x, i, y: x.index_add_(0, i, y), [T(9, 5), LONG, T(4, 5)], (20, 0), {},
                   32 + 80 + 80, 80),
    "index put": (lambda x, i: x.__setitem__(i, 0.0), [T(9, 5), LONG], (0, 0), {}, 32 + 4, 80),
    "scatter_add": (lambda x, i, y: x.scatter_add(0, i, y), [T(9), LONG, T(4)], (4, 0), {},
                    32 + 16 + 16 + 36, 16 + 36),
    "sort": (lambda x: x.sort(), [T(2, 8)], (48, 0), {}, 64, 64 + 128),
    "topk": (lambda x: x.topk(4), [T(2, 8)], (32, 0), {}, 64, 32 + 64),
    "softmax": (lambda x: x.softmax(-1), [T(2, 3)], (E2[0] + D2[0] + 18, E2[1] + D2[1]), {}, 24, 24),
    "cat": (lambda x, y: torch.cat([x, y]), [T(6), T(3)], (0, 0), {}, 36, 36),
    "foreach": (lambda x, y: torch._foreach_add_([x, y], 1.0), [T(6), T(3)], (9, 0), {}, 36, 36),
    "item": (lambda x: x.item(), [T(1)], (0, 0), {}, 4, 0),
    "conv2d": (torch.nn.functional.conv2d, [T(1, 2, 5, 5), T(3, 2, 3, 3), T(3)],
               (9 * 3 * 18 + 27, 9 * 3 * 18), {}, 200 + 216 + 12, 108),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_counts_by_hand(case: str) -> None:
    function, args, (adds, muls), others, read, written = CASES[case]
    found = counted(function, *args)
    expected = {"fp32_add": adds, "fp32_mul": muls} | others
    assert found["operations"] == {kind: n for kind, n in expected.items() if n}
    assert (found["read_bytes"], found["written_bytes"]) == (read, written)
    assert found["notes"] == [PYTHON]


def test_an_operation_without_a_rule_is_counted_and_named() -> None:
    found = counted(torch.special.i0, T(6))
    assert found["operations"] == {"fp32_add": 6}
    assert (found["read_bytes"], found["written_bytes"]) == (24, 24)
    assert found["notes"] == ["i0: no rule, counted as one addition per result", PYTHON]


def test_cpu_attention_skips_only_blocks_of_512_keys() -> None:
    """As torch's kernel does; a causal mask within a block saves nothing."""
    assert scores(64, 64, causal=True) == scores(64, 64, causal=False) == 64 * 64
    assert scores(512, 512, causal=True) == 512 * 512
    assert scores(1024, 1024, causal=True) == 512 * 512 + 512 * 1024
    assert scores(1, 700, causal=False) == 700


def gpt_step(**fields: Any) -> ByName:
    counter = ByName()
    trained(BackpropGPT(**{**GPT, **fields}), text_of(), counter)
    return counter


def test_gpt_step_is_6_n_per_token_and_its_attention() -> None:
    """Forward and backward: 2 N and 4 N operations per token of the N weights of linear maps."""
    counter = gpt_step()
    L, C, T, B, V = 2, 16, 8, 4, 12
    weights = L * 12 * C * C + V * C
    mm = counter.by_name["mm"]
    assert mm["torch.float32 add"] == mm["torch.float32 mul"] == 3 * weights * B * T
    forward = counter.by_name["_scaled_dot_product_flash_attention_for_cpu"]
    backward = counter.by_name["_scaled_dot_product_flash_attention_for_cpu_backward"]
    done = L * B * T * T  # scores of all heads are C / heads wide each
    heads = 2
    exps = heads * done * EXPENSIVE["exp"][1]
    rows = heads * L * B * T * (EXPENSIVE["reciprocal"][1] + EXPENSIVE["log"][1])
    scale, quotient = heads * done, L * B * T * C
    assert forward["torch.float32 mul"] == 2 * done * C + exps + scale + quotient + rows
    assert backward["torch.float32 mul"] == 5 * done * C + exps + 2 * scale + quotient
    assert counter.by_name["embedding"]["torch.float32 add"] == 0
    adam = counter.by_name["_fused_adamw_"]
    parameters = V * C + T * C + L * 12 * C * C
    norms = (2 * L + 1) * C
    each = EXPENSIVE["sqrt"][1] + 2 * EXPENSIVE["div"][1] + 5
    assert adam["torch.float32 mul"] == (parameters + norms) * each + parameters
    assert counter.tally.notes == [PYTHON]


def test_linear_maps_agree_with_torchs_own_counter() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    theirs = FlopCounterMode(display=False)
    trained(BackpropGPT(**GPT), text_of(), theirs)
    mm = gpt_step().by_name["mm"]
    counts = theirs.get_flop_counts()["Global"]
    assert counts[torch.ops.aten.mm] == mm["torch.float32 add"] + mm["torch.float32 mul"]


def test_bfloat16_has_the_same_products_in_its_own_kind() -> None:
    exact, coarse = gpt_step().by_name["mm"], gpt_step(dtype="bfloat16").by_name["mm"]
    assert coarse["torch.bfloat16 mul"] == exact["torch.float32 mul"]
    assert coarse["torch.float32 mul"] == 0


@pytest.mark.parametrize(
    "algorithm",
    [
        BackpropGPT(**{**GPT, "max_iters": 3, "dropout": 0.1}),
        BackpropGPT(**{**GPT, "dtype": "bfloat16", "dropout": 0.1, "adapt": True}),
        Transformer(n_embd=16, block_size=16, first_block=8, device="cpu"),
        Transformer(n_embd=16, block_size=16, first_block=8, device="cpu", bf16=True, tied=True,
                    adapt=True, adapt_every=2),
    ],
)  # fmt: skip
def test_all_operations_have_rules_and_results_stay_the_same(algorithm: Any) -> None:
    """In training, and in predicting, which is in inference mode: operations come whole there."""
    import contextlib

    text = text_of()

    def predictions(predictor: Any) -> np.ndarray:
        predictor.reset(4)
        found = []
        for i in range(10):
            predictor.observe(text[4 * i : 4 * i + 4])
            found.append(predictor.predict())
        return np.stack(found)

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        expected = predictions(trained(algorithm, text, contextlib.nullcontext()))
        training, predicting = TorchCounter(), TorchCounter()
        predictor = trained(algorithm, text, training)
        with predicting:
            found = predictions(predictor)
    finally:
        torch.set_num_threads(threads)
    np.testing.assert_array_equal(found, expected)
    for counter in (training, predicting):
        assert counter.tally.notes == [PYTHON]
        assert counter.tally.operations and counter.tally.peak_bytes


def test_torch_and_numpy_are_counted_side_by_side() -> None:
    """The transformer's contexts are numpy's, the rest is torch's; neither counts the other's work."""
    from metrics.count_numpy import NumpyCounter

    algorithm = Transformer(n_embd=16, block_size=16, first_block=8, device="cpu")
    alone, tensors, arrays = TorchCounter(), TorchCounter(), NumpyCounter()
    text = text_of()
    trained(algorithm, text, alone)
    with arrays:
        trained(algorithm, arrays.wrap(text), tensors)
    assert tensors.tally.told() == alone.tally.told()
    assert arrays.tally.how == {"numpy"}
    assert arrays.tally.operations["int32_mul"] > 0


def test_inference_mode_counts_what_no_grad_counts() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.GELU(), torch.nn.LayerNorm(7))

    def run(mode: Any) -> None:
        with mode:
            model(T(3, 5)).log_softmax(-1).argmax()

    assert counted(run, torch.inference_mode()) == counted(run, torch.no_grad())


def test_peak_is_of_memory_alive_at_once() -> None:
    def run() -> None:
        x = torch.zeros(1000)  # 4000 bytes
        for _ in range(5):
            x = x[:500].repeat(2) + 1  # a copy and a sum, 8000 bytes more for a moment
        del x
        y = torch.zeros(100)
        y.view(10, 10).t().sum()

    assert counted(run)["peak_bytes"] == 12000


def test_peak_has_what_autograd_keeps_and_what_was_there_before() -> None:
    weight = T(1000, requires_grad=True)

    def run() -> None:
        x = weight
        for _ in range(3):
            x = x.exp()  # all three results are kept for the backward pass
        x.sum().backward()

    forward = 4000 + 3 * 4000 + 4
    # backward: ones, and for a moment a gradient beside the one before
    found = counted(run)["peak_bytes"]
    assert forward < found <= forward + 4 + 2 * 4000
    assert weight.grad is not None


def test_memory_grows_and_goes() -> None:
    def run() -> None:
        x = torch.empty(10)
        x.resize_(1000)
        x.zero_()

    assert counted(run)["peak_bytes"] == 4000


def test_compiled_functions_are_run_as_they_are_written() -> None:
    function = torch.compile(lambda x: (x * 2 + 1).sum(), backend="eager")
    assert counted(function, T(6))["operations"] == {"fp32_add": 11, "fp32_mul": 6}


def test_leaves_the_collector_as_it_was() -> None:
    for switch in (gc.enable, gc.disable):
        switch()
        before = gc.isenabled()
        counted(torch.add, T(2), T(2))
        assert gc.isenabled() is before
    gc.enable()


RUN = """
import sys, json
import torch
torch.set_num_threads(1)
from tests.test_count_torch import BackpropGPT, GPT, TorchCounter, Transformer, text_of, trained
for algorithm in (
    BackpropGPT(**{**GPT, "max_iters": 3}),
    Transformer(n_embd=16, block_size=16, first_block=8, device="cpu"),
):
    counter = TorchCounter()
    trained(algorithm, text_of(), counter)
    print(json.dumps(counter.tally.told()))
"""


def test_equal_counts_in_two_processes() -> None:
    done = [
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed, code in (("1", RUN), ("2", "import this\nx = [[] for _ in range(12345)]" + RUN))
    ]
    lines = [[line for line in out.splitlines() if line.startswith("{")] for out in done]
    assert len(lines[0]) == 2
    assert lines[0] == lines[1]
