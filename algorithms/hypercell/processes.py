"""One space over several processes of this host: the same bits as in one.

Across hosts, every host's program builds its own `Share`, with links from `links.join` or sockets.
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np

from algorithms.base import Refused
from algorithms.hypercell import links
from algorithms.hypercell.biology import Biology, Economy
from algorithms.hypercell.layout import Layout
from algorithms.hypercell.links import Link, LinkError, Wire
from algorithms.hypercell.share import Share, Standing, cut, together
from algorithms.hypercell.space import TILE, Geometry
from algorithms.hypercell.world import Ablation, Founder, Kernel

GRACE_S = 10.0  # for the others to notice that one has died


@dataclass(frozen=True)
class Plan:
    """What each of several processes has to know. library: the compiled kernel. ticks: rising; when to
    give account. data: for `World.feed`. address: where processes meet by gloo; None: pipes, on one host.
    """

    geometry: Geometry
    biology: Biology
    library: Path
    founders: Sequence[Founder]
    processes: int
    ticks: Sequence[int]
    params: Sequence[int] = ()
    data: dict[int, np.ndarray] = field(default_factory=dict)
    seed: int = 0
    economy: Economy | None = None
    ablation: Ablation | None = None
    tile: int = TILE
    address: str | None = None
    patience_s: float = links.PATIENCE_S


def run_together(plan: Plan) -> list[Standing]:
    """Runs a space in processes of this host, and gives its account at each of the plan's ticks.

    Raises Refused for what a process refuses, and LinkError where one dies.
    """
    axis = plan.geometry.axes[cut(plan.geometry, 0, plan.processes).axis]
    Layout(plan.geometry, plan.biology, plan.tile)  # all of it has to fit into this host's memory
    context = multiprocessing.get_context("spawn")
    below: list[Connection | None] = [None] * plan.processes
    above = below.copy()
    if plan.processes > 1 and plan.address is None:
        for rank in range(plan.processes if axis.ring else plan.processes - 1):
            above[rank], below[(rank + 1) % plan.processes] = context.Pipe()
    workers: list[BaseProcess] = []
    reports: list[Connection] = []
    with ExitStack() as stack:
        for rank in range(plan.processes):
            report, speak = context.Pipe(duplex=False)
            stack.callback(report.close)
            worker: BaseProcess = context.Process(
                target=_work, args=(plan, rank, below[rank], above[rank], speak), daemon=True
            )
            worker.start()
            stack.callback(_end, worker)
            # Only the worker holds these now, so that its death is heard at their other ends.
            for end in (speak, below[rank], above[rank]):
                if end:
                    end.close()
            workers.append(worker)
            reports.append(report)
        found = []
        for _ in plan.ticks:  # tick by tick: nobody waits for long with a full pipe
            said = [_hear(report) for report in reports]
            parts = [_standing(one) for one in said if one and "error" not in one]
            if len(parts) < plan.processes:
                raise _failure(said, workers)
            found.append(together(parts))
        for worker in workers:
            worker.join(GRACE_S)
    return found


def _work(
    plan: Plan, rank: int, below: Connection | None, above: Connection | None, speak: Connection
) -> None:
    """One process of `run_together`."""
    try:
        for standing in _run(plan, rank, below, above):
            speak.send_bytes(json.dumps(asdict(standing)).encode())
    except (Refused, LinkError) as error:
        refused = isinstance(error, Refused)
        speak.send_bytes(json.dumps({"error": str(error), "refused": refused}).encode())


def _run(
    plan: Plan, rank: int, below: Connection | None, above: Connection | None
) -> Iterator[Standing]:
    down: Link | None = Wire(below, plan.patience_s) if below else None
    up: Link | None = Wire(above, plan.patience_s) if above else None
    if plan.address and plan.processes > 1:
        ring = plan.geometry.axes[cut(plan.geometry, rank, plan.processes).axis].ring
        down, up = links.join(plan.address, rank, plan.processes, ring, plan.patience_s)
    share = Share(
        Kernel(plan.library, plan.biology),
        plan.geometry,
        plan.biology,
        rank,
        plan.processes,
        down,
        up,
        seed=plan.seed,
        economy=plan.economy,
        ablation=plan.ablation,
        tile=plan.tile,
    )
    for slot, data in plan.data.items():
        share.world.feed(slot, data)
    for i, value in enumerate(plan.params):
        share.world.space.params[i] = value
    share.world.found(plan.founders)
    for tick in plan.ticks:
        share.run(tick)
        yield share.standing()
    share.close()
    if plan.address and plan.processes > 1:
        links.part()


def _hear(report: Connection) -> dict[str, Any] | None:
    """The next account of a process, or its error; None if it has ended without a word."""
    try:
        return json.loads(report.recv_bytes())
    except (EOFError, OSError):
        return None


def _standing(said: dict[str, Any]) -> Standing:
    """From JSON, which has no tuples."""
    whole: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in said.items()}
    return Standing(**whole)


def _failure(said: list[dict[str, Any] | None], workers: list[BaseProcess]) -> Exception:
    """The error that came first: one that refuses or dies takes its neighbours along."""
    errors = [one for one in said if one and "error" in one]
    for one in errors:
        if one["refused"]:
            return Refused(one["error"])
    for rank, worker in enumerate(workers):
        if said[rank] is None:
            worker.join(GRACE_S)
            code = worker.exitcode or 0
            how = f"was killed (signal {-code})" if code < 0 else f"ended with exit code {code}"
            return LinkError(
                f"process {rank} of {len(workers)} {how}; the others were stopped, nothing is lost "
                "but this run: start again, from snapshots if there are any"
            )
    return LinkError(errors[0]["error"])


def _end(worker: BaseProcess) -> None:
    if worker.is_alive():
        worker.terminate()
    worker.join()
