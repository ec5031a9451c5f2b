"""Verdicts for a page: of every exam beside the Records what verdict.json says, if it is there yet."""

from __future__ import annotations

import contextlib
import math
import shlex
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from metrics.record import ExamInfo
from reports.page.reading import Entry, called, utf8
from reports.verdict_fields import Condition, Verdict, plain
from reports.verdict_lines import cells, labels, paste

NOT_FINISHED = "not finished"
# What is not as `bench exam` writes it may be wrong in any of these ways; those of msgspec are ValueErrors.
ERRORS = (OSError, ValueError, TypeError, AttributeError, RecursionError)


def collect(
    folders: Sequence[Path], entries: list[Entry]
) -> tuple[list[dict[str, Any]], list[str]]:
    """(one dict per exam, the newest first; problems). An exam that lies in two folders is told once."""
    sat: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.record.exam:
            sat[entry.record.exam.exam].append(entry)
    found: dict[str, dict[str, Any]] = {}
    problems = []
    for folder in folders:
        for path in exams(folder):
            where = f"{called(folder)}/exams/{utf8(path.name)}"
            try:
                made = _one(path, sat[path.name])
            except ERRORS as error:
                why = getattr(error, "strerror", None) or str(error)
                problems.append(f"the exam {where} cannot be read: {' '.join(why.split())}")
                continue
            if made:
                found.setdefault(made["name"], {**made, "folder": where})
    return sorted(found.values(), key=lambda v: v["date"] or "", reverse=True), problems


def exams(folder: Path) -> list[Path]:
    """Folders of exams, by name."""
    try:
        return sorted(path for path in (folder / "exams").iterdir() if path.is_dir())
    except OSError:
        return []


def _one(path: Path, sat: list[Entry]) -> dict[str, Any] | None:
    """None where the folder holds neither a verdict nor a plan."""
    plan_path, verdict_path = path / "plan.json", path / "verdict.json"
    if not verdict_path.is_file():
        if not plan_path.is_file():
            return None
        return _unfinished(utf8(path.name), _object(plan_path), sat)
    v = load(verdict_path)
    plan = None
    with contextlib.suppress(OSError, ValueError):  # all that it would add is a date
        plan = _object(plan_path)
    starts = [entry.record.started_at for entry in sat if entry.record.run in set(v.runs)]
    fields = plain(asdict(v))
    return {
        **{name: fields[name] for name in SAME},
        "name": v.exam,
        "verdict": v.word,
        "date": max(starts, default=None) or _text(plan, "declared_at"),
        "declared_at": _text(plan, "declared_at"),
        "sentence": paste(v),
        "sides": dict(zip(("candidate", "baseline"), labels(v), strict=True)),
        "conditions": [_condition(c, v) for c in v.conditions],
        "command": f"bench exam {shlex.join(v.words)}" if v.words else None,
        "runs": v.runs,
        "runs_here": len(starts),
        "figures": {name: fields[name] for name in ("candidate", "baseline", "ablations")},
    }


SAME = (
    *(
        "source",
        "reasons",
        "task",
        "variant",
        "bar",
        "score_name",
        "score_unit",
        "direction",
        "device",
    ),
    *("pairs", "planned", "look", "looks", "more", "effect", "effect_low", "effect_high", "bound"),
    *("scatter", "saving_detectable", "pairs_needed", "cold_ratio", "cold_low", "cold_high"),
    *("cold_word", "notes"),
)


def load(path: Path) -> Verdict:
    """What verdict_fields.write wrote. Raises OSError or ValueError."""
    fields = _object(path)
    for condition in fields.get("conditions") or []:
        for name in ("value", "low", "high", "level", "limit"):
            if condition.get(name) is None:
                condition[name] = math.nan
    return msgspec.convert(fields, Verdict)


def _object(path: Path) -> dict[str, Any]:
    found = msgspec.json.decode(path.read_bytes())
    if not isinstance(found, dict):
        raise ValueError(f"{path.name} holds no object")
    return found


def _condition(c: Condition, v: Verdict) -> dict[str, Any]:
    """estimate, low, high, bar: in `unit`. must, seen, interval, said: the same in words."""
    _, must, seen, ends, said = cells(c, v)
    return {
        "name": c.name,
        "state": c.state,
        "met": {"met": True, "refuted": False}.get(c.state),
        "unit": "times" if c.name in ("energy", "wall") else v.score_unit,
        "estimate": plain(c.value),
        "low": plain(c.low),
        "high": plain(c.high),
        "level": plain(c.level),
        "bar": plain(c.limit),
        "needed": c.needed,
        "must": must,
        "seen": seen,
        "interval": ends,
        "said": said,
    }


def _unfinished(name: str, plan: dict[str, Any], sat: list[Entry]) -> dict[str, Any]:
    """What is known of an exam before its first look: no figure, since looks are declared."""
    infos = [e.record.exam for e in sat if e.record.exam and e.record.status != "interrupted"]
    whole, pairs = _pairs([info for info in infos if not info.void]), int(plan.get("pairs", 0))
    words = [str(word) for word in plan.get("words") or []]
    sides = {
        str(side): str(about.get("algorithm"))
        for side, about in (plan.get("sides") or {}).items()
        if isinstance(about, dict)
    }
    command = f"bench exam {shlex.join(words)}" if words else None
    return {
        "name": name,
        "verdict": NOT_FINISHED,
        "date": max((e.record.started_at for e in sat), default=None) or _text(plan, "declared_at"),
        "declared_at": _text(plan, "declared_at"),
        "sentence": f"{NOT_FINISHED}: {whole} of {pairs} pairs are sat; the same words go on",
        "task": str((plan.get("task") or {}).get("name")),
        "source": _text(plan, "meter"),
        "device": _text(plan, "device"),
        "sides": sides,
        "conditions": [],
        "command": command,
        "pairs": whole,
        "planned": pairs,
        "runs": [e.record.run for e in sat],
        "runs_here": len(sat),
    }


def _text(plan: dict[str, Any] | None, name: str) -> str | None:
    """A field of a plan; None where it is not there, or no text."""
    found = (plan or {}).get(name)
    return found if isinstance(found, str) else None


def _pairs(infos: list[ExamInfo]) -> int:
    """Pairs that every side has sat."""
    sides: Counter[int] = Counter()
    for pair, _ in {(info.pair, info.side) for info in infos}:
        sides[pair] += 1
    return sum(n == len(infos[0].sides) for n in sides.values())
