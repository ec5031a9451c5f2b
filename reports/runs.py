"""What one run, or two, have to say."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from metrics.record import COUNT, MEASURED_COMMAND, Record, ScoreResult, encode, json_schema
from metrics.store import Store
from reports.count import figures, print_count
from reports.curve import print_curve
from reports.units import interval, scaled
from reports.units import score as scored


def print_result(record: Record, kept: str) -> None:
    """The short result of a finished run, on standard output."""
    if record.kind == MEASURED_COMMAND:
        print_measured(record, kept, sys.stdout)
        return
    if record.kind == COUNT:
        print_count(record, kept)
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(
        f"{record.task.name} ({record.task.variant}) · {record.algorithm.name} · "
        f"seed {record.draw.seed}",
        style="bold",
        markup=False,
    )
    score, head = record.score, record.headline
    if score is None or head is None:
        if record.curve:
            print_curve(record)
        return
    rows = [
        ("score", f"{scored(score.value, score.se, score.unit)} {score.name}, {_target(score)}")
    ]
    for name, value in score.secondary.items():
        rows.append(("", f"{value:.4f} {name.replace('_', ' ')}"))
    per = (
        f"per training, {record.draw.repeats} draws in one window"
        if record.draw.repeats > 1
        else ("for the training")
    )
    rows.append(("energy", f"{interval(head.energy_j, 'J')} {per}; {head.source}"))
    if head.net_j and not head.modelled:
        rows.append(("", f"{interval(head.net_j, 'J')} above idle"))
    rows += [
        ("cold", f"{interval(head.cold_j, 'J')} setup, one training, one examination"),
    ]
    if head.inference_j:
        rows.append(("inference", f"{interval(head.inference_j, 'J')} per prediction"))
    if head.joules_per_accuracy is not None and score.target_met is not False:
        rows.append(
            (
                "",
                f"{scaled(head.joules_per_accuracy, 'J')} per unit of skill (skill {score.skill:.3f})",
            )
        )
    rows.append(("time", f"{scaled(head.wall_s, 's')} wall, {scaled(head.cpu_s, 's')} CPU"))
    if record.empty:
        rows.append(
            ("empty", f"{scaled(record.empty.energy_j, 'J')} for an algorithm that learns nothing")
        )
    if record.draw.queries:
        rows.append(
            ("queries", f"{record.draw.queries / record.draw.repeats:.4g} labels per training")
        )
    if record.settings.get("meter") == "auto":
        rows.append(("meter", record.settings["why_meter"]))
    if record.trace:
        rows.append(("trace", f"{Path(kept).parent / record.trace} (and .png)"))
    rows += [("picture", str(Path(kept).parent / picture)) for picture in record.pictures]
    rows += [("warning", warning) for warning in record.warnings]
    rows.append(("record", f"{record.run} in {kept}"))
    for name, text in rows:
        console.print(f"{name:<9} {text}", markup=False)
    if record.curve:
        print_curve(record)


def print_measured(record: Record, kept: str, file: TextIO) -> None:
    """The short result of a measured command."""
    console = Console(highlight=False, soft_wrap=True, file=file)
    console.print(f"[bold]{escape(record.algorithm.name)}[/] · {record.error or record.status}")
    head, rows = record.headline, []
    if head:
        rows.append(("energy", f"{interval(head.energy_j, 'J')} in all; {head.source}"))
        if head.net_j and not head.modelled:
            rows.append(("", f"{interval(head.net_j, 'J')} above idle"))
        rows.append(("time", f"{scaled(head.wall_s, 's')} wall, {scaled(head.cpu_s, 's')} CPU"))
    rows += [("warning", warning) for warning in record.warnings]
    if record.trace:
        rows.append(("trace", f"{Path(kept).parent / record.trace} (and .png)"))
    rows.append(("record", f"{record.run} in {kept}"))
    for name, text in rows:
        console.print(f"{name:<9} {text}", markup=False)


def _target(score: ScoreResult) -> str:
    if score.target is None:
        return "no target set"
    sign = "≥" if score.direction == "max" else "≤"
    return f"target {sign} {score.target:.4g}: {'met' if score.target_met else 'not met'}"


def show(folder: Path, run: str, as_json: bool) -> int:
    """Everything that a Record holds, or its JSON."""
    store = Store(folder)
    record = store.find(run)
    if as_json:
        print(json.dumps(json.loads(encode(record)), indent=2))
        return 0
    console = Console(highlight=False, soft_wrap=True)
    print_result(record, str(store.path))
    if record.error and record.kind != MEASURED_COMMAND:
        console.print(f"{record.status}: {record.error}", markup=False)
    phases = Table(title="\nphases", title_justify="left", box=None, pad_edge=False)
    for name in ("phase", "wall", "CPU", "peak memory", "repeats"):
        phases.add_column(name, justify="left" if name == "phase" else "right")
    for phase in record.phases:
        phases.add_row(
            phase.phase,
            scaled(phase.wall_s, "s"),
            scaled(phase.cpu_s, "s"),
            scaled(phase.peak_rss_bytes, "B"),
            str(phase.repeats),
        )
    console.print(phases)
    energy = Table(
        title="\nenergy of whole windows", title_justify="left", box=None, pad_edge=False
    )
    for name in ("phase", "domain", "gross", "low", "high", "idle", "net", "source"):
        energy.add_column(
            name, justify="left" if name in ("phase", "domain", "source") else "right"
        )
    for row in record.energy:
        figures = (row.gross_j, row.low_j, row.high_j, row.idle_j, row.net_j)
        energy.add_row(
            row.phase,
            row.domain,
            *(scaled(j, "J") for j in figures),
            row.source + "".join(f"; {flag}" for flag in row.flags),
        )
    console.print(energy)
    code, host, algorithm = record.code, record.host, record.algorithm
    nonce = record.draw.nonce + (
        f", replay of {record.draw.replay_of}" if record.draw.replay_of else ""
    )
    dirty = {True: ", with uncommitted changes", False: "", None: ""}[code.dirty]
    facts = {
        "started": record.started_at,
        "task": f"{json.dumps(record.task.config)} sha256 {record.task.config_sha256[:12]}",
        "data": f"{json.dumps(record.task.data)} draws sha256 {(record.task.data_sha256 or '')[:12]}",
        "algorithm": f"{json.dumps(algorithm.config)} sha256 {algorithm.config_sha256[:12]}",
        "its code": f"{algorithm.code_bytes} bytes, sha256 {algorithm.code_sha256[:12]}",
        "adapts": str(algorithm.adapts),
        "draw": f"seed {record.draw.seed}, nonce {nonce}",
        "isolation": record.isolation,
        "audit": json.dumps(record.audit),
        "program": f"joulebench {code.version}, commit {code.commit or 'unknown'}{dirty}",
        "device": f"{host.device_class}, {host.threads} threads, {host.platform}",
        "libraries": f"Python {host.python}, "
        + ", ".join(f"{name} {version}" for name, version in host.libraries.items()),
    }
    if record.kind == MEASURED_COMMAND:
        facts["command"] = facts["algorithm"]
        for name in ("task", "data", "algorithm", "its code", "adapts", "draw"):
            del facts[name]
    console.print()
    for name, text in facts.items():
        console.print(f"{name:<9} {text}", markup=False)
    return 0


def compare(folder: Path, a: str, b: str) -> int:
    """Two runs side by side, with ratios where both figures come from one box and one source."""
    store = Store(folder)
    left, right = store.find(a), store.find(b)
    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    table.add_column(f"A  {left.run}")
    table.add_column(f"B  {right.run}")
    table.add_column("B / A", justify="right")
    table.add_row("algorithm", left.algorithm.name, right.algorithm.name, "")
    table.add_row("task", left.task.variant, right.task.variant, "")
    table.add_row("status", left.status, right.status, "")
    apart = _apart(left, right)
    if left.score and right.score:
        table.add_row(
            "score", *(scored(s.value, s.se, s.unit) for s in (left.score, right.score)), ""
        )
        table.add_row("target", _target(left.score), _target(right.score), "")
    if left.headline and right.headline:
        one, two = left.headline, right.headline
        per_prediction = []
        each = "J" if left.kind == MEASURED_COMMAND else "J per training"
        if one.inference_j and two.inference_j:
            x, y = one.inference_j.value, two.inference_j.value
            per_prediction.append(("J per prediction", "J", x, y))
        for name, unit, x, y in (
            (each, "J", one.energy_j.value, two.energy_j.value),
            ("cold J", "J", one.cold_j.value, two.cold_j.value),
            *per_prediction,
            ("wall s", "s", one.wall_s, two.wall_s),
            ("CPU s", "s", one.cpu_s, two.cpu_s),
        ):
            ratio = f"{y / x:.3g}" if x and not apart else ""
            table.add_row(name, scaled(x, unit), scaled(y, unit), ratio)
        table.add_row("source", one.source, two.source, "")
    if left.counts and right.counts:
        ours, theirs = dict(figures(left.counts)), dict(figures(right.counts))
        for name in dict.fromkeys([*ours, *theirs]):
            table.add_row(name, ours.get(name, "0"), theirs.get(name, "0"), "")
    console.print(table)
    for key in sorted({*left.algorithm.config, *right.algorithm.config}):
        before, after = left.algorithm.config.get(key), right.algorithm.config.get(key)
        if left.algorithm.name == right.algorithm.name and before != after:
            console.print(f"algo.{key}: {before} → {after}", markup=False)
    for reason in apart:
        print(f"no ratios: {reason}", file=sys.stderr)
    return 0


def _apart(left: Record, right: Record) -> list[str]:
    """Why two runs' joules must not be divided by each other."""
    reasons = []
    if (left.task.variant, left.task.access) != (right.task.variant, right.task.access):
        reasons.append("the runs sat different tasks")
    if left.kind != right.kind:
        reasons.append(f"one is a {left.kind}, the other a {right.kind}")
    if left.host.device_class != right.host.device_class:
        reasons.append(f"different devices ({left.host.device_class}; {right.host.device_class})")
    if left.headline and right.headline and left.headline.source != right.headline.source:
        reasons.append(
            f"different energy sources ({left.headline.source}; {right.headline.source})"
        )
    return reasons


def schema() -> int:
    """The JSON Schema of a Record."""
    print(json.dumps(json_schema(), indent=2))
    return 0
