"""The simulator's kernels on a GPU, to the same bits: a rule compiled for it, and a rule as data."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import numpy as np

from tasks.automaton import program, simulator
from tasks.automaton.bits import check_state
from tasks.automaton.rules import (
    AutomatonError,
    check_steps,
    check_table,
    check_width,
    radius_of,
)
from tasks.automaton.synthesis import synthesised
from tasks.native.nvrtc import Cubin, compile_cuda

BLOCK = 32  # threads
SHARED = 48 << 10  # bytes of a block, without asking for more


class Gpu:
    """One CUDA device. Raises AutomatonError where there is none, BuildError without NVRTC."""

    def __init__(self, ordinal: int = 0) -> None:
        try:
            from cuda.core import Device
        except ImportError as error:
            raise AutomatonError(
                f"simulating on a GPU needs cuda-core ({error}): pip install 'joulebench[cuda]'"
            ) from None
        try:
            self.device: Any = Device(ordinal)
            self.device.set_current()
            self.stream: Any = self.device.create_stream()
        except (
            Exception
        ) as error:  # cuda.core documents no type: no driver, no GPU, no such ordinal
            reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise AutomatonError(
                f"no GPU {ordinal} that CUDA can use ({reason}): check nvidia-smi, or simulate on "
                "the CPU"
            ) from None

    def compiled(
        self, table: np.ndarray, state: np.ndarray, steps: int, *, whole: bool = False
    ) -> np.ndarray:
        """The state uint64 [width, words] after `steps` steps, by code made for the rule."""
        table, state, steps = _checked(table, state, steps)
        width, columns = len(state), 2 * state.shape[1]  # of 32 configurations
        shared = 4 * BLOCK * width
        name, shared = ("near", shared) if shared <= SHARED else ("far", 0)
        cubin = rule_cubin(table.tobytes(), self.arch)
        numbers: list[Any] = [ctypes.c_uint64(columns), ctypes.c_uint64(width)]
        numbers += [ctypes.c_uint32(steps), ctypes.c_uint32(whole)]
        return self._run(cubin, name, [], state, numbers, [], columns, shared)

    def data(self, table: np.ndarray, state: np.ndarray, steps: int) -> np.ndarray:
        """The same by the rule as data."""
        table, state, steps = _checked(table, state, steps)
        width, words = state.shape
        cubin = data_cubin(radius_of(table), width, self.arch)
        numbers: list[Any] = [ctypes.c_uint64(words), ctypes.c_uint32(steps)]
        rule = simulator.table_words(table[None])
        rows = words * simulator.row_bytes(radius_of(table), width)
        return self._run(cubin, "by_data", [rule], state, numbers, [rows], words, 0)

    @property
    def arch(self) -> str:
        return f"sm_{self.device.arch}"

    def _run(
        self,
        cubin: Cubin,
        name: str,
        before: list[np.ndarray],
        state: np.ndarray,
        numbers: list[Any],
        scratch: list[int],
        threads: int,
        shared: int,
    ) -> np.ndarray:
        """Calls kernel(*before, state, result, *numbers, *scratch) on copies in the device's memory."""
        from cuda.bindings import driver
        from cuda.core import LaunchConfig, ObjectCode, launch

        kernel = ObjectCode.from_cubin(cubin.code).get_kernel(name)
        given = [*before, state]
        buffers = [self.device.allocate(array.nbytes, stream=self.stream) for array in given]
        for buffer, array in zip(buffers, given, strict=True):
            to = int(buffer.handle)
            _check(driver.cuMemcpyHtoDAsync(to, array.ctypes.data, array.nbytes, self._handle))
        result = self.device.allocate(state.nbytes, stream=self.stream)
        rest = [self.device.allocate(size, stream=self.stream) for size in scratch]
        addresses = [[int(b.handle) for b in group] for group in ([*buffers, result], rest)]
        config = LaunchConfig(grid=-(-threads // BLOCK), block=BLOCK, shmem_size=shared)
        launch(self.stream, config, kernel, *addresses[0], *numbers, *addresses[1])
        after = np.empty_like(state)
        source = int(result.handle)
        _check(driver.cuMemcpyDtoHAsync(after.ctypes.data, source, after.nbytes, self._handle))
        self.stream.sync()
        return after

    @property
    def _handle(self) -> Any:
        return self.stream.handle


@cache
def rule_cubin(table: bytes, arch: str) -> Cubin:
    """Machine code for a rule table, made once per process."""
    values = np.frombuffer(table, np.uint8)
    return compile_cuda(program.source(values, synthesised(values), cuda=True), arch)


@cache
def data_cubin(radius: int, width: int, arch: str) -> Cubin:
    """Machine code for rules as data on rings of one width, made once per process."""
    return compile_cuda(simulator.data_source(radius, width, "data_cuda.h"), arch)


def _checked(
    table: np.ndarray, state: np.ndarray, steps: int
) -> tuple[np.ndarray, np.ndarray, int]:
    table, state = check_table(table), check_state(state)
    check_width(len(state), radius_of(table))
    return table, state, check_steps(steps)


def _check(outcome: tuple[Any, ...]) -> None:
    from cuda.bindings import driver

    if outcome[0] != driver.CUresult.CUDA_SUCCESS:
        raise RuntimeError(f"CUDA: {getattr(outcome[0], 'name', outcome[0])}")
