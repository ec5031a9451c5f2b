"""A command that is there, with a pid to meter, before its first instruction."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys

from harness.errors import BadInputError

# A small interpreter that waits at a gate and then becomes the command. What it costs to start is over
# before that; this process forking itself would leave the command the taking down of its memory.
LAUNCHER = """
import os, signal, sys
gate, fault = int(sys.argv[1]), int(sys.argv[2])
os.set_inheritable(fault, False)
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
os.write(fault, b"!")
go = os.read(gate, 1)
os.close(gate)
if go:
    for ignored_by_python in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored_by_python, signal.SIG_DFL)
    try:
        os.execvp(sys.argv[3], sys.argv[3:])
    except OSError as error:
        os.write(fault, str(error.strerror).encode())
"""


class WaitingCommand:
    """A process that becomes the command on `go`. Leaving the context before that ends it.

    Streams, environment, folder, process group and terminal are those of this process. Raises
    BadInputError where the command cannot be started.
    """

    def __init__(self, argv: list[str]) -> None:
        if not argv:
            raise BadInputError("name a command to measure: bench measure -- python train.py")
        if shutil.which(argv[0]) is None:
            raise BadInputError(
                f"cannot start {argv[0]}: there is no such command, or it may not run"
            )
        self.argv = argv

    def __enter__(self) -> WaitingCommand:
        gate_out, self._gate = os.pipe()
        self._fault, fault_in = os.pipe()  # closed by the exec that succeeds
        words = ("-I", "-S", "-c", LAUNCHER, str(gate_out), str(fault_in), *self.argv)
        self._process = subprocess.Popen([sys.executable, *words], pass_fds=(gate_out, fault_in))
        os.close(gate_out)
        os.close(fault_in)
        self.pid = self._process.pid
        os.read(self._fault, 1)  # it waits
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._gate)
        os.close(self._fault)
        self._process.wait()

    def go(self) -> None:
        """Lets it become the command; returns once it has."""
        with contextlib.suppress(BrokenPipeError):  # a signal came first: `wait` will tell
            os.write(self._gate, b"g")
        if fault := os.read(self._fault, 4096):
            raise BadInputError(f"cannot start {self.argv[0]}: {fault.decode(errors='replace')}")

    def wait(self) -> int:
        """Its exit code, negative for the signal that ended it."""
        return self._process.wait()
