"""The simulator's kernels on a GPU: compiled without one, run in emulation, and on one that is there."""

from __future__ import annotations

import ctypes
import importlib.util
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tasks.automaton import bits, cuda, oracle, program, simulator
from tasks.automaton.rules import AutomatonError, parse_rule, radius_of
from tasks.automaton.synthesis import synthesised
from tasks.native import build
from tasks.native.memory import aligned
from tasks.native.nvrtc import Cubin

NVRTC = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("cuda", "nvidia")),
    reason="cuda-core is not installed: pip install 'joulebench[cuda]'",
)
RNG = np.random.default_rng(0)
RULES = {
    "gkl": parse_rule("gkl"),
    "random": RNG.integers(0, 2, 128).astype(np.uint8),
    "radius 2": RNG.integers(0, 2, 32).astype(np.uint8),
    "radius 1": RNG.integers(0, 2, 8).astype(np.uint8),
}


def no_gpu() -> str:
    """Why there is none; empty where there is one."""
    try:
        cuda.Gpu()
    except AutomatonError as error:
        return str(error)
    return ""


GPU = pytest.mark.skipif(bool(no_gpu()), reason=f"needs a CUDA device: {no_gpu()}")


@NVRTC
@pytest.mark.parametrize("name", RULES)
def test_compiles_for_an_h200_without_spills(name: str) -> None:
    table = RULES[name]
    kernels = cuda.rule_cubin(table.tobytes(), "sm_90").kernels
    assert set(kernels) == {"near", "far"}
    for takes in kernels.values():
        assert takes.spill_stores_bytes == takes.spill_loads_bytes == takes.stack_bytes == 0
        assert takes.registers <= 64, takes
    kernels = cuda.data_cubin(radius_of(table), 149, "sm_90").kernels
    assert set(kernels) == {"by_data"} and kernels["by_data"].spill_stores_bytes == 0


SHIM = """
#define __CUDACC__
#define __device__
#define __global__
#define __shared__
#define __forceinline__ inline
#define __popcll __builtin_popcountll
struct Dim { unsigned x; };
static thread_local Dim threadIdx, blockIdx, blockDim;
"""
# Threads one after the other: these kernels have no barriers. What is shared is of `rows`.
PLAY = {
    "by_data": """
extern "C" void play_by_data(u32 block, u32 thread, u32 threads, void **a) {
  blockIdx.x = block, threadIdx.x = thread, blockDim.x = threads;
  by_data((u32 *)a[0], (u64 *)a[1], (u64 *)a[2], (u64)a[3], (u64)a[4], (u64 *)a[5]);
}
""",
    "near": """
Words rows[48 << 10];
#define PLAY(name) extern "C" void play_##name(u32 block, u32 thread, u32 threads, void **a) { \\
  blockIdx.x = block, threadIdx.x = thread, blockDim.x = threads; \\
  name((Words *)a[0], (Words *)a[1], (u64)a[2], (u64)a[3], (u64)a[4], (u64)a[5]); \\
}
PLAY(near) PLAY(far)
""",
}
called: list[str] = []


@pytest.fixture
def emulated(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `cuda.Gpu` asks of cuda-core and the driver, done by a CPU with the kernels' CUDA text."""

    class Device:
        arch = "90"

        def __init__(self, ordinal: int) -> None:
            assert ordinal == 0

        def set_current(self) -> None:
            pass

        def create_stream(self) -> Any:
            return SimpleNamespace(handle=0, sync=lambda: None)

        def allocate(self, size: int, stream: Any) -> Any:
            memory = aligned(size)
            memory[:] = 0xA5  # nobody may count on zeros
            return SimpleNamespace(handle=memory.ctypes.data, memory=memory)

    def code(text: bytes) -> Any:
        first = "near" if b" near(" in text else "by_data"
        whole = SHIM + text.decode() + PLAY[first]
        library = build.opened(build.library(whole, "automaton-emulated"))
        return SimpleNamespace(get_kernel=lambda name: (name, getattr(library, f"play_{name}")))

    def launch(stream: Any, config: Any, kernel: Any, *arguments: Any) -> None:
        name, play = kernel
        called.append(name)
        values = [getattr(a, "value", a) for a in arguments]
        packed = (ctypes.c_void_p * len(values))(*values)
        for block in range(config.grid):
            for thread in reversed(range(config.block)):
                play(block, thread, config.block, packed)

    def copy(to: int, source: int, size: int, stream: Any) -> tuple[int]:
        ctypes.memmove(to, source, size)
        return (0,)

    core, bindings = ModuleType("cuda.core"), ModuleType("cuda.bindings")
    core.__dict__.update(
        Device=Device,
        LaunchConfig=SimpleNamespace,
        ObjectCode=SimpleNamespace(from_cubin=code),
        launch=launch,
    )
    bindings.__dict__["driver"] = SimpleNamespace(
        CUresult=SimpleNamespace(CUDA_SUCCESS=0), cuMemcpyHtoDAsync=copy, cuMemcpyDtoHAsync=copy
    )
    for module in (ModuleType("cuda"), core, bindings):
        monkeypatch.setitem(sys.modules, module.__name__, module)

    def rule(table: bytes, arch: str) -> Cubin:
        values = np.frombuffer(table, np.uint8)
        return Cubin(program.source(values, synthesised(values), cuda=True).encode(), {})

    def data(radius: int, width: int, arch: str) -> Cubin:
        return Cubin(simulator.data_source(radius, width, "data_cuda.h").encode(), {})

    monkeypatch.setattr(cuda, "rule_cubin", rule)
    monkeypatch.setattr(cuda, "data_cubin", data)


def agree(table: np.ndarray, width: int, m: int, steps: int) -> None:
    """By both kernels, as the definition says."""
    state = bits.uniform_density(np.random.default_rng(m), m, width)
    wanted = oracle.run(table, bits.unpack(state, m), steps)
    gpu = cuda.Gpu()
    for whole in (False, True):
        got = gpu.compiled(table, state, steps, whole=whole)
        assert (bits.unpack(got, m) == wanted).all()
    assert (bits.unpack(gpu.data(table, state, steps), m) == wanted).all()


CASES = [("gkl", 149, 2100, 60), ("random", 149, 100, 21), ("random", 401, 70, 9)]
CASES += [("radius 2", 31, 1, 17), ("radius 1", 3, 130, 40), ("gkl", 7, 65, 0)]


@pytest.mark.parametrize(("name", "width", "m", "steps"), CASES)
def test_the_kernels_in_emulation_do_what_the_definition_says(
    emulated: None, name: str, width: int, m: int, steps: int
) -> None:
    called.clear()
    agree(RULES[name], width, m, steps)
    compiled = "far" if width > 384 else "near"
    assert called == [compiled, compiled, "by_data"]


@pytest.mark.gpu
@GPU
@pytest.mark.parametrize(("name", "width", "m", "steps"), CASES)
def test_the_kernels_on_a_gpu_do_what_the_definition_says(
    name: str, width: int, m: int, steps: int
) -> None:
    agree(RULES[name], width, m, steps)


def test_without_cuda_core_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cuda.core", None)
    with pytest.raises(AutomatonError, match=r"pip install 'joulebench\[cuda\]'"):
        cuda.Gpu()
