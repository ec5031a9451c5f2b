"""From the kernel's C++ to a cubin, by NVRTC: no GPU, driver or CUDA toolkit is needed for that."""

from __future__ import annotations

import hashlib
import io
import re
from dataclasses import dataclass

from tasks.native.cache import kernels_folder
from tasks.native.errors import BuildError, failure

ENTRY = re.compile(r"Compiling entry function '([^']+)'")
REGISTERS = re.compile(r"Used (\d+) registers")
FRAME = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
STACK = re.compile(r"(\d+) bytes cumulative stack size")
SHARED = re.compile(r"(\d+)(?:\+\d+)? bytes smem")


@dataclass(frozen=True)
class Resources:
    """What ptxas says that one kernel takes, the functions it calls included.

    registers: of a thread. shared_bytes: of a block, declared in the source (not at launch).
    spill_*_bytes: of the instructions that move registers to memory and back for want of room, each
    counted once however often it runs.
    """

    registers: int
    spill_stores_bytes: int
    spill_loads_bytes: int
    stack_bytes: int
    shared_bytes: int


@dataclass(frozen=True)
class Cubin:
    """Machine code for one architecture, and what each of its kernels takes."""

    code: bytes
    kernels: dict[str, Resources]


def compile_cuda(source: str, arch: str = "sm_90") -> Cubin:
    """Compiles a complete CUDA C++ text that includes nothing."""
    try:
        from cuda.core import Program, ProgramOptions
        from cuda.pathfinder import load_nvidia_dynamic_lib

        load_nvidia_dynamic_lib("nvrtc")
    except (ImportError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise BuildError(
            f"CUDA's compiler is not installed ({reason}): pip install 'joulebench[cuda]'"
        ) from error
    log = io.StringIO()
    try:
        options = ProgramOptions(
            name="kernel.cu",
            arch=arch,
            std="c++17",
            ptxas_options=["-v"],
            no_cache=True,  # what comes from a cache comes without ptxas' figures
        )
        code = Program(source, "c++", options).compile("cubin", logs=log).code
    except Exception as error:  # of several kinds, all about the source or the options
        raise _failure(source, arch, f"{log.getvalue()}\n{error}") from error
    kernels = resources(log.getvalue())
    if not kernels:
        raise _failure(source, arch, "error: the source has no __global__ function")
    return Cubin(bytes(code), kernels)


def resources(log: str) -> dict[str, Resources]:
    """Reads what `ptxas -v` prints: after each entry come its figures and those of what it calls."""
    _, *words = ENTRY.split(log)
    found = {}
    for name, said in zip(words[::2], words[1::2], strict=True):
        frames = [tuple(map(int, frame)) for frame in FRAME.findall(said)]
        registers, stack, shared = (e.search(said) for e in (REGISTERS, STACK, SHARED))
        if registers is None or not frames:
            raise BuildError(f"NVRTC's ptxas says nothing readable of {name}: {said.strip()[:200]}")
        found[name] = Resources(
            registers=int(registers[1]),
            spill_stores_bytes=sum(stores for _, stores, _ in frames),
            spill_loads_bytes=sum(loads for _, _, loads in frames),
            stack_bytes=int(stack[1]) if stack else max(size for size, _, _ in frames),
            shared_bytes=int(shared[1]) if shared else 0,
        )
    return found


def _failure(source: str, arch: str, log: str) -> BuildError:
    key = hashlib.sha256(source.encode()).hexdigest()[:32]
    return failure(
        f"NVRTC could not compile the kernel for {arch}",
        log,
        f"nvrtc -arch={arch} -std=c++17 --ptxas-options=-v",
        source,
        kernels_folder() / "failed" / f"kernel-{key}.cu",
    )
