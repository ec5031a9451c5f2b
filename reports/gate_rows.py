"""What a gate compares: the runs, or the count, of one algorithm on one task.

Runs of one task, algorithm, configuration and number of threads make a row, with the latest code among
them; a count makes one with its seed, since another draw has other counts. A row of today and a row of a
baseline file are the same struct.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from metrics.record import COUNT, RUN
from reports.gate_lines import Counts, Line

WATTS = "w_per_cpu_s"  # of the model cpu_time: a calibrated one is another source of joules


class Sample(msgspec.Struct):
    """One finished run. met: whether it met its target, None where the task has none.

    joules_per_accuracy: None at no skill. empty_j: of an algorithm that learns nothing, on its path.
    sha256: of its line in the Records file, in a baseline alone.
    """

    run: str
    seed: int
    started_at: str
    joules_per_accuracy: float | None
    energy_j: float
    score: float
    skill: float
    met: bool | None
    wall_s: float
    empty_j: float | None = None
    sha256: str = ""


class Row(msgspec.Struct, kw_only=True):
    """What ran, where, and what came of it.

    kind: "run", with `samples`, or "count", with `counts` and `floor_j`. words: those of the command line,
    without seed and results. text_sha256: of the data, where it is the same in all runs. boards: identities
    of the GPUs on the bill, whose own calibration error is gain_rel. failed: run and reason. left_out: runs
    of earlier code.
    """

    kind: str
    task: str
    variant: str
    access: str
    bar: float | None
    task_config: dict[str, Any]
    task_sha256: str
    text_sha256: str | None
    draws_sha256: str | None
    algo: str
    algo_config: dict[str, Any]
    algo_sha256: str
    code_sha256: str
    commit: str | None
    threads: int
    seeds: list[int]
    words: list[str]
    source: str
    device_class: str
    libraries: dict[str, str]
    boards: list[str]
    gain_rel: float
    score_name: str = ""
    score_unit: str = ""
    score_margin: float = 0.0
    more_is_better: bool = True
    samples: list[Sample] = []
    run: str = ""  # of a count
    started_at: str = ""
    counts: Counts | None = None
    floor_j: float = 0.0
    failed: list[str] = []
    left_out: int = 0

    @property
    def asked(self) -> tuple[object, ...]:
        """What two rows must share to be compared; the rest may be what was changed."""
        seed = self.seeds[0] if self.kind == COUNT else None
        return (self.kind, self.task, self.access, self.task_sha256, self.bar, self.algo, seed)

    @property
    def exact(self) -> tuple[object, ...]:
        """With the algorithm's configuration and threads, by which rows of one task are told apart."""
        return (*self.asked, self.algo_sha256, self.threads)

    @property
    def label(self) -> str:
        what = f", counted, seed {self.seeds[0]}" if self.kind == COUNT else ""
        return f"{self.algo} on {self.task}{what}"

    @property
    def modelled(self) -> bool:
        return self.source.startswith("modelled")

    @property
    def runs(self) -> list[str]:
        return [self.run] if self.kind == COUNT else [sample.run for sample in self.samples]


def rows_of(lines: Iterable[Line]) -> list[Row]:
    """Rows of all runs and counts, in the order of first appearance.

    Interrupted runs, replays, curves, trials and measured commands are no part of it; of a run to which a
    plug's log was joined, the joined Record stands.
    """
    lines = list(lines)
    joined = {line.imported_from for line in lines}
    groups: dict[tuple[object, ...], list[Line]] = defaultdict(list)
    for line in lines:
        gone = line.status == "interrupted" or line.draw.replay_of or line.run in joined
        gone = gone or bool(line.exam and line.exam.void)  # a fault that was not the algorithm's
        if line.kind in (RUN, COUNT) and not gone:
            groups[_identity(line)].append(line)
    return [_row(group) for group in groups.values()]


