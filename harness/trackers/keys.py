"""What is told of a run, by name: one place for who writes it and for the dashboard that reads it.

Joules are never without their kind: `measured_j` and `modelled_j` are two names, so that no plot or sum
can mix them. Everything here is made of a Record, or of samples, and of plain values.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from harness.trackers.base import Sample
from metrics.record import EnergyRow, Interval, Record

KINDS = ("measured", "modelled")
PHASES = ("setup", "idle", "train", "evaluation", "inference")
SECONDS = "live/seconds"  # the x axis of samples: since the run began
POWER_S = "power/seconds"  # likewise, of the trace
MOST_ROWS = 2000  # of a power trace; longer ones are averaged over equal stretches of time
# Which series has which x axis. A sample's step is a series of its own, to be chosen as x where wanted.
AXES = {
    SECONDS: [f"{phase}/*" for phase in PHASES],
    POWER_S: ["power/*"],
    **{f"curve/{kind}_j": [f"curve/{kind}/*"] for kind in KINDS},
}
INTERVALS = {  # of a headline: name there, name here
    "energy_j": "energy_j",
    "net_j": "net_j",
    "cold_j": "cold_j",
    "inference_j": "inference_j",
}


def kind_of(modelled: bool) -> str:
    """ "modelled" or "measured"."""
    return KINDS[modelled]


def config(**parts: Any) -> dict[str, Any]:
    """What was asked for, plain. Names by which runs are grouped stand on top, all else below them."""
    task, algorithm = parts.pop("task"), parts.pop("algorithm")
    source, device_class = parts.pop("source"), parts["host"].device_class
    found = {
        "run": parts.pop("run"),
        "kind": parts.pop("kind"),
        "task": task["name"],
        "variant": task["variant"],
        "access": task["access"],
        "algo": algorithm["name"],
        "seed": parts.pop("seed"),
        "process": parts.pop("process"),
        "meter": parts.pop("meter"),
        "source": source,
        "device_class": device_class,
        "board": board(task["name"], task["variant"], task["access"], source, device_class),
        "task_config": task["config"],
        "algo_config": algorithm["config"],
        "algo_target": algorithm["target"],
        "hashes": {
            "task_config": task["config_sha256"],
            "algo_config": algorithm["config_sha256"],
            "algo_code": algorithm["code_sha256"],
        },
        **{name: value for name, value in parts.items() if value},
    }
    return dict(msgspec.to_builtins(found))


def board(*names: str) -> str:
    """Twelve letters for all that may be compared: task, variant, access, source, device class. W&B's own
    library alters filters for texts like "n=20"; these it leaves alone."""
    return "b" + hashlib.sha256(json.dumps(names).encode()).hexdigest()[:11]


def config_of(record: Record) -> dict[str, Any]:
    """The same of a Record, which knows more: the draw, its hash, the meters as they turned out."""
    task, algorithm, settings = record.task, record.algorithm, record.settings
    found = config(
        run=record.run,
        kind=record.kind,
        task={name: getattr(task, name) for name in task.__struct_fields__},
        algorithm={name: getattr(algorithm, name) for name in algorithm.__struct_fields__},
        seed=record.draw.seed,
        meter=settings.get("meter", ""),
        source=record.source,
        process=record.process,
        host=record.host,
        code=record.code,
        overrides=settings.get("overrides", []),
        exam=record.exam,
        trial=settings.get("trial", {}),
        draw=record.draw,
        settings={k: v for k, v in settings.items() if k not in ("overrides", "trial")},
        meters=record.meter,
        isolation=record.isolation,
        bar=record.task.bar,
    )
    found["hashes"]["data"] = record.task.data_sha256
    return found


def summary(record: Record) -> dict[str, Any]:
    """The result, flat. A name is there only where its figure is."""
    found: dict[str, Any] = {
        "status": record.status,
        "error": record.error,
        "process": record.process,
        "source": record.source,
        "modelled": record.source.startswith("modelled"),
        "warnings": len(record.warnings),
        "warning_text": "\n".join(record.warnings),
        "repeats": record.draw.repeats,
    }
    if score := record.score:
        found |= {
            "score": score.value,
            "score_se": score.se,
            "score_name": score.name,
            "score_unit": score.unit,
            "target": score.target,
            "target_met": score.target_met,
            "skill": score.skill,
            **{f"secondary/{name}": value for name, value in score.secondary.items()},
        }
    if head := record.headline:
        kind = kind_of(head.modelled)
        for there, here in INTERVALS.items():
            found |= interval(f"{kind}_{here}", getattr(head, there))
        found[f"{kind}_joules_per_accuracy"] = head.joules_per_accuracy
        found |= {"wall_s": head.wall_s, "cpu_s": head.cpu_s, "domains": "+".join(head.domains)}
    for name in dict.fromkeys(phase.phase for phase in record.phases):
        phases = [phase for phase in record.phases if phase.phase == name]
        found[f"phase/{name}/wall_s"] = sum(phase.wall_s for phase in phases)
        found[f"phase/{name}/cpu_s"] = sum(phase.cpu_s for phase in phases)
    for row in counted(record):
        name = f"phase/{row.phase}/{row.source.partition(':')[0]}_j"
        found[name] = found.get(name, 0.0) + row.gross_j
    if counts := record.counts:
        found |= {f"counted/{kind}": number for kind, number in counts.operations.items()}
        for name in ("read_bytes", "written_bytes", "communication_bytes", "peak_bytes"):
            found[f"counted/{name}"] = getattr(counts, name)
    return {name: value for name, value in found.items() if value is not None}


def interval(name: str, value: Interval | None) -> dict[str, float]:
    """A value and its ends."""
    if value is None:
        return {}
    return {name: value.value, f"{name}_low": value.low, f"{name}_high": value.high}


def counted(record: Record) -> list[EnergyRow]:
    """The rows that a headline sums, or would sum: sources of the Record's own, no domain twice."""
    kind, _, names = record.source.partition(":")
    sources = [f"{kind}:{name}" for name in names.split("+")]
    rows = [row for row in record.energy if row.source in sources]
    owner: dict[str, str] = {}
    for row in sorted(rows, key=lambda row: sources.index(row.source)):
        owner.setdefault(row.domain, row.source)
    return [row for row in rows if owner[row.domain] == row.source]


