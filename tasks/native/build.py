"""From the kernel's C++ to a shared library for this machine's CPU, built once and kept."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from tasks.native import cache as kept
from tasks.native import compilers
from tasks.native.compilers import Compiler
from tasks.native.errors import BuildError, failure

TIMEOUT_S = 120.0
asked_for: list[str] = []  # kernels that this process has, by name


def library(source: str, name: str = "kernel", cache: Path | None = None) -> Path:
    """The shared library of a complete C++ text that includes nothing, built where it is not kept yet.

    name: how files and errors call it. cache: its folder, by default `BENCH_CACHE/kernels` or the
    user's cache folder. What is kept is known by the source, the compiler, its flags and the CPU.
    """
    asked_for.append(name)
    folder = cache or kept.kernels_folder()
    compiler = compilers.find()
    everything = [source, compiler.command, compiler.identity, compiler.flags, compilers.cpu()]
    platform = [sys.platform, os.uname().machine]
    key = hashlib.sha256(json.dumps([everything, platform]).encode()).hexdigest()
    stem = f"{name}-{key[:32]}"
    found = kept.look_up(folder, stem)
    if found is None and kept.own_folder.cache_info().currsize:  # it has been made
        found = kept.look_up(kept.own_folder(), stem)
    return found or kept.keep(folder, stem, compiled(compiler, source, stem, folder))


def opened(path: Path) -> ctypes.CDLL:
    """A library, ready to be called. Raises BuildError where it cannot be loaded, and forgets it, so
    that it is not taken for good the next time."""
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        path.unlink(missing_ok=True)
        raise BuildError(
            f"the compiled kernel cannot be loaded ({error}); if its folder forbids programs "
            "(noexec), set BENCH_CACHE to one that does not"
        ) from None


def compiled(compiler: Compiler, source: str, stem: str, folder: Path) -> bytes:
    """Compiles in a temporary folder; what fails is kept in `folder`."""
    try:
        with tempfile.TemporaryDirectory(prefix="joulebench-build-") as build:
            return _compiled(compiler, source, stem, folder, Path(build))
    except OSError as error:
        raise BuildError(
            f"cannot compile in {tempfile.gettempdir()}: {error.strerror}; set TMPDIR to a folder "
            "with room that you may write to"
        ) from error


def _compiled(compiler: Compiler, source: str, stem: str, folder: Path, build: Path) -> bytes:
    text, made, log = build / f"{stem}.cpp", build / f"{stem}{kept.SUFFIX}", build / "log"
    text.write_text(source, encoding="utf-8")
    # Names without folders, so that neither messages nor libraries depend on where this is.
    command = [*compiler.command, *compiler.flags, "-o", made.name, text.name]
    outcome = run(command, build, log)
    if outcome is None and made.exists():
        return made.read_bytes()
    what = f"{shlex.join(compiler.command)} {outcome or 'wrote no library'}"
    said = log.read_text(encoding="utf-8", errors="replace")
    raise failure(what, said, shlex.join(command), source, folder / "failed" / text.name)


def run(command: list[str], folder: Path, log: Path) -> str | None:
    """Runs a compiler to its end, or ends it with all that it has started. None: it succeeded."""
    environment = {
        **os.environ,
        "LC_ALL": "C",
        "TMPDIR": str(folder),
        "ZIG_GLOBAL_CACHE_DIR": str(folder / "zig"),  # a few kB, since it compiles no library
        "ZIG_LOCAL_CACHE_DIR": str(folder / "zig"),
    }
    with log.open("wb") as file:
        try:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                process_group=0,
            )
        except OSError as error:
            raise BuildError(f"cannot run {command[0]}: {error.strerror}") from None
        try:
            code = process.wait(TIMEOUT_S)
        except subprocess.TimeoutExpired:
            return f"did not end within {TIMEOUT_S:g} s and was stopped"
        finally:
            if process.returncode is None:  # also when Ctrl-C ends the wait
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    if code < 0:
        return f"was killed (signal {-code})"
    return f"failed (exit code {code})" if code else None