def _identity(line: Line) -> tuple[object, ...]:
    task, algo = line.task, line.algorithm
    what = (line.kind, task.name, task.access, task.config_sha256, _rounded(task.bar))
    count = line.kind == COUNT  # the same on every machine
    where = (source_of(line), line.host.threads, None if count else line.host.device_class)
    seed = line.draw.seed if count else None
    return (*what, algo.name, algo.config_sha256, *where, seed)


def _rounded(bar: float | None) -> float | None:
    """To nine digits: a bar that is computed (that of the grammar) differs between processors in its last."""
    return None if bar is None else float(f"{bar:.9g}")


def source_of(line: Line) -> str:
    """How joules are known; of the model cpu_time, with its watts."""
    watts = line.settings.get("meters", {}).get("cpu_time", {}).get(WATTS)
    if line.source == "modelled:cpu_time" and watts is not None:
        return f"{line.source} ({watts:g} W per CPU)"
    return line.source


def _row(group: Sequence[Line]) -> Row:
    last = group[-1]
    code = (last.algorithm.code_sha256, last.code.commit)
    same = [line for line in group if (line.algorithm.code_sha256, line.code.commit) == code]
    texts = {line.task.data.get("sha256") for line in same}
    trained = [row for line in same for row in line.energy if row.phase == "train"]
    boards = last.meter.get("nvml", {}).get("boards", [])
    drop = ("seed=", "results=", "tracker")
    row = Row(
        kind=last.kind,
        task=last.task.name,
        variant=last.task.variant,
        access=last.task.access,
        bar=_rounded(last.task.bar),
        task_config=last.task.config,
        task_sha256=last.task.config_sha256,
        text_sha256=texts.pop() if len(texts) == 1 else None,
        draws_sha256=last.task.data_sha256 if last.kind == COUNT else None,
        algo=last.algorithm.name,
        algo_config=last.algorithm.config,
        algo_sha256=last.algorithm.config_sha256,
        code_sha256=last.algorithm.code_sha256,
        commit=last.code.commit,
        threads=last.host.threads,
        seeds=list(dict.fromkeys(line.draw.seed for line in same)),
        words=[w for w in last.settings.get("overrides", []) if not w.startswith(drop)],
        source=source_of(last),
        device_class=last.host.device_class,
        libraries={**last.host.libraries, "python": last.host.python},
        boards=sorted(str(board["uuid"]) for board in boards if board.get("uuid")),
        gain_rel=max((row.gain_rel for row in trained), default=0.0),
        left_out=len(group) - len(same) if last.kind == RUN else 0,
    )
    if last.kind == COUNT:
        row.run, row.started_at = last.run, last.started_at
        row.counts = last.counts if last.status == "ok" else None
        row.floor_j = sum(r.gross_j / r.repeats for r in last.energy if r.phase == "train")
        if row.counts is None:
            row.failed = [f"{last.run}: {last.error}"]
        return row
    row.failed = [f"{line.run}: {line.error}" for line in same if not _finished(line)]
    for line in filter(_finished, same):
        assert line.headline and line.score
        row.score_name, row.score_unit = line.score.name, line.score.unit
        row.score_margin = line.score.margin
        row.more_is_better = line.score.direction == "max"
        row.samples.append(
            Sample(
                run=line.run,
                seed=line.draw.seed,
                started_at=line.started_at,
                joules_per_accuracy=line.headline.joules_per_accuracy,
                energy_j=line.headline.energy_j.value,
                score=line.score.value,
                skill=line.score.skill,
                met=line.score.target_met,
                wall_s=line.headline.wall_s,
                empty_j=line.empty.energy_j if line.empty else None,
            )
        )
    return row


def _finished(line: Line) -> bool:
    return line.status == "ok" and line.headline is not None and line.score is not None


def sha256_of(line: bytes) -> str:
    """Of a Record's line, without its newline."""
    return hashlib.sha256(line).hexdigest()
