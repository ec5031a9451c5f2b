"""Records with known figures, for what papers are made of: cube, export and plot."""

from __future__ import annotations

from itertools import count
from typing import Any

import msgspec

from metrics import record as rec
from metrics.record import Record
from tests.test_store import make

NUMBERS = count()


def interval(value: float) -> rec.Interval:
    return rec.Interval(value=value, low=value / 5, high=value * 1.3)


def row(source: str, joules: float, domain: str = "worker") -> rec.EnergyRow:
    """Of one training."""
    return rec.EnergyRow(
        phase="train",
        domain=domain,
        source=source,
        gross_j=joules,
        low_j=joules / 5,
        high_j=joules * 1.3,
        window_s=1.0,
        repeats=1,
        resolution_s=1e-6,
    )


def sat(algo: str, joules: float, score: float = 1.4, **changes: Any) -> Record:
    """A finished run on text, held to 1.47 nats per byte. changes: text, bar, config, process, source,
    device, wall_s, rows, and any field of a Record."""
    text, bar = changes.pop("text", "tinyshakespeare"), changes.pop("bar", 1.47)
    config, source = changes.pop("config", 0), changes.pop("source", "modelled:cpu_time")
    plain = make(f"2026-{next(NUMBERS):06d}")
    words = ["task=nanogpt", f"task.text={text}", f"algo={algo}"]
    fields: dict[str, Any] = {
        "status": "ok",
        "error": None,
        "task": msgspec.structs.replace(
            plain.task,
            name="nanogpt",
            variant=f"{text} split=random",
            access="text",
            config={"text": text},
            bar=bar,
            margin=0.02,
        ),
        "algorithm": msgspec.structs.replace(
            plain.algorithm, name=algo, config={"n": config}, config_sha256=f"{algo}{config}"
        ),
        "score": rec.ScoreResult(
            name="loss",
            unit="nats/byte",
            value=score,
            se=0.01,
            target=bar,
            target_met=None if bar is None else score <= bar,
            direction="min",
            margin=0.02,
            chance=3.0,
            perfect=0.0,
            skill=1 - score / 3,
            predictions=1000,
            per_draw=[score],
            draws_met=1,
        ),
        "headline": rec.Headline(
            source=source,
            modelled=source.startswith("modelled"),
            domains=["worker"],
            energy_j=interval(joules),
            cold_j=interval(joules + 1),
            inference_j=interval(1e-6),
            joules_per_accuracy=joules / (1 - score / 3),
            net_j=None,
            wall_s=changes.pop("wall_s", joules),
            cpu_s=joules,
        ),
        "energy": changes.pop("rows", [row(source, joules)]),
        "source": source,
        "settings": {"overrides": words},
        "host": msgspec.structs.replace(
            plain.host, device_class=changes.pop("device", "cpu: c x2")
        ),
    }
    return msgspec.structs.replace(plain, **{**fields, **changes})


def counted(of: Record, operations: int, notes: list[str] | None = None) -> Record:
    """What `bench count` leaves of the same algorithm and task."""
    counts = rec.CountInfo(
        operations={"fp32_mul": operations},
        read_bytes=2 * operations,
        written_bytes=operations,
        communication_bytes=0,
        peak_bytes=8,
        how=["torch"],
        notes=notes or [],
    )
    source = "modelled:operations-45nm (floor)"
    return msgspec.structs.replace(
        of,
        run=f"{of.run}-counted",
        kind=rec.COUNT,
        counts=counts,
        headline=None,
        source=source,
        energy=[row(source, operations * 1e-12, "counted")],
    )


def curve(algo: str, points: list[tuple[float, float]], **changes: Any) -> Record:
    """(J, score) at every pause."""
    made = [
        rec.CurvePoint(
            step=i,
            of=len(points),
            loss=None,
            energy_j=interval(joules),
            wall_s=joules,
            cpu_s=joules,
            score=score,
            score_se=0.01,
            evaluation_s=1.0,
        )
        for i, (joules, score) in enumerate(points, start=1)
    ]
    return sat(algo, *points[-1], kind=rec.CURVE, curve=made, **changes)
