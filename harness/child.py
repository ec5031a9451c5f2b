"""The worker's process: started with nothing of the user's, ended with all that it started."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import site
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path

import platformdirs

from harness import wire
from metrics.process_tree import ProcessTree, adopt_orphans

LOG_BYTES = 1 << 20
MESSAGE_TIMEOUT = struct.pack("ll", 60, 0)  # a message begun must go on within 60 s
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
KEPT_VARIABLES = ("PATH", "LANG", "LD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV", "CC", "CXX")
KEPT_PREFIXES = ("LC_", "CUDA_", "NVIDIA_")
# The worker waits for a byte before it imports anything, so that its setup is metered as a whole.
BOOT = "import os; os.read({fd}, 1); from harness.worker import main; main({fd})"


class Child:
    """A worker in an empty folder of its own, with its own HOME, its own session and one open channel.

    threads: for its libraries. gpu: whether a GPU's work is on the bill; if not, it is shown none.
    variables: more of its environment.
    """

    def __init__(self, threads: int, gpu: bool, variables: Mapping[str, str] | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="joulebench-"))
        for name in ("home", "tmp", "work"):
            (self.folder / name).mkdir()
        ours, theirs = socket.socketpair()
        adopt_orphans()
        with theirs, (self.folder / "worker.log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", BOOT.format(fd=theirs.fileno())],
                cwd=self.folder / "work",
                env=environment(self.folder, threads, gpu) | dict(variables or {}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        for option in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
            ours.setsockopt(socket.SOL_SOCKET, option, MESSAGE_TIMEOUT)
        self.channel = Connection(ours.detach())
        self.tree = ProcessTree(self.process.pid)

    def wake(self) -> None:
        """Lets it begin."""
        with contextlib.suppress(OSError):  # if it is dead already, the first request will tell
            os.write(self.channel.fileno(), b"!")

    def end(self) -> bytes:
        """Ends it and everything it started; returns the last megabyte of what it printed."""
        with contextlib.suppress(OSError):
            wire.send(self.channel, {"do": "end"})
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=0.2)
        self.tree.kill()
        self.process.wait()
        log = self.tail(LOG_BYTES)
        self.channel.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        return log

    def obituary(self, phase: str) -> str:
        """How it came to its end, in words."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=2)
        code = self.process.returncode
        if code is None:
            return f"the worker closed its connection in {phase}"
        if code == -signal.SIGKILL:
            return f"the worker was killed in {phase} (SIGKILL: most likely out of memory)"
        if code < 0:
            name = {s.value: s.name for s in signal.Signals}.get(-code, f"signal {-code}")
            return f"the worker crashed in {phase} ({name}){self._last_words()}"
        return f"the worker ended in {phase} with exit code {code}{self._last_words()}"

    def tail(self, size: int) -> bytes:
        """The end of what it printed."""
        with contextlib.suppress(OSError), (self.folder / "worker.log").open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - size))
            return file.read(size)
        return b""

    def _last_words(self) -> str:
        lines = self.tail(2000).decode(errors="replace").split("\n")
        spoken = [line.strip() for line in lines if line.strip()]
        return f": {spoken[-1][:300]}" if spoken else ""


def environment(folder: Path, threads: int, gpu: bool) -> dict[str, str]:
    """The worker's environment: what programs need to run, and nothing of the user's."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in KEPT_VARIABLES or name.startswith(KEPT_PREFIXES)
    }
    cache = Path(os.environ.get("BENCH_CACHE") or platformdirs.user_cache_dir("joulebench"))
    return {
        **kept,
        **dict.fromkeys(THREAD_VARIABLES, str(threads)),
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "BENCH_CACHE": str(cache.expanduser().absolute()),  # built kernels outlive this HOME
        "PYTHONUSERBASE": site.getuserbase(),  # packages installed with --user are found by HOME
        "PYTHONHASHSEED": "0",
        **({} if gpu else {"CUDA_VISIBLE_DEVICES": "", "HIP_VISIBLE_DEVICES": ""}),
    }
