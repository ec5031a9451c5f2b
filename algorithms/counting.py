"""What compiled kernels count of themselves.

A kernel says in its text what happens, `COUNT(EVENT, many)`, and in a table beside it what an event
takes. In an ordinary build COUNT is nothing, and the machine code is what it would be without. A worker
that counts, and is never measured, has JOULEBENCH_COUNT=1 in its environment: then the same text is built
to count, and its results are the same bits.

A table is a macro EVENTS(_) with a line for each event: `_(NAME, bytes read, bytes written, integer
additions, integer multiplications, float additions, float multiplications)`; zeros at the end may be left
out. Prices are expressions over the kernel's own sizes. What they mean:

- operations are the operators of the source on data, of 32 bits; one on 64 bits counts as two.
  Logic, shifts, comparisons, minima and maxima are additions. Counters of loops, addresses, copies and
  conversions are not counted. A division, exponential, logarithm or square root counts as in
  `metrics.counts.EXPENSIVE`.
- bytes are the accesses of the source to arrays that Python hands to the kernel, each time anew.
  Variables of a function and the kernel's parameters are taken to be in registers.
"""

from __future__ import annotations

import ctypes
import os
import re
from typing import Any

EXPENSIVE = {
    "DIV": (4, 7),
    "EXP": (12, 10),
    "LOG": (17, 14),
    "RSQRT": (2, 7),
}  # as in metrics.counts
COLUMNS = ("int32_add", "int32_mul", "fp32_add", "fp32_mul")

# Each thread counts for itself; what it has counted is added up when it says so (COUNTED), since
# a thread may end.
HEAD = """
#define EVENT_NAME_(name, ...) name,
enum { EVENTS(EVENT_NAME_) EVENT_KINDS_ };
static thread_local unsigned long long counted_[EVENT_KINDS_];
static unsigned long long all_counted_[EVENT_KINDS_];
#define COUNT(event, many) (counted_[event] += (unsigned long long)(many))
#define COUNTED() counted_all_()
static void counted_all_() {
  for (int i = 0; i < EVENT_KINDS_; i++) {
    __atomic_fetch_add(all_counted_ + i, counted_[i], __ATOMIC_RELAXED);
    counted_[i] = 0;
  }
}
"""
# Takes what has been counted since the last time: of each event, and what all of them took.
TAIL = """
static void take_(unsigned long long *sums, long long many, long long read = 0, long long written = 0,
                  long long adds = 0, long long muls = 0, long long fp_adds = 0, long long fp_muls = 0) {
  long long prices[] = {read, written, adds, muls, fp_adds, fp_muls};
  for (int i = 0; i < 6; i++) sums[i] += many * prices[i];
}
extern "C" void take_counts(unsigned long long *events, unsigned long long *sums) {
  counted_all_();
  for (int i = 0; i < EVENT_KINDS_; i++) events[i] = all_counted_[i], all_counted_[i] = 0;
  for (int i = 0; i < 6; i++) sums[i] = 0;
#define TAKE_(name, ...) take_(sums, events[name], __VA_ARGS__);
  EVENTS(TAKE_)
}
"""


def counting() -> bool:
    """Whether this process counts. Said before it starts: kernels are built once."""
    return os.environ.get("JOULEBENCH_COUNT") == "1"


def kernel_text(source: str, table: str) -> str:
    """The kernel's text as this process wants it built: as it is, or to count the events of a table."""
    return counted(source, table) if counting() else source


def counted(source: str, table: str) -> str:
    """The text of a kernel that counts the events of a table."""
    prices = "".join(
        f"enum {{ {name}_ADD = {adds}, {name}_MUL = {muls} }};\n"
        for name, (adds, muls) in EXPENSIVE.items()
    )
    return prices + table + HEAD + source + TAIL


class Counts:
    """What a kernel built from `counted(source, table)` has counted since `restart`."""

    def __init__(self, lib: ctypes.CDLL, table: str) -> None:
        self.names = re.findall(r"\b_\((\w+),", table)
        self._take = lib.take_counts
        self._take.argtypes, self._take.restype = [ctypes.c_void_p] * 2, None
        self.events: dict[str, int] = {}
        self._sums = [0] * 6

    def restart(self) -> None:
        """From nought."""
        self._gather()
        self.events, self._sums = dict.fromkeys(self.names, 0), [0] * 6

    def told(self, peak_bytes: int = 0) -> dict[str, Any]:
        """As `Algorithm.counts` wants it. peak_bytes: of all arrays; left out where numpy makes them all
        within training, for then they are counted there."""
        self._gather()
        return {
            "operations": {
                kind: number for kind, number in zip(COLUMNS, self._sums[2:], strict=True) if number
            },
            "read_bytes": self._sums[0],
            "written_bytes": self._sums[1],
            **({"peak_bytes": peak_bytes} if peak_bytes else {}),
        }

    def _gather(self) -> None:
        events, sums = (ctypes.c_uint64 * len(self.names))(), (ctypes.c_uint64 * 6)()
        self._take(events, sums)
        for name, number in zip(self.names, events, strict=True):
            self.events[name] = self.events.get(name, 0) + number
        self._sums = [one + more for one, more in zip(self._sums, sums, strict=True)]


def together(*told: dict[str, Any]) -> dict[str, Any]:
    """What several kernels have told, as one; their arrays stand side by side."""
    sums: dict[str, Any] = {"operations": {}, "notes": []}
    for one in told:
        for kind, many in one["operations"].items():
            sums["operations"][kind] = sums["operations"].get(kind, 0) + many
        for name in ("read_bytes", "written_bytes", "communication_bytes", "peak_bytes"):
            sums[name] = sums.get(name, 0) + one.get(name, 0)
        sums["notes"] += one.get("notes", [])
    return sums