def sample(sample: Sample, modelled: bool | None) -> dict[str, Any]:
    """One look at a run."""
    found: dict[str, Any] = {SECONDS: sample.at_s, "live/sitting": sample.sitting}
    if sample.joules is not None and modelled is not None:
        found[f"{sample.phase}/{kind_of(modelled)}_j"] = sample.joules
    if sample.loss is not None:
        found[f"{sample.phase}/loss"] = sample.loss
    if sample.step:
        found[f"{sample.phase}/step"] = sample.step
    return found


def curve(record: Record) -> list[dict[str, Any]]:
    """The points of `bench curve`, over the joules that training had taken by then."""
    kind = kind_of(record.source.startswith("modelled"))
    rows = []
    for point in record.curve:
        values = {
            **{name: getattr(point, name) for name in ("score", "score_se", "loss", "step")},
            **{name: getattr(point, name) for name in ("wall_s", "cpu_s", "evaluation_s")},
            "j_low": point.energy_j.low,
            "j_high": point.energy_j.high,
        }
        row = {f"curve/{kind}/{name}": value for name, value in values.items() if value is not None}
        rows.append({f"curve/{kind}_j": point.energy_j.value, **row})
    return rows


def tables(record: Record) -> dict[str, tuple[list[str], list[list[Any]]]]:
    """Phases with begin and end (s since the first began), and every energy row: columns and rows."""
    zero_s = record.phases[0].begin_unix_s if record.phases else 0.0
    phases = [
        {"begin_s": p.begin_unix_s - zero_s, "end_s": p.begin_unix_s - zero_s + p.wall_s}
        | msgspec.to_builtins(p)
        for p in record.phases
    ]
    energy = [
        {k: ", ".join(v) if k == "flags" else v for k, v in msgspec.to_builtins(row).items()}
        for row in record.energy
    ]
    named = {"phases": phases, "energy": energy}
    return {
        name: (list(rows[0]), [list(row.values()) for row in rows])
        for name, rows in named.items()
        if rows
    }


def power(path: Path) -> list[dict[str, Any]]:
    """A trace's rows by `power/<column>`, thinned to MOST_ROWS by means, each with its phase.

    Raises OSError or ValueError where the file cannot be read, ImportError without pyarrow.
    """
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    t_s = table["t_s"].to_numpy()
    columns = {
        name: table[name].to_numpy(zero_copy_only=False).astype(float)
        for name in table.column_names
        if name != "t_s"
    }
    spans = json.loads((table.schema.metadata or {}).get(b"phases", b"[]"))
    rows = []
    for part in np.array_split(np.arange(len(t_s)), min(len(t_s), MOST_ROWS)) if len(t_s) else []:
        row: dict[str, Any] = {POWER_S: float(t_s[part].mean()), "power/samples": len(part)}
        for span in spans:
            if span["begin_s"] <= row[POWER_S] <= span["end_s"]:
                row["power/phase"] = span["phase"]
        for name, values in columns.items():
            seen = values[part][np.isfinite(values[part])]
            if len(seen):
                row[f"power/{name}"] = float(seen.mean())
        rows.append(row)
    return rows
