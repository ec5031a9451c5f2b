"""Runs one command again and again, for a meter: `python -m metrics.repeat TIMEOUT_S COMMAND ...`.

A process of its own, so that the command's processes are no children of the parent, whose children
are the worker's and are billed to it. For every line on standard input, one line of JSON:
[exit code, output]. Ends with its standard input.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys


def run(command: list[str], timeout_s: float) -> tuple[int, str]:
    """Exit code and output (of a failure, what it said on standard error)."""
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # so that all it started can be ended with it
        )
    except OSError as error:
        return 127, str(error)
    try:
        out, err = process.communicate(timeout=timeout_s)
    except BaseException as reason:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if not isinstance(reason, subprocess.TimeoutExpired):
            raise
        return 124, f"no end within {timeout_s:g} s"
    return process.returncode, (err if process.returncode else out).decode(errors="replace")


def main() -> None:
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit(143)
    )  # by way of `run`, which ends the command
    timeout_s, command = float(sys.argv[1]), sys.argv[2:]
    for _ in sys.stdin:
        print(json.dumps(run(command, timeout_s)), flush=True)


if __name__ == "__main__":
    main()
