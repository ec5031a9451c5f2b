"""Which compiler builds the kernel for this machine's CPU, and with which flags."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tasks.native.errors import BuildError

NAMES = ("c++", "g++", "clang++")
FLAGS = (
    "-std=c++17",
    "-O3",
    "-fPIC",
    "-shared",
    "-fno-exceptions",
    "-fno-rtti",
    "-fno-strict-aliasing",  # an arena is words of 32 bits to the engine and what it likes to a biology
    "-fno-sanitize=undefined",  # zig's default is to trap
    "-g0",  # no paths in the library: equal sources give equal files
)
# Linking with zig's own C library would mean compiling parts of it first (4 s; C++'s, 68 s). The
# kernel needs of it memcpy and memset at most, which the Python that loads it has.
ZIG_FLAGS = ("-nostdlib",)
# What of /proc/cpuinfo a compiler's idea of the "native" CPU rests on: nothing that varies by boot.
CPU_FIELDS = {
    "vendor_id",
    "cpu family",
    "model",
    "model name",
    "stepping",
    "flags",
    "Features",
    "CPU implementer",
    "CPU architecture",
    "CPU variant",
    "CPU part",
    "cpu",
    "isa",
    "uarch",
}
NO_COMPILER = (
    "this algorithm needs a C++ compiler and finds none (c++, g++, clang++): install the system's "
    "(apt install g++; macOS: xcode-select --install), or pip install 'joulebench[compiler]', "
    "the ziglang wheel"
)


@dataclass(frozen=True)
class Compiler:
    """A command, the flags it wants, and what tells it from another version of itself.

    The identity is its real path, size and time of change: asking for its version would cost every
    start some milliseconds (zig's, 60). What that misses, a compiler exchanged behind a wrapper, is
    harmless: the library at hand is still that of the same source and flags.
    """

    command: tuple[str, ...]
    flags: tuple[str, ...]
    identity: str


def find() -> Compiler:
    """$CXX where it is set, or else the system's compiler, or else the ziglang wheel's."""
    chosen = os.environ.get("CXX", "").strip()
    if chosen:
        return _chosen(chosen)
    for name in NAMES:
        program = shutil.which(name)
        if program:
            return _compiler([program], Path(program))
    wheel = importlib.util.find_spec("ziglang")
    if wheel is None or wheel.origin is None:
        raise BuildError(NO_COMPILER)
    command = [sys.executable, "-P", "-m", "ziglang", "c++"]
    return _compiler(command, Path(wheel.origin).with_name("zig"))


def _chosen(chosen: str) -> Compiler:
    try:
        words = shlex.split(chosen)
    except ValueError as error:
        raise BuildError(f"CXX={chosen}: {error}") from None
    program = shutil.which(words[0])
    if program is None:
        raise BuildError(
            f"CXX={chosen}: there is no program {words[0]}; correct CXX, or unset it to use the "
            "system's compiler"
        )
    return _compiler([str(Path(program).absolute()), *words[1:]], Path(program))


def _compiler(command: list[str], program: Path) -> Compiler:
    program = program.resolve()
    identity = str(program)
    with contextlib.suppress(OSError):
        found = program.stat()
        identity = f"{program} {found.st_size} {found.st_mtime_ns}"
    return Compiler(tuple(command), flags(command), identity)


def flags(command: list[str]) -> tuple[str, ...]:
    """The same for all, tuned to this CPU, and what zig needs besides."""
    machine = os.uname().machine
    # GCC and clang know this CPU as -march=native on x86, as -mcpu=native on everything else.
    native = "-march=native" if machine in ("x86_64", "amd64", "i686") else "-mcpu=native"
    zig = "ziglang" in command or Path(command[0]).name == "zig"
    return (*FLAGS, native, *(ZIG_FLAGS if zig else ()))


def cpu() -> str:
    """This machine's CPU, as far as code built for it depends on it: a cache may be shared."""
    if sys.platform == "darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        with contextlib.suppress(OSError):
            return subprocess.run(command, capture_output=True, text=True).stdout.strip()
    lines = []
    # The first CPU speaks for all, and asking 256 of them takes the kernel a while.
    with contextlib.suppress(OSError), Path("/proc/cpuinfo").open(encoding="utf-8") as file:
        for line in file:
            if not line.strip():
                break
            if line.partition(":")[0].strip() in CPU_FIELDS:
                lines.append(line)
    return "".join(lines)
