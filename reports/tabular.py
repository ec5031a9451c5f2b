"""Records as flat tables, a row each of one kind of thing, for files that other programs read.

A column has a name with its unit, a type, and whether it is for people too: a page has no room for all.
What is not known is None.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

from metrics.record import Interval, Record, canonical
from metrics.store import StoreError
from reports import cube, front, leaderboard
from reports.cube_axes import Axes
from reports.folders import gather
from reports.lines import Line

Kind = type[str] | type[int] | type[float] | type[bool]


@dataclass(frozen=True)
class Column:
    """kind: str, int, float or bool. brief: whether it stands in a table for people."""

    name: str
    kind: Kind
    brief: bool = False


@dataclass(frozen=True)
class Table:
    """rows: by column name; a value is of its column's kind or None."""

    name: str
    columns: list[Column]
    rows: list[dict[str, Any]]


class BoardLine(Line, gc=False, kw_only=True):
    """What a board needs, with the run that tells a Record that lies in two folders."""

    run: str


def table(name: str, folders: list[Path], axes: Axes) -> Table:
    """The table `name` of TABLES over all Records in `folders`; raises StoreError where it has no row."""
    made = TABLES[name](folders, axes)
    if not made.rows:
        where = ", ".join(str(folder) for folder in folders)
        raise StoreError(
            f"the Records in {where} have no row for the table {name}; make some with: {MAKES[name]}"
        )
    return made


def runs_table(records: Iterable[Record]) -> Table:
    """A row for every Record of any kind, finished or not: all headline figures, sources and hashes."""
    return _table("runs", RUNS, ((record,) for record in records))


def energy_table(records: Iterable[Record]) -> Table:
    """A row for every energy row of every Record, of whole windows."""
    return _table("energy", ENERGY, ((r, row) for r in records for row in r.energy))


def curves_table(records: Iterable[Record]) -> Table:
    """A row for every point of every curve."""
    return _table(
        "curves", CURVES, ((r, i, p) for r in records for i, p in enumerate(r.curve, start=1))
    )


def board_table(lines: list[Line]) -> Table:
    """What `bench leaderboard` writes."""
    ints = {"rank", "runs", "failed", "threads", "pays_off_after"}
    texts = {"board", "task", "algo", "source", "variant", "access", "device", "score_name"}
    texts |= {"score_unit", "process", "algo_sha256", "algo_config", "code_sha256"}
    brief = {
        "rank",
        "task",
        "algo",
        "score",
        "target",
        "target_met",
        "energy_j",
        "source",
        "variant",
    }
    brief |= {"device", "energy_low_j", "energy_high_j", "cold_j", "wall_s", "runs", "failed"}
    brief |= {"process"}

    def kind(name: str) -> Kind:
        if name in ("target_met", "adapts"):
            return bool
        return str if name in texts else int if name in ints else float

    columns = [Column(name, kind(name), name in brief) for name in leaderboard.COLUMNS]
    return Table("board", columns, leaderboard.board_rows(lines))


def front_table(rows: list[front.Row]) -> Table:
    """What `bench front --csv` writes, with the board in columns."""
    hints = get_type_hints(front.Row)
    brief = {"bar", "algo", "score", "meets", "runs", "failed", "energy_j", "energy_low_j"}
    brief |= {"energy_high_j", "cold_j", "inference_j", "wall_s"}
    columns = [
        Column(name, str, name != "access")
        for name in ("task", "variant", "access", "source", "device")
    ]
    own = [field.name for field in fields(front.Row) if field.name != "board"]
    columns += [Column(name, _kind(hints[name]), name in brief) for name in own]
    made = []
    for row in rows:
        values = {name: getattr(row, name) for name in own}
        task, variant, access, source, device = row.board
        board = {"task": task, "variant": variant, "access": access}
        made.append({**board, "source": source, "device": device, **values})
    return Table("front", columns, made)


def cube_table(made: cube.Cube) -> Table:
    """A row for every cell of the cube, the empty ones included."""
    return _table("cube", CUBE, ((cell,) for cell in made.cells))


def _kind(hint: Any) -> Kind:
    """The type of a field, without its None."""
    if isinstance(hint, types.UnionType):
        (hint,) = (part for part in get_args(hint) if part is not types.NoneType)
    return hint if hint in (str, int, float, bool) else float


Spec = tuple[str, Kind, bool, Callable[..., Any]]


def _table(name: str, spec: list[Spec], items: Iterable[tuple[Any, ...]]) -> Table:
    columns = [Column(column, kind, brief) for column, kind, brief, _ in spec]
    rows = [{column: get(*item) for column, _, _, get in spec} for item in items]
    return Table(name, columns, rows)


def _ends(name: str, brief: bool, get: Callable[[Record], Interval | None]) -> list[Spec]:
    """Three columns of an interval in J."""

    def end(which: str) -> Callable[[Record], float | None]:
        return lambda r: getattr(found, which) if (found := get(r)) else None

    return [
        (f"{name}_j", float, brief, end("value")),
        (f"{name}_low_j", float, brief and name == "energy", end("low")),
        (f"{name}_high_j", float, brief and name == "energy", end("high")),
    ]


