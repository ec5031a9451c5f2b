"""CPU seconds and memory of a worker and everything it ever started.

The parent makes itself the reaper of orphans (Linux), so a process that detaches from the worker stays
a descendant of the parent and stays on the bill. Live processes are read by their own CPU clock, in
nanoseconds; the dead by what the kernel adds to whoever reaped them.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
import time
from pathlib import Path

import psutil

PR_SET_CHILD_SUBREAPER = 36
LINUX = sys.platform == "linux"
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
CLOCK_S = 1e-6 if LINUX else TICK_S
TELLS_CHILDREN = Path(
    f"/proc/{os.getpid()}/task/{os.getpid()}/children"
).exists()  # a kernel option
SIGCHLD_BIT = 1 << (signal.SIGCHLD - 1)


def adopt_orphans() -> bool:
    """Makes this process the reaper of its descendants' orphans. False where the system cannot."""
    if not LINUX:
        return False
    return ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0


class ProcessTree:
    """The worker `pid` of this parent, with all its descendants.

    resolution_s is a microsecond while the worker is alone, and a clock tick once it has had children.
    Descendants that have ended are counted through their reaper: a process of the tree (resolution one
    clock tick) or, for orphans and the worker itself, this process's usage of reaped children. Other
    children of this process (from before, or told to `ignore`) must not end while the tree is read.

    rss_byte_s: resident bytes integrated over seconds, by trapezoids between calls of `rss_bytes`.
    """

    includes_parent = False

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._mine = set(children(os.getpid())) - {pid}
        self._reaped_before_s = reaped_s()
        self._last_s = 0.0
        self.resolution_s = CLOCK_S
        self.peak_rss_bytes = 0
        self.rss_byte_s = 0.0
        self._rss_seen = 0, time.monotonic()

    def ignore(self, pid: int) -> None:
        """A child of this process that is no part of the tree, such as a sampler."""
        self._mine.add(pid)

    def members(self) -> list[int]:
        """Pids of the living and of those not yet reaped; orphans are this process's new children."""
        found: list[int] = []
        generation = [p for p in children(os.getpid()) if p not in self._mine]
        while generation:
            found += generation
            generation = [child for pid in generation for child in children(pid)]
        return found

    def cpu_s(self) -> float:
        """CPU seconds of the tree so far. Never falls, even while processes come and go."""
        self._reap_orphans()
        seconds = reaped_s() - self._reaped_before_s
        members = self.members()
        for pid in members:
            with contextlib.suppress(OSError, psutil.Error):
                reaped = 0.0 if pid == os.getpid() else reaped_by_s(pid)  # its own are in already
                seconds += own_cpu_s(pid) + reaped
                if len(members) > 1 or reaped:
                    self.resolution_s = TICK_S
        self._last_s = max(self._last_s, seconds)
        return self._last_s

    def rss_bytes(self) -> int:
        """Resident memory of the tree (shared pages count once per process); the peak is noted."""
        total = 0
        for pid in self.members():
            with contextlib.suppress(OSError, psutil.Error):
                total += rss_bytes(pid)
        before, since_s = self._rss_seen
        now_s = time.monotonic()
        # Memory of a tree that has ended stood until now, as far as anybody can tell.
        self.rss_byte_s += (before + total if total else 2 * before) / 2 * (now_s - since_s)
        self._rss_seen = total, now_s
        self.peak_rss_bytes = max(self.peak_rss_bytes, total)
        return total

    def hides_children(self) -> bool:
        """Whether a member ignores SIGCHLD: the kernel then adds its children's CPU time to nobody."""
        for pid in self.members() if LINUX else []:
            with contextlib.suppress(OSError):
                status = Path(f"/proc/{pid}/status").read_text()
                ignored = int(status.partition("SigIgn:")[2].split()[0], 16)
                if ignored & SIGCHLD_BIT:
                    return True
        return False

    def signal(self, number: int) -> None:
        """Sends a signal to every member."""
        for pid in self.members():
            with contextlib.suppress(OSError):
                os.kill(pid, number)

    def kill(self) -> None:
        """Ends the whole tree, detached processes included; the worker itself is left to be reaped."""
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            self.signal(signal.SIGKILL)
            self._reap_orphans()
            if all(is_dead(pid) for pid in self.members()):
                return
            time.sleep(0.01)

    def _reap_orphans(self) -> None:
        """Collects ended orphans, whose CPU time then stands in this process's reaped usage."""
        for pid in children(os.getpid()):
            if pid != self.pid and pid not in self._mine:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)


class OwnTree(ProcessTree):
    """This process itself with all its descendants, for metering a stretch of its own program.

    Its children are the program's: they are neither reaped nor ended here.
    """

    includes_parent = True

    def __init__(self) -> None:
        super().__init__(os.getpid())
        self._mine.clear()

    def members(self) -> list[int]:
        return [self.pid, *super().members()]

    def kill(self) -> None:
        raise RuntimeError("a process does not end its own tree")

    def _reap_orphans(self) -> None:
        return


def children(pid: int) -> list[int]:
    """Pids of a process's children, zombies included; empty if the process is gone."""
    if TELLS_CHILDREN:
        found: list[int] = []
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{pid}/task").iterdir():
                with contextlib.suppress(OSError):  # a thread may end meanwhile
                    found += map(int, (task / "children").read_bytes().split())
        return found
    with contextlib.suppress(psutil.Error):
        return [p.pid for p in psutil.Process(pid).children()]
    return []


def own_cpu_s(pid: int) -> float:
    """CPU seconds of one process, threads that ended included (clock_getcpuclockid(3))."""
    if LINUX:
        return time.clock_gettime((~pid << 3) | 2)  # what glibc computes for a process's clock
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def reaped_by_s(pid: int) -> float:
    """CPU seconds of the children that a process has waited for, in clock ticks."""
    if LINUX:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return (int(fields[13]) + int(fields[14])) * TICK_S  # cutime, cstime: proc_pid_stat(5)
    times = psutil.Process(pid).cpu_times()
    return times.children_user + times.children_system


def rss_bytes(pid: int) -> int:
    """Resident memory of one process."""
    if LINUX:
        pages = int(Path(f"/proc/{pid}/statm").read_bytes().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    return psutil.Process(pid).memory_info().rss


def is_dead(pid: int) -> bool:
    """True for a process that is gone or waits only to be reaped."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.Error:
        return True


def reaped_s() -> float:
    """CPU seconds of this process's reaped children and theirs."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
