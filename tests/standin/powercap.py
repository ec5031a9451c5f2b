"""A stand-in powercap tree: RAPL counters as files, rewritten at their own period by a process.

    with Powercap(script, build(folder), root, ["package-0", "dram"]):
        ...  # root/intel-rapl:0/energy_uj, root/intel-rapl:0/intel-rapl:0:0/energy_uj

The n-th name is the script's n-th board: `modulus_j` is its range, a failing or vanished board has no
file `energy_uj`, and an event that always reads 0 is a board of 0 W that starts at 0 J. A counter shows
the energy of the moment at which it is written: where the writer is held up, an update comes late and
none is wrong. Names that begin with "package" are sockets; the others lie within the package before
them. The root should be in memory (/dev/shm), where a rewrite costs some 10 µs.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from tests.standin.script import LIBRARY, Script, environment

RANGE_UJ = 262_143_328_850  # of common packages
PR_SET_PDEATHSIG, SIGKILL = 1, 9
ROOT = Path(__file__).parents[2]


def zones(names: Sequence[str]) -> list[str]:
    """Folder of each domain, relative to the root."""
    found: list[str] = []
    package = part = -1
    for name in names:
        if name.startswith("package"):
            package, part = package + 1, -1
            found.append(f"intel-rapl:{package}")
        else:
            part += 1
            found.append(f"intel-rapl:{package}/intel-rapl:{package}:{part}")
    return found


class Powercap:
    """The tree and the process that rewrites it, as a context; `script` decides what it shows."""

    def __init__(self, script: Script, library: Path, root: Path, names: Sequence[str]) -> None:
        self.script, self.library, self.root = script, library, root
        self.folders = [root / zone for zone in zones(names)]
        for folder, name, board in zip(self.folders, names, script.boards, strict=True):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "name").write_text(f"{name}\n")
            range_uj = round(1e6 * board.modulus_j) or RANGE_UJ
            (folder / "max_energy_range_uj").write_text(f"{range_uj}\n")

    def __enter__(self) -> Powercap:
        period_s = min(board.period_s for board in self.script.boards)
        words = [str(self.library / LIBRARY), repr(period_s), *map(str, self.folders)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.standin.powercap", *words],
            env=environment(self.script, self.library),
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        assert self.process.stdout is not None
        if not self.process.stdout.readline():
            raise RuntimeError(f"the writer of {self.root} ended with {self.process.wait()}")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.communicate()


def rewrite(library: str, period_s: float, folders: Sequence[str]) -> None:
    """Writes every counter once per period until killed. A file is replaced, so no reader sees half."""
    parent = os.getppid()
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_PDEATHSIG, SIGKILL)
    libc.prctl(29, 1)  # PR_SET_TIMERSLACK: wake within a nanosecond's slack, not 50 µs
    if os.getppid() != parent:
        return
    with contextlib.suppress(PermissionError):  # the counter must not wait for the load it measures
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    driver = ctypes.CDLL(library)
    if driver.nvmlInit_v2():
        raise SystemExit("STANDIN_NVML names no script")
    joules = ctypes.c_double()
    files = [(n, f"{folder}/energy_uj", f"{folder}/.next") for n, folder in enumerate(folders)]
    said = False
    while True:
        for n, shown, following in files:
            if driver.standin_counter(ctypes.c_int64(n), ctypes.byref(joules)):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(shown)  # noqa: PTH108  a Path costs more than the call
                continue
            file = os.open(following, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            os.write(file, b"%d\n" % (joules.value * 1e6))
            os.close(file)
            os.rename(following, shown)  # noqa: PTH104
        if not said:
            print("ready", flush=True)
            said = True
        time.sleep(period_s - time.monotonic() % period_s)


if __name__ == "__main__":
    rewrite(sys.argv[1], float(sys.argv[2]), sys.argv[3:])
