"""A GPU that is not there: what `algorithms.hypercell.cuda` asks of cuda-core, done by a CPU.

Device memory is memory of the host, a launch runs the kernel's CUDA text as `emulated.h` makes it run. So
all is executed but the GPU's own instructions and its memory model.
"""

from __future__ import annotations

import ctypes
import random
import sys
import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from algorithms.hypercell import cuda
from algorithms.hypercell.biology import KERNEL
from tasks.native import build
from tasks.native.memory import aligned
from tasks.native.nvrtc import Cubin, Resources

SHIM = Path(__file__).with_name("emulated.h")
WARP, BLOCK = 4, 8  # threads; WARP is the shim's


@dataclass
class Gpu:
    """What kind of one it is, and what it has done."""

    multiprocessors: int = 2
    each: int = 1  # blocks that a multiprocessor runs at once
    memory: int = 1 << 30
    seed: int = 0
    launches: int = 0


def install(monkeypatch: pytest.MonkeyPatch, gpu: Gpu) -> None:
    """Puts it where cuda-core and the driver would be."""
    luck = random.Random(gpu.seed)

    class Device:
        arch, name = "90", "emulation"
        properties = SimpleNamespace(multiprocessor_count=gpu.multiprocessors)

        def __init__(self, ordinal: int = 0) -> None:
            assert ordinal == 0

        def set_current(self) -> None:
            pass

        def create_stream(self) -> Any:
            return SimpleNamespace(handle=0, sync=lambda: None)

        def allocate(self, size: int, stream: Any) -> Any:
            memory = aligned(size)
            memory[:] = 0xA5  # nobody may count on zeros
            return SimpleNamespace(handle=memory.ctypes.data, size=size, memory=memory)

    def launch(stream: Any, config: Any, kernel: Any, at: int, *ticks: ctypes.c_uint32) -> None:
        gpu.launches += 1
        words = [tick.value for tick in ticks]
        start, end = (0, *words) if kernel.name == "persistent" else words

        def play(index: int, seed: int) -> None:
            cooperative = kernel.name == "persistent"
            arguments = (at, start, end, cooperative, index, config.grid, config.block, seed)
            if not kernel.play(*arguments):
                failures.append(index)

        work = [(index, luck.getrandbits(32)) for index in range(config.grid)]
        luck.shuffle(work)
        failures: list[int] = []
        if not config.is_cooperative:
            for index, seed in work:
                play(index, seed)
        else:  # all of them at once
            assert kernel.name == "persistent" and config.grid <= gpu.multiprocessors * gpu.each
            blocks = [threading.Thread(target=play, args=one, daemon=True) for one in work]
            for block in blocks:
                block.start()
            for block in blocks:
                block.join(60)
                assert not block.is_alive(), "a block waits for ever"
        assert not failures, f"threads of blocks {failures} wait at different barriers"

    def copy(to: int, source: int, size: int, stream: Any) -> tuple[int]:
        ctypes.memmove(to, source, size)
        return (0,)

    core, bindings = ModuleType("cuda.core"), ModuleType("cuda.bindings")
    core.__dict__.update(
        Device=Device,
        LaunchConfig=SimpleNamespace,
        ObjectCode=SimpleNamespace(from_cubin=lambda code: Code(code.decode(), gpu)),
        launch=launch,
    )
    bindings.__dict__["driver"] = SimpleNamespace(
        CUresult=SimpleNamespace(CUDA_SUCCESS=0),
        cuMemGetInfo=lambda: (0, gpu.memory, gpu.memory),
        cuMemcpyHtoDAsync=copy,
        cuMemcpyDtoHAsync=copy,
    )
    for module in (ModuleType("cuda"), core, bindings):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(cuda, "compiled", lambda source, arch: Cubin(source.encode(), KERNELS))
    monkeypatch.setattr(cuda, "WARP", WARP)
    monkeypatch.setattr(cuda, "BLOCK", BLOCK)


KERNELS = {name: Resources(0, 0, 0, 0, 0) for name in ("epoch", "persistent")}


class Code:
    """A module, and its kernels by name."""

    def __init__(self, source: str, gpu: Gpu) -> None:
        self.play, self.each = library(source).play, gpu.each

    def get_kernel(self, name: str) -> Any:
        occupancy = SimpleNamespace(
            max_active_blocks_per_multiprocessor=lambda threads, shared: self.each
        )
        return SimpleNamespace(name=name, play=self.play, occupancy=occupancy)


@cache
def library(source: str) -> ctypes.CDLL:
    """The CUDA text of a kernel as a library for the CPU, and `light_cone` to be called."""
    text = (
        SHIM.read_text()
        + source
        + (KERNEL / "cpu.h").read_text()  # what a biology does on the host may call it
        + 'extern "C" u32 cone(const Space *s, i64 tile, u32 until)'
        + " { return light_cone(*s, tile, until); }\n"
    )
    lib = ctypes.CDLL(str(build.library(text, "emulated")))
    address, word = ctypes.c_void_p, ctypes.c_uint32
    lib.play.argtypes = [address, word, word, ctypes.c_bool, word, word, word, word]
    lib.play.restype = ctypes.c_bool
    lib.cone.argtypes, lib.cone.restype = [address, ctypes.c_int64, word], word
    return lib
