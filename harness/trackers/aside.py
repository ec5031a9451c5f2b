"""A process beside ours, for work that must stay off a run's bill.

It is started through a process that ends at once, while we adopt no orphans, so that neither it nor
anything it starts is a descendant of ours: no part of any worker's tree, whatever becomes of it. It has
a session of its own (Ctrl-C is not for it) and a low priority. Messages are lines of JSON over a
socket. Nothing here waits without a bound.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import re
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import psutil

from harness.trackers.base import TrackerError

PR_SET_CHILD_SUBREAPER, PR_GET_CHILD_SUBREAPER = 36, 37
BOOT = """\
import os
if os.fork():
    os._exit(0)
os.nice(10)
from {module} import main
main({fd})
"""
START_S = 60.0  # its imports, on a slow disk
LOG_BYTES = 2000


class Aside:
    """The process of `module`, whose main(fd) speaks first: {"is": "hello", "pid": ..., ...}.

    dropped: messages that found the pipe full and were let go. Raises TrackerError where it does not
    start, here and from `ask`; it is ended then.
    """

    def __init__(self, module: str, variables: dict[str, str] | None = None) -> None:
        self.dropped = 0
        self.alive = True
        self._rest = b""  # of a message that the pipe took in part
        self._said = b""
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as this
        self._process: psutil.Process | None = None
        self._socket, theirs = socket.socketpair()
        with theirs, adopting_nobody():
            starter = subprocess.Popen(
                [sys.executable, "-P", "-c", BOOT.format(module=module, fd=theirs.fileno())],
                env=os.environ | (variables or {}),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._log,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
            starter.wait()
        self._socket.setblocking(False)
        self.hello = self._answer(time.monotonic() + START_S)
        with contextlib.suppress(psutil.Error):
            self._process = psutil.Process(self.hello["pid"])

    def offer(self, message: dict[str, Any]) -> None:
        """Sends what the pipe takes at once; drops and counts the message where it takes nothing."""
        self._flush()
        if self._rest:
            self.dropped += 1
            return
        self._rest = json.dumps(message).encode() + b"\n"
        self._flush()

    def ask(self, message: dict[str, Any] | bytes, within_s: float) -> dict[str, Any]:
        """Sends a message and waits for its answer, both within so many seconds."""
        until_s = time.monotonic() + within_s
        line = message if isinstance(message, bytes) else json.dumps(message).encode()
        self._rest += line + b"\n"
        while self._rest:
            left_s = until_s - time.monotonic()
            if left_s <= 0 or not self.alive:
                raise self._lost(within_s)
            select.select([], [self._socket], [], left_s)
            self._flush()
        return self._answer(until_s, within_s)

    def kill(self) -> None:
        """Ends it and all that it started."""
        self.alive = False
        self._socket.close()
        if self._process is not None:
            with contextlib.suppress(psutil.Error):  # psutil knows whether the pid is still its own
                others = self._process.children(recursive=True)
                for process in (self._process, *others):
                    with contextlib.suppress(psutil.Error):
                        process.kill()

    def _flush(self) -> None:
        while self._rest and self.alive:
            try:
                self._rest = self._rest[self._socket.send(self._rest) :]
            except BlockingIOError:
                return
            except OSError:  # it has gone; whoever asks next is told
                self.alive = False

    def _answer(self, until_s: float, within_s: float = START_S) -> dict[str, Any]:
        while b"\n" not in self._said:
            left_s = until_s - time.monotonic()
            if left_s <= 0 or not select.select([self._socket], [], [], left_s)[0]:
                raise self._lost(within_s)
            try:
                more = self._socket.recv(1 << 16)
            except OSError:
                more = b""
            if not more:
                self.alive = False
                raise self._lost(within_s)
            self._said += more
        line, _, self._said = self._said.partition(b"\n")
        found: dict[str, Any] = json.loads(line)
        return found

    def _lost(self, within_s: float) -> TrackerError:
        """It is ended, and why in words."""
        was_there = self.alive
        self.kill()
        if was_there:
            return TrackerError(f"its process did not answer within {within_s:g} s and was ended")
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - LOG_BYTES))
        lines = self._log.read().decode(errors="replace").split("\n")
        errors = [line.strip() for line in lines if re.match(r"[\w.]*(Error|Exception): ", line)]
        return TrackerError("its process has ended" + (f" ({errors[-1][:300]})" if errors else ""))


@contextlib.contextmanager
def adopting_nobody() -> Iterator[None]:
    """Within it, orphans of ours go to whom they would go without `adopt_orphans`.

    For moments at which no worker is alive: it would lose its own.
    """
    if sys.platform != "linux":
        yield
        return
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    was = ctypes.c_int(0)
    prctl(PR_GET_CHILD_SUBREAPER, ctypes.byref(was), 0, 0, 0)
    prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
    try:
        yield
    finally:
        prctl(PR_SET_CHILD_SUBREAPER, was.value, 0, 0, 0)
