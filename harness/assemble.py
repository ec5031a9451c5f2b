"""From what is known of a run to its Record."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness import host
from harness.found import sha256
from harness.pictures import save
from harness.sitting import Sitting
from metrics import record as rec
from metrics.meter import headline
from metrics.record import Record
from tasks.base import Draw, Score, Target

if TYPE_CHECKING:
    from harness.runner import Run

SCORE_FROM_TARGET = ("name", "unit", "direction", "margin", "chance", "perfect")


@dataclass
class Outcome:
    """What is known of a run so far; a Record can be made of it at any moment."""

    draws: list[Draw] = field(default_factory=list)
    nonce: int = 0
    data_sha256: str | None = None
    data: dict[str, Any] = field(default_factory=dict)
    target: Target | None = None
    sitting: Sitting | None = None
    rows: list[rec.EnergyRow] = field(default_factory=list)
    meter: dict[str, Any] = field(default_factory=dict)
    score: Score | None = None
    per_draw: list[float] = field(default_factory=list)
    audit: dict[str, Any] | None = None
    empty: rec.EmptyInfo | None = None
    pilots: list[dict[str, float]] = field(default_factory=list)
    pictures: dict[str, bytes] = field(default_factory=dict)
    curve: list[rec.CurvePoint] = field(default_factory=list)
    counts: rec.CountInfo | None = None
    warnings: list[str] = field(default_factory=list)


def assemble(run: Run, outcome: Outcome, status: rec.Status, error: str | None) -> Record:
    """A Record at whatever point the run has reached; what was not reached stays empty."""
    config, sitting, target = run.config, outcome.sitting, outcome.target
    score = head = None
    warnings = [*run.notes, *outcome.warnings]
    if status == "ok" and outcome.score and sitting and target:
        skill = target.skill(outcome.score.value)
        per_draw = outcome.per_draw
        score = rec.ScoreResult(
            **{name: getattr(target, name) for name in SCORE_FROM_TARGET},
            value=outcome.score.value,
            se=outcome.score.se if math.isfinite(outcome.score.se) else None,
            target=target.value,
            target_met=target.met(outcome.score.value),
            skill=skill,
            predictions=outcome.score.predictions,
            per_draw=per_draw if len(per_draw) <= 64 else [],
            draws_met=sum(target.met(v) is True for v in per_draw),
            secondary=outcome.score.secondary,
        )
        each = outcome.score.predictions // len(outcome.draws)
        head = headline(run.meter, outcome.rows, sitting.phases, each, skill)
        trained_s = [p.wall_s for p in sitting.phases if p.phase == "train"]
        if sum(trained_s) < run.meter.floor_s:
            warnings.append(
                f"the training window of {sum(trained_s):.3g} s is below the meter's "
                f"floor of {run.meter.floor_s:g} s"
            )
        if outcome.empty and head.energy_j.value < 3 * outcome.empty.energy_j:
            share = outcome.empty.energy_j / head.energy_j.value
            warnings.append(
                f"{100 * min(1, share):.0f} % of the energy is what the path itself costs"
            )
    trace = sitting.save_trace(run.run) if sitting else None
    pictures = []
    if status == "ok" and sitting:
        pictures = save(sitting, outcome.pictures, run.folder, run.run, run.hooks.say)
    warnings += sitting.warnings if sitting else []
    code_sha256, code_bytes = run.code
    return Record(
        schema_version=rec.SCHEMA_VERSION,
        kind=run.kind,
        run=run.run,
        status=status,
        error=error,
        started_at=run.started.isoformat(timespec="seconds"),
        task=rec.TaskInfo(
            name=config.task.name,
            family=run.task.family,
            variant=run.task.variant,
            access=run.task.access,
            target=config.task.target,
            config=config.task.fields,
            config_sha256=sha256(config.task),
            data_sha256=outcome.data_sha256,
            data=outcome.data,
            bar=target.value if target else None,
            margin=target.margin if target else None,
            ladder=run.task.compared_at(),
        ),
        algorithm=rec.AlgorithmInfo(
            name=config.algo.name,
            target=config.algo.target,
            config=config.algo.fields,
            config_sha256=sha256(config.algo),
            code_sha256=code_sha256,
            code_bytes=code_bytes,
            config_bytes=len(rec.canonical(config.algo.fields)),
            adapts=sitting.adapts if sitting else None,
        ),
        process=run.process,
        found=run.found,
        exam=run.exam,
        draw=rec.DrawInfo(
            seed=config.seed,
            nonce=f"{outcome.nonce:032x}",
            repeats=len(outcome.draws),
            replay_of=run.replay_of,
            shared=run.nonce is not None and run.replay_of is None,
            queries=sitting.queries if sitting else 0,
            pilots=outcome.pilots,
        ),
        score=score,
        headline=head,
        energy=outcome.rows,
        source=run.meter.source,
        phases=sitting.phases if sitting else [],
        empty=outcome.empty,
        isolation="interface",
        audit=outcome.audit or {},
        host=host.describe(run.threads, outcome.meter),
        code=host.code(),
        settings={
            "overrides": config.overrides,
            "meter": config.meter,
            "why_meter": run.why_meter,
            "meters": {c.name: c.fields for c in config.meters if c.name in run.meter.names},
            "threads": config.threads,
            "repeats": config.repeats,
            "settle_s": config.settle_s,
            "limits": config.limits,
            **run.marks,
        },
        meter=outcome.meter,
        trace=trace,
        pictures=pictures,
        curve=outcome.curve,
        counts=outcome.counts,
        warnings=warnings,
    )


def hash_draws(draws: list[Draw]) -> str:
    """SHA-256 over every array of every draw, keys included: what exactly was asked."""
    digest = hashlib.sha256()
    for draw in draws:
        for part in (draw.train, draw.key):
            for name in sorted(part):
                digest.update(f"{name} {part[name].dtype.str} {part[name].shape}".encode())
                digest.update(part[name].tobytes())
    return digest.hexdigest()
