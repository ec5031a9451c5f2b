"""Two independent ways to see what a kernel does, for the proof that what it counts of itself is right.

Accesses: the kernel's text, unoptimised, compiled as for ThreadSanitizer, whose calls `accesses.cpp`
supplies: every access of the source to an array is counted, with its bytes. Operations: hypercell's text
with integers that count what is done with them (`instrumented.h`). Neither knows of the kernel's own
counts, which are nothing in these builds.
"""

from __future__ import annotations

import ctypes
import re
import subprocess
import tempfile
from collections.abc import Generator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from algorithms.hypercell.biology import KERNEL, Biology
from tasks.native import build, compilers

HERE = Path(__file__).parent
gcc = pytest.mark.skipif(
    "g++" not in Path(compilers.find().command[0]).resolve().name,
    reason="the instrument needs GCC: clang leaves out accesses to vectors",
)
BLOCKS = """
extern "C" void *seen_memset(void *, int, unsigned long);
extern "C" void *seen_memcpy(void *, const void *, unsigned long);
#define __builtin_memset seen_memset
#define __builtin_memcpy seen_memcpy
"""


@cache
def with_accesses(source: str, name: str) -> ctypes.CDLL:
    """A library that counts accesses to the arrays that `watch` names."""
    command = [*compilers.find().command, "-std=c++17", "-fPIC", "-march=native"]
    # -O0: no access of the source is left out. Without exceptions: nobody needs their tables.
    flags = ["-O0", "-fsanitize=thread", "-fno-exceptions", "-fno-rtti", "-fno-strict-aliasing"]
    hooks = str(HERE / "accesses.cpp")
    with tempfile.TemporaryDirectory(prefix="joulebench-accesses-") as folder:
        text, part, library = (Path(folder, f"{name}{end}") for end in (".cpp", ".o", ".so"))
        text.write_text(BLOCKS + source, encoding="utf-8")
        subprocess.run([*command, *flags, "-c", "-o", str(part), str(text)], check=True)
        link = [*command, "-O1", "-shared", "-o", str(library), hooks, str(part)]
        subprocess.run(link, check=True)
        lib = ctypes.CDLL(str(library))
    lib.watch.argtypes, lib.watch.restype = [ctypes.c_void_p, ctypes.c_uint64], None
    return lib


def watch(lib: ctypes.CDLL, *arrays: np.ndarray) -> None:
    """Accesses to these arrays, and no others, are counted from now on."""
    lib.unwatch()
    for array in arrays:
        lib.watch(array.ctypes.data, array.nbytes)


def accesses(lib: ctypes.CDLL) -> tuple[int, int]:
    """(bytes read, bytes written) since the last time."""
    return _two(lib.take_accesses)


def with_operations(biology: Biology) -> Path:
    """A biology's kernel whose `run` and `champion` count operations; `operations` tells them."""
    source = biology.source("cpu")
    prelude, host = ((KERNEL / f"{part}.h").read_text() for part in ("prelude", "cpu"))
    assert source.count(prelude) == source.count(host) == 1
    head, rest = source[: source.index(host)].split(prelude)
    rest = re.sub(r"for \((u32|u64|i32|i64) ([^;]+);", _loop, rest)
    rest = re.sub(r"([?:]) ([-~]?\d+u?)(?= :|[;,)])", r"\1 Literal{\2}", rest)
    types, driver = ((HERE / f"instrumented.{end}").read_text() for end in ("h", "cpp"))
    return build.library(head + types + rest + driver, "instrumented")


def _loop(found: re.Match[str]) -> str:
    """The head of a loop over integers, over `Loop` instead."""
    kind = f"Loop<Raw<{found[1]}>::type>"
    counters = [re.sub(r"(\w+) = (.+)", rf"\1 = {kind}(\2)", c) for c in found[2].split(", ")]
    return f"for ({kind} {', '.join(counters)};"


def operations(lib: ctypes.CDLL) -> tuple[int, int]:
    """(additions, multiplications) since the last time."""
    return _two(lib.take_operations)


def _two(take: object) -> tuple[int, int]:
    sums = (ctypes.c_uint64 * 2)()
    take(sums)  # type: ignore[operator]
    return sums[0], sums[1]


def ended(training: Generator[Any, Any, Any]) -> Any:
    """What a training returns."""
    while True:
        try:
            next(training)
        except StopIteration as end:
            return end.value


def bytes_of(told: dict[str, Any]) -> tuple[int, int]:
    """(bytes read, bytes written) of what `Algorithm.counts` says."""
    return told["read_bytes"], told["written_bytes"]
