"""Pages of results with known content, for tests of the page and of the browser that shows it."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import Any

import msgspec

from metrics.record import ExamInfo, Record
from reports.cube_axes import Axes, Problem
from reports.page.data import collect
from tests.papers import curve, sat
from tests.test_export import store

PUBLISHED = Path(__file__).parent.parent / "reports" / "published" / "verdicts" / "exams"
AXES = Axes(
    [Problem("nanogpt", "text", "tinyshakespeare"), Problem("sparse_parity", "rule", "parity")],
    ["as_published", "tpe"],
    frozenset({"backprop"}),
)
EXAM = "sparse_parity-hypercell-bc5b1e"  # a PASS that the project publishes
BAD = '<img src=x onerror="window.pwned=1">'
HOSTILE = [
    BAD,
    "</script><script>window.pwned=1</script>",
    "<!--<script>",
    "n" * 1000,
    "=HYPERLINK(1)",
    '-1\r\n"quoted", twice',
    "__proto__",
    "constructor",
    "${window.pwned=1}",
    "\u2028\u2029",
    "javascript:window.pwned=1",
    "a\udcffb",
]
# Two frames of one pixel each, black and white.
FILM = (
    "R0lGODlhAQABAIAAAAAAAP///yH/C05FVFNDQVBFMi4wAwEAAAAh+QQACgAAACwAAAAAAQABAAACAkQBACH5BAAKAAAALAAAAAAB"
    "AAEAAAICTAEAOw=="
)
DRAWING = base64.b64encode(
    b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9" onload="window.pwned=1"></svg>'
).decode()


def records() -> list[Record]:
    """Runs of three algorithms at two bars, curves of two, a failed one, and one that was measured."""
    made = [
        *(sat("ngram", 0.4 * f, 1.43, config=1) for f in (1.0, 1.1, 1.2)),
        *(sat("backprop", 40.0 * f, 1.45) for f in (1.0, 1.2)),
        sat("mixer", 5.0, 1.37, bar=1.42),
        sat("ngram", 0.2, 1.6),
        sat("backprop", 90.0, source="measured:nvml", device="gpu: H200 x1"),
        *(curve("ngram", [(0.1 * f, 2.0), (0.3 * f, 1.5), (0.5, 1.4)]) for f in (1.0, 1.1, 1.2)),
        curve("mixer", [(1.0, 1.9), (4.0, 1.38)]),
    ]
    failed = msgspec.structs.replace(
        sat("ppm", 1.0), status="failed", error="the algorithm refused", headline=None, score=None
    )
    warned = msgspec.structs.replace(sat("ppm", 1.0), warnings=["the clock was set"])
    return [*made, failed, warned]


def sample(folder: Path, more: list[Record] | None = None) -> dict[str, Any]:
    """What `collect` finds in a folder with `records`, `more`, and two exams, one of them not finished;
    traces and pictures are put in by hand."""
    made = [*records(), *(more or [])]
    plan = json.loads((PUBLISHED / EXAM / "plan.json").read_text())
    info = ExamInfo(
        exam=EXAM,
        plan_sha256="0" * 64,
        pair=1,
        side="candidate",
        position=1,
        sides=["candidate", "baseline"],
        pairs=10,
        extension=0,
        machine="m",
    )
    judged = json.loads((PUBLISHED / EXAM / "verdict.json").read_text())["runs"]
    made[0] = msgspec.structs.replace(made[0], run=judged[0], exam=info)
    store(folder, made)
    shutil.copytree(PUBLISHED / EXAM, folder / "exams" / EXAM)
    (folder / "exams" / "begun").mkdir()
    (folder / "exams" / "begun" / "plan.json").write_text(json.dumps(plan))
    data = collect([folder], AXES, "A page")
    power = {"gpu0": [50.0, 200.0, None, 60.0], "gpu0_limit": [300.0] * 4}
    phases = [
        {"phase": "setup", "begin_s": 0.0, "end_s": 1.0},
        {"phase": "train", "begin_s": 1.0, "end_s": 3.0},
    ]
    first = made[0].run
    data["traces"] = {first: {"t_s": [0.0, 1.0, 2.0, 3.0], "power_w": power, "phases": phases}}
    data["pictures"] = {
        first: [
            {"name": "film.gif", "type": "image/gif", "uri": f"data:image/gif;base64,{FILM}"},
            *(
                {
                    "name": name,
                    "type": "image/svg+xml",
                    "uri": f"data:image/svg+xml;base64,{DRAWING}",
                }
                for name in ("score.svg", BAD)
            ),
        ]
    }
    return data


def hostile() -> list[Record]:
    """Records whose every name was made to run or to break something."""
    made = []
    for text in HOSTILE:
        text = text.encode("utf-8", "replace").decode()  # a Record is UTF-8, or it is no Record
        plain = sat(text, 1.0, process=text, device=text)
        task = msgspec.structs.replace(plain.task, name=text, variant=text, access=text)
        score = plain.score and msgspec.structs.replace(plain.score, name=text, unit=text)
        made.append(
            msgspec.structs.replace(plain, task=task, score=score, warnings=[text], isolation=text)
        )
        made.append(msgspec.structs.replace(curve(text, [(1.0, 2.0), (2.0, 1.0)]), task=task))
    # A run may be called anything as well.
    return [
        *made,
        *(
            msgspec.structs.replace(sat("x", 1.0), run=run)
            for run in (BAD, "__proto__", "#run=a b%")
        ),
    ]


def many(data: dict[str, Any], count: int) -> dict[str, Any]:
    """The same page with its runs over and over, under names of their own, `count` rows in all; J per
    training grows from row to row in an order of its own. Their Records are left out."""
    table = data["tables"]["runs"]
    made: dict[str, Any] = {}
    for name, column in table["data"].items():
        kind = "codes" if "codes" in column else "values"
        own = column[kind]
        made[name] = {**column, kind: [own[i % len(own)] for i in range(count)]}
    made["run"] = {"values": [f"20260101-{i:06d}-{i * 7919 % 65536:04x}" for i in range(count)]}
    made["energy_j"] = {"values": [(i * 7919 % count + 1) * 1e-3 for i in range(count)]}
    runs = {**table, "rows": count, "data": made}
    about = {**data["about"], "records": count}
    return {**data, "about": about, "tables": {**data["tables"], "runs": runs}}
