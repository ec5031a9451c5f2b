"""Any program that proposes settings: a script, an optimiser of one's own, an agent with a model behind it.

    bench tune task=sparse_parity algo=backprop process=command "process.command='python propose.py'" ...

It is started once, in the folder where bench was called, and spoken to in JSON, one object a line: it
reads standard input and answers on standard output (flush every line); standard error is its own. It is
trusted: it runs as the user, and sees no held-out data because none is sent.

    <- {"do": "begin", "protocol": 1, "algo": "backprop", "task": "sparse_parity", "variant": "...",
        "space": {"lr": {"low": 0.005, "high": 3.0, "log": true}, "optimizer": {"choices": [...]}, ...},
        "published": {"lr": 0.044, ...}, "seed": 0, "bar": 0.995, "direction": "max"}
    <- {"do": "tell", ...}                  of a search that goes on: every trial before this, in order
    <- {"do": "ask", "number": 0}
    -> {"fields": {"lr": 0.1}, "declared": {"tokens": 1520, "energy_j": 3.1}}
    <- {"do": "tell", "number": 0, "fields": {"lr": 0.1, ...}, "state": "done", "met": true,
        "score": 0.9991, "energy_j": 0.0031, "distance": 0.0, "error": null}
    <- {"do": "ask", "number": 1}
    -> {"done": true}                       nothing more to propose
    <- {"do": "end"}
    -> {"declared": {"tokens": 90}}         at will, within 5 s

`ask` alone wants an answer. Fields left out are as published. state is "done", "failed" (error says
why: it crashed, diverged, took too long) or "refused" (the answer was no proposal; error says what was
wrong, and the search goes on). bar has the spare added; distance is by how much the score missed it, 0
where it is met; energy_j is J per training. declared is optional: numbers by name, with the unit in the
name. They are added up and kept as declared, apart from whatever a meter saw; CPU time of the program on
this machine is metered like that of any process. What it started is ended with it.

To go on after a kill exactly as without one, answer from the seed and from what was told alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import select
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from typing import IO, Any

from harness.errors import BadInputError
from harness.processes.base import Problem, Process, Proposal, Told
from metrics.process_tree import adopt_orphans, children, own_cpu_s, reaped_by_s

PROTOCOL = 1
END_S = 5.0
MAX_LINE = 1 << 20
MAX_LINES = 1000  # said and not yet read; one that says more is let wait


class Command(Process):
    """command: the program with its arguments, as in a shell. timeout_s: for one proposal."""

    def __init__(self, command: str = "", timeout_s: float = 600.0) -> None:
        try:
            self.argv = shlex.split(command)
        except ValueError as error:
            raise BadInputError(f"process.command={command}: {error}") from None
        if not self.argv:
            raise BadInputError("which program? say process.command='python propose.py'")
        if shutil.which(self.argv[0]) is None:
            raise BadInputError(f"process.command: there is no program {self.argv[0]}")
        if not timeout_s > 0:
            raise BadInputError(f"process.timeout_s={timeout_s:g}: must be above 0")
        self.timeout_s = timeout_s
        self.lines: queue.Queue[bytes | None] = queue.Queue(MAX_LINES)
        self.process: subprocess.Popen[bytes] | None = None
        self.seen_cpu_s = 0.0
        self.overdue = False

    def begin(self, problem: Problem) -> None:
        super().begin(problem)
        adopt_orphans()
        # A group of its own: Ctrl-C is for the search, which then says `end`. And it adopts what its own
        # children leave behind: adopted by us that would be taken for a trial's, and be on its bill.
        try:
            self.process = subprocess.Popen(
                self.argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                process_group=0,
                preexec_fn=adopt_orphans,
            )
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise BadInputError(
                f"process.command: cannot start {self.argv[0]}: {why} (a script wants a first line such as "
                "#!/usr/bin/env python3, or its interpreter before it)"
            ) from None
        assert self.process.stdout is not None and self.process.stdin is not None
        os.set_blocking(self.process.stdin.fileno(), False)  # it may not read: see _write
        threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True).start()
        self._say(
            {
                "do": "begin",
                "protocol": PROTOCOL,
                "algo": problem.algo,
                "task": problem.task,
                "variant": problem.variant,
                "space": problem.space.plain(),
                "published": problem.published,
                "seed": problem.seed,
                "bar": problem.bar,
                "direction": problem.direction,
            }
        )

    def tell(self, trial: Told) -> None:
        super().tell(trial)
        names = ("number", "fields", "state", "score", "energy_j", "distance", "error")
        self._say({"do": "tell", "met": trial.met, **{n: getattr(trial, n) for n in names}})

    def ask(self) -> Proposal | None:
        waiting = self.lines.qsize()
        if waiting >= MAX_LINES:
            self.overdue = True
            raise BadInputError(f"process.command said {MAX_LINES} lines without having been asked")
        for _ in range(waiting):  # said without having been asked: not an answer to this
            if self.lines.get_nowait() is None:
                raise BadInputError(self._gone())
        self._say({"do": "ask", "number": len(self.told)})
        try:
            line = self.lines.get(timeout=self.timeout_s)
        except queue.Empty:
            self.overdue = True
            raise BadInputError(
                f"process.command proposed nothing within process.timeout_s={self.timeout_s:g}"
            ) from None
        if line is None:
            raise BadInputError(self._gone())
        return self._proposal(line)

    def _proposal(self, line: bytes) -> Proposal | None:
        try:
            answer = json.loads(line)
        except (ValueError, RecursionError):
            text = line[:80].decode(errors="replace").strip()
            return Proposal({}, f"the answer is no JSON: {text!r}")
        if not isinstance(answer, dict) or not ("fields" in answer or answer.get("done") is True):
            return Proposal({}, 'the answer must be {"fields": {...}} or {"done": true}')
        if "fields" not in answer:
            return None
        declared, wrong = read_declared(answer.get("declared"))
        problem = self.problem.space.problem(answer["fields"]) or wrong
        if problem:
            return Proposal({}, problem, declared)
        return Proposal({**self.problem.published, **answer["fields"]}, None, declared)

    def cpu_s(self) -> float:
        """Of the program and all below it, as far as they live or were waited for."""
        if self.process is not None and self.process.returncode is None:
            total = 0.0
            for pid in descent(self.process.pid):
                with contextlib.suppress(OSError):
                    total += own_cpu_s(pid) + reaped_by_s(pid)
            self.seen_cpu_s = max(self.seen_cpu_s, total)
        return self.seen_cpu_s

    def end(self) -> dict[str, float]:
        if self.process is None or self.process.stdin is None:
            return {}
        declared: dict[str, float] = {}
        before = children(os.getpid())
        with contextlib.suppress(BadInputError):
            self._say({"do": "end"}, min(END_S, self.timeout_s))
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        until_s = time.monotonic() + (0.0 if self.overdue else END_S)
        with contextlib.suppress(queue.Empty):
            for _ in range(2 * MAX_LINES):
                line = self.lines.get(timeout=max(0.01, until_s - time.monotonic()))
                if line is None or time.monotonic() > until_s + 0.1:
                    break
                with contextlib.suppress(ValueError, AttributeError, RecursionError):
                    for name, value in read_declared(json.loads(line).get("declared"))[0].items():
                        declared[name] = declared.get(name, 0.0) + value
        self.cpu_s()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=max(0.01, until_s - time.monotonic()))
        self._kill(before)
        return declared

    def _kill(self, before: list[int]) -> None:
        """Ends it with whatever it started. before: children of ours, of which it was one."""
        assert self.process is not None
        with contextlib.suppress(OSError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        # What has left its group is ours with its death, where we adopt orphans.
        while left := [pid for pid in children(os.getpid()) if pid not in before]:
            for pid in (one for top in left for one in reversed(descent(top))):
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            for pid in left:
                with contextlib.suppress(OSError):
                    os.waitpid(pid, 0)

    def _say(self, message: dict[str, Any], limit_s: float | None = None) -> None:
        assert self.process is not None and self.process.stdin is not None
        try:
            line = json.dumps(message).encode() + b"\n"
            self._write(self.process.stdin.fileno(), line, limit_s or self.timeout_s)
        except BadInputError:
            raise
        except (OSError, ValueError):
            raise BadInputError(self._gone()) from None

    def _write(self, pipe: int, data: bytes, limit_s: float) -> None:
        """Waits for one that does not read, but not for ever."""
        until_s = time.monotonic() + (0.0 if self.overdue else limit_s)
        poll = select.poll()
        poll.register(pipe, select.POLLOUT)
        while data:
            if not poll.poll(max(0.0, until_s - time.monotonic()) * 1000):
                self.overdue = True
                raise BadInputError(
                    f"process.command read nothing of what it was told, for {limit_s:g} s "
                    "(process.timeout_s)"
                )
            with contextlib.suppress(BlockingIOError):
                data = data[os.write(pipe, data) :]

    def _read(self, stream: IO[bytes]) -> None:
        with contextlib.suppress(OSError, ValueError):
            while line := stream.readline(MAX_LINE):
                self.lines.put(line)
        self.lines.put(None)

    def _gone(self) -> str:
        """It has closed its output; whether it has ended is known in a moment."""
        assert self.process is not None
        self.cpu_s()
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self.process.wait(timeout=1)
            return f"process.command ended with exit code {code} in the middle of the search"
        return "process.command closed its output in the middle of the search"


def descent(pid: int) -> list[int]:
    """A process and all below it, zombies included."""
    found: list[int] = []
    generation = [pid]
    while generation:
        found += generation
        generation = [child for one in generation for child in children(one)]
    return found


def read_declared(given: Any) -> tuple[dict[str, float], str | None]:
    """Costs by name, and what is wrong with them if anything."""
    if given is None:
        return {}, None
    if not isinstance(given, dict) or not all(
        type(v) in (int, float) and 0 <= v <= sys.float_info.max for v in given.values()
    ):
        return {}, "declared must be an object of names and numbers of at least 0"
    return {str(name): float(value) for name, value in given.items()}, None
