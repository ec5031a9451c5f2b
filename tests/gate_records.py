"""Records with figures of one's choice, as a results folder holds them, and checks of them by the gate."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from metrics import record as rec
from metrics.record import Record, encode
from metrics.store import Store
from reports.baseline import read, write
from reports.gate import Gate, Rules, gate
from reports.gate_lines import Line
from reports.gate_rows import Row, rows_of

NVML = "measured:nvml"
FLOOR = "modelled:operations-45nm (floor)"
THEN = (98.0, 102.0, 100.0, 99.0, 101.0)  # J of five runs; they scatter by 1.6 %
DEFAULT = Rules()
_number = itertools.count()


def run(joules: float, skill: float = 0.98, seed: int = 0, **changes: Any) -> Record:
    """A finished run of `tiny` on a task whose bar is an accuracy of 0.95.

    changes: fields of the Record, or `algo`, `algo_config`, `task_config`, `device`, `boards`, `watts`,
    `libraries`, `text`, `commit`, `met`, `empty_j`.
    """
    source = changes.pop("source", NVML)
    value = (1 + skill) / 2
    met = changes.pop("met", value >= 0.95)
    boards = [{"name": "Stand-in GPU", "uuid": uuid} for uuid in changes.pop("boards", ["GPU-1"])]
    watts = changes.pop("watts", 3.5)
    empty_j = changes.pop("empty_j", None)
    whole = rec.Interval(value=joules, low=0.98 * joules, high=1.02 * joules)
    made = _record(
        changes,
        kind=rec.RUN,
        seed=seed,
        source=source,
        score=rec.ScoreResult(
            name="accuracy",
            unit="1",
            value=value,
            se=0.001,
            target=0.95,
            target_met=met,
            direction="max",
            margin=0.01,
            chance=0.5,
            perfect=1.0,
            skill=skill,
            predictions=1000,
            per_draw=[value],
            draws_met=1,
        ),
        headline=rec.Headline(
            source=source,
            modelled=source.startswith("modelled"),
            domains=["gpu0"],
            energy_j=whole,
            cold_j=whole,
            inference_j=None,
            joules_per_accuracy=joules / skill if skill > 0 else None,
            net_j=None,
            wall_s=1.0,
            cpu_s=1.0,
        ),
        energy=[_energy(source, joules, gain_rel=0.05)],
        meter={"nvml": {"boards": boards}} if source == NVML else {},
    )
    made.settings["meters"] = {"cpu_time": {"w_per_cpu_s": watts}} if source != NVML else {}
    empty = (
        rec.EmptyInfo(energy_j=empty_j, wall_s=0.1, cpu_s=0.1, inference_j=0.0) if empty_j else None
    )
    return msgspec.structs.replace(made, empty=empty, **changes)


def failed(**changes: Any) -> Record:
    """A run that crashed."""
    made = run(1.0, **changes)
    error = "the worker was killed"
    return msgspec.structs.replace(made, status="failed", error=error, score=None, headline=None)


def count(operations: int = 1000, read: int = 400, seed: int = 0, **changes: Any) -> Record:
    """A count of `tiny`: so many additions, and bytes. changes: as for `run`, or `draw`."""
    draw = changes.pop("draw", "d")
    source = changes.pop("source", FLOOR)
    counts = rec.CountInfo(
        operations={"fp32_add": operations, "fp32_mul": 10},
        read_bytes=read,
        written_bytes=100,
        communication_bytes=0,
        peak_bytes=changes.pop("peak", 64),
        how=["numpy"],
        notes=["python code is not counted"],
    )
    floor_j = 0.9e-12 * operations + 1.25e-12 * (read + 100)
    made = _record(
        changes,
        kind=rec.COUNT,
        seed=seed,
        source=source,
        score=None,
        headline=None,
        energy=[_energy(source, floor_j)],
        counts=counts,
    )
    task = msgspec.structs.replace(made.task, data_sha256=draw * 64)
    return msgspec.structs.replace(made, task=task, **changes)


def _energy(source: str, joules: float, gain_rel: float = 0.0) -> rec.EnergyRow:
    return rec.EnergyRow(
        phase="train",
        domain="gpu0",
        source=source,
        gross_j=joules,
        low_j=0.98 * joules,
        high_j=1.02 * joules,
        window_s=1.0,
        repeats=1,
        resolution_s=0.02,
        gain_rel=gain_rel,
    )


def _record(changes: dict[str, Any], *, seed: int, **fields: Any) -> Record:
    algo, algo_config = changes.pop("algo", "tiny"), changes.pop("algo_config", {"width": 8})
    task_config = changes.pop("task_config", {"n": 20})
    text = changes.pop("text", None)
    threads = changes.pop("threads", 1)
    number = next(_number)
    name = f"20260101-000000-{number:06x}"
    return Record(
        schema_version=rec.SCHEMA_VERSION,
        run=name,
        status="ok",
        error=None,
        started_at="2026-01-01T00:00:00+00:00",
        task=rec.TaskInfo(
            name="toy",
            family="classification",
            variant="n=20",
            access="samples",
            target="tasks.toy.Toy",
            config=task_config,
            config_sha256=_digest(task_config),
            data_sha256=f"{number:064x}",
            data={"name": "text", "sha256": text} if text else {},
            bar=0.95,
            margin=0.01,
        ),
        algorithm=rec.AlgorithmInfo(
            name=algo,
            target="algorithms.tiny.Tiny",
            config=algo_config,
            config_sha256=_digest(algo_config),
            code_sha256=changes.pop("code", "c") * 64,
            code_bytes=100,
            config_bytes=10,
        ),
        process="as_published",
        draw=rec.DrawInfo(seed=seed, nonce=f"{number:032x}", repeats=1),
        phases=[],
        empty=None,
        isolation="interface",
        audit={},
        host=rec.Host(
            device_class=changes.pop("device", "cpu: c x2; Stand-in GPU x1"),
            cpu="c",
            cores=2,
            threads=threads,
            memory_bytes=1 << 30,
            platform="Linux",
            python="3.11.7",
            libraries=changes.pop("libraries", {"numpy": "2.4.6"}),
            temperature_c=None,
        ),
        code=rec.Code(version="0.1.0", commit=changes.pop("commit", "abc"), dirty=False),
        settings={"overrides": ["task=toy", f"algo={algo}", f"seed={seed}", "results=somewhere"]},
        **fields,
    )


def _digest(config: dict[str, Any]) -> str:
    return hashlib.sha256(rec.canonical(config)).hexdigest()


def sample(values: Sequence[float], **changes: Any) -> list[Record]:
    """A run for each of these joules, with seeds from 0."""
    return [run(joules, seed=seed, **changes) for seed, joules in enumerate(values)]


def save(folder: Path, records: Iterable[Record]) -> Path:
    """Writes them as the Records of a results folder; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "records.jsonl"
    path.write_bytes(b"".join(encode(record) + b"\n" for record in records))
    return folder


def scaled(ratio: float, joules: Sequence[float] = THEN) -> list[float]:
    return [ratio * j for j in joules]


def checked(
    tmp: Path, then: Sequence[Record], now: Sequence[Record], rules: Rules = DEFAULT
) -> Gate:
    """A check through a baseline file and a Records file."""
    write(tmp / "energy.json", Store(save(tmp / "then", then)))
    rows = read(tmp / "energy.json").rows
    return gate(rows, rows_of_file(save(tmp / "now", now)), rules)


def rows_of_file(folder: Path) -> list[Row]:
    return rows_of(Store(folder).load(Line).records)


def line(record: Record) -> Line:
    return msgspec.json.decode(encode(record), type=Line)


def verdicts(found: Gate) -> list[str]:
    return [one.verdict for one in found.findings]