def _counted(kind: str) -> Spec:
    return (kind, int, False, lambda r: getattr(r.counts, kind) if r.counts else None)


def _text(value: Any) -> str:
    return canonical(value).decode()


IDENTITY: list[Spec] = [
    ("run", str, False, lambda r, *_: r.run),
    ("kind", str, False, lambda r, *_: r.kind),
    ("task", str, True, lambda r, *_: r.task.name),
    ("variant", str, True, lambda r, *_: r.task.variant),
    ("algo", str, True, lambda r, *_: r.algorithm.name),
    ("process", str, False, lambda r, *_: r.process),
    ("seed", int, True, lambda r, *_: r.draw.seed),
    ("device", str, True, lambda r, *_: r.host.device_class),
]
RUNS: list[Spec] = [
    *IDENTITY,
    ("status", str, True, lambda r: r.status),
    ("error", str, False, lambda r: r.error),
    ("started_at", str, False, lambda r: r.started_at),
    ("access", str, False, lambda r: r.task.access),
    ("bar", float, True, lambda r: r.task.bar),
    ("score", float, True, lambda r: r.score and r.score.value),
    ("score_se", float, False, lambda r: r.score and r.score.se),
    ("score_name", str, True, lambda r: r.score and r.score.name),
    ("score_unit", str, False, lambda r: r.score and r.score.unit),
    ("direction", str, False, lambda r: r.score and r.score.direction),
    ("target_met", bool, True, lambda r: r.score and r.score.target_met),
    ("draws_met", int, False, lambda r: r.score and r.score.draws_met),
    ("skill", float, False, lambda r: r.score and r.score.skill),
    ("predictions", int, False, lambda r: r.score and r.score.predictions),
    ("margin", float, False, lambda r: r.task.margin),
    ("source", str, True, lambda r: r.source),
    ("modelled", bool, False, lambda r: r.headline and r.headline.modelled),
    ("domains", str, False, lambda r: r.headline and "+".join(r.headline.domains)),
    *_ends("energy", True, lambda r: r.headline.energy_j if r.headline else None),
    *_ends("net", False, lambda r: r.headline.net_j if r.headline else None),
    *_ends("cold", True, lambda r: r.headline.cold_j if r.headline else None),
    *_ends("inference", False, lambda r: r.headline.inference_j if r.headline else None),
    ("joules_per_accuracy", float, False, lambda r: r.headline and r.headline.joules_per_accuracy),
    ("wall_s", float, True, lambda r: r.headline and r.headline.wall_s),
    ("cpu_s", float, False, lambda r: r.headline and r.headline.cpu_s),
    ("empty_j", float, False, lambda r: r.empty and r.empty.energy_j),
    ("operations", int, False, lambda r: sum(r.counts.operations.values()) if r.counts else None),
    *(_counted(f"{kind}_bytes") for kind in ("read", "written", "communication", "peak")),
    ("repeats", int, False, lambda r: r.draw.repeats),
    ("queries", int, False, lambda r: r.draw.queries),
    ("nonce", str, False, lambda r: r.draw.nonce),
    ("exam", str, False, lambda r: r.exam and r.exam.exam),
    ("exam_pair", int, False, lambda r: r.exam and r.exam.pair),
    ("exam_side", str, False, lambda r: r.exam and r.exam.side),
    ("replay_of", str, False, lambda r: r.draw.replay_of),
    ("imported_from", str, False, lambda r: r.imported_from),
    ("find_j", float, False, lambda r: (r.found or {}).get("find_j")),
    ("find_source", str, False, lambda r: (r.found or {}).get("source")),
    ("adapts", bool, False, lambda r: r.algorithm.adapts),
    ("threads", int, False, lambda r: r.host.threads),
    ("isolation", str, False, lambda r: r.isolation),
    ("task_config", str, False, lambda r: _text(r.task.config)),
    ("algo_config", str, False, lambda r: _text(r.algorithm.config)),
    ("task_sha256", str, False, lambda r: r.task.config_sha256),
    ("data_sha256", str, False, lambda r: r.task.data_sha256),
    ("algo_sha256", str, False, lambda r: r.algorithm.config_sha256),
    ("code_sha256", str, False, lambda r: r.algorithm.code_sha256),
    ("code_bytes", int, False, lambda r: r.algorithm.code_bytes),
    ("joulebench", str, False, lambda r: r.code.version),
    ("commit", str, False, lambda r: r.code.commit),
    ("dirty", bool, False, lambda r: r.code.dirty),
    ("platform", str, False, lambda r: r.host.platform),
    ("python", str, False, lambda r: r.host.python),
    ("driver", str, False, lambda r: r.host.driver),
    ("trace", str, False, lambda r: r.trace),
    ("warnings", str, False, lambda r: "\n".join(r.warnings) or None),
]
ENERGY: list[Spec] = [
    *IDENTITY,
    *(
        (name, kind, brief, lambda r, row, name=name: getattr(row, name))
        for name, kind, brief in (
            *(("phase", str, True), ("domain", str, True), ("source", str, True)),
            *(("gross_j", float, True), ("low_j", float, True), ("high_j", float, True)),
            *(("idle_j", float, False), ("net_j", float, True)),
            *(("net_low_j", float, False), ("net_high_j", float, False)),
            *(("gain_rel", float, False), ("window_s", float, True), ("repeats", int, True)),
            ("resolution_s", float, False),
        )
    ),
    ("flags", str, False, lambda r, row: "\n".join(row.flags) or None),
]
CURVES: list[Spec] = [
    *IDENTITY,
    ("algo_sha256", str, False, lambda r, i, p: r.algorithm.config_sha256),
    ("bar", float, False, lambda r, i, p: r.task.bar),
    ("score_name", str, True, lambda r, i, p: r.score and r.score.name),
    ("score_unit", str, False, lambda r, i, p: r.score and r.score.unit),
    ("point", int, False, lambda r, i, p: i),
    ("step", int, True, lambda r, i, p: p.step),
    ("of", int, True, lambda r, i, p: p.of),
    ("score", float, True, lambda r, i, p: p.score),
    ("score_se", float, True, lambda r, i, p: p.score_se),
    ("loss", float, False, lambda r, i, p: p.loss),
    ("source", str, True, lambda r, i, p: r.source),
    ("energy_j", float, True, lambda r, i, p: p.energy_j.value),
    ("energy_low_j", float, True, lambda r, i, p: p.energy_j.low),
    ("energy_high_j", float, True, lambda r, i, p: p.energy_j.high),
    ("wall_s", float, True, lambda r, i, p: p.wall_s),
    ("cpu_s", float, False, lambda r, i, p: p.cpu_s),
    ("evaluation_s", float, False, lambda r, i, p: p.evaluation_s),
]


def _of(cell: cube.Cell, which: str, name: str) -> Any:
    """A field of the cell's best or baseline, or of its figure there."""
    entry = getattr(cell, which)
    if entry is None:
        return None
    return getattr(entry if hasattr(entry, name) else entry.figures[cell.rung], name)


CUBE: list[Spec] = [
    ("problem", str, True, lambda c: c.problem.name),
    ("process", str, True, lambda c: c.process),
    ("metric", str, True, lambda c: c.metric.name),
    ("source", str, True, lambda c: c.rung or None),
    ("unit", str, True, lambda c: c.metric.unit or "1"),
    ("variant", str, False, lambda c: c.board and c.board.variant),
    ("access", str, False, lambda c: c.board and c.board.access),
    ("bar", float, True, lambda c: c.board and c.board.bar),
    ("score_name", str, False, lambda c: c.board and c.board.score_name),
    ("score_unit", str, False, lambda c: c.board and c.board.score_unit),
    ("device", str, True, lambda c: c.board and c.board.device),
    ("algo", str, True, lambda c: _of(c, "best", "algo")),
    ("value", float, True, lambda c: _of(c, "best", "value")),
    ("value_low", float, True, lambda c: _of(c, "best", "low")),
    ("value_high", float, True, lambda c: _of(c, "best", "high")),
    ("score", float, False, lambda c: _of(c, "best", "score")),
    ("runs", int, False, lambda c: c.best.figures[c.rung].runs if c.best else None),
    ("failed", int, False, lambda c: _of(c, "best", "failed")),
    ("algo_sha256", str, False, lambda c: _of(c, "best", "config_sha256")),
    ("tried", int, False, lambda c: c.tried),
    ("baseline", str, True, lambda c: _of(c, "baseline", "algo")),
    ("baseline_process", str, True, lambda c: _of(c, "baseline", "process")),
    ("baseline_value", float, False, lambda c: _of(c, "baseline", "value")),
    ("baseline_sha256", str, False, lambda c: _of(c, "baseline", "config_sha256")),
    ("ratio", float, True, lambda c: c.ratio),
    ("note", str, False, lambda c: c.note or None),
    ("to_fill", str, False, lambda c: c.to_fill or None),
]
TABLES: dict[str, Callable[[list[Path], Axes], Table]] = {
    "runs": lambda folders, _: runs_table(gather(folders, Record)),
    "board": lambda folders, _: board_table(list(gather(folders, BoardLine))),
    "front": lambda folders, _: front_table(front.front_rows(list(gather(folders, BoardLine)))),
    "cube": lambda folders, axes: cube_table(cube.cube(gather(folders, cube.Line), axes)),
    "curves": lambda folders, _: curves_table(gather(folders, Record)),
    "energy": lambda folders, _: energy_table(gather(folders, Record)),
}
MAKES = {
    **dict.fromkeys(TABLES, "bench run task=sparse_parity algo=xor_elimination"),
    "front": "bench run suite=tinyshakespeare seed=0,1,2,3,4",
    "curves": "bench curve task=nanogpt algo=hashed_softmax",
}
