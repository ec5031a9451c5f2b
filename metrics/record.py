"""The Record: everything one run leaves behind, as one JSON line. Units stand in the names.

The structs below are the schema; `bench schema` prints it as JSON Schema, and
`metrics/record.schema.json` is its published copy. A field is only ever added, with a default, under
the same `schema_version`; any other change raises it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

SCHEMA_VERSION = 1
RUN = "run"
CURVE = "curve"
TRIAL = "trial"
COUNT = "count"
MEASURED_COMMAND = "measured command"

Status = Literal["ok", "failed", "interrupted"]
Count = Annotated[int, msgspec.Meta(ge=0)]


class EnergyRow(msgspec.Struct, kw_only=True, frozen=True):
    """Joules of one phase in one domain, from one source.

    phase: "setup", "idle", "train" or "inference". domain: what was metered ("worker", "dram",
    "gpu0", "package0", "wall"). source: "measured:<sensor>" or "modelled:<model>". gross_j: as read or
    modelled, over the whole window; idle_j: what the domain would have drawn idle, None where idle
    was not measured; net_j: the difference, never clamped. low_j, high_j: interval of gross_j;
    net_low_j, net_high_j: of net_j. gain_rel: the sensor's own calibration error, relative, which
    these intervals leave out because it is the same for all that one board measures. window_s:
    length of the window. repeats: trainings (or exams) within it. resolution_s: the sensor's own
    step in time. flags: what a reader must know before believing the row.
    """

    phase: str
    domain: str
    source: str
    gross_j: float
    low_j: float
    high_j: float
    window_s: float
    repeats: int
    resolution_s: float
    idle_j: float | None = None
    net_j: float | None = None
    net_low_j: float | None = None
    net_high_j: float | None = None
    gain_rel: float = 0.0
    flags: list[str] = []


class Phase(msgspec.Struct, kw_only=True, frozen=True):
    """Seconds of one phase: wall_s by the parent's monotonic clock, cpu_s of the whole process tree.

    begin_unix_s: when it began, by the wall clock (s since 1970), so that a log can be joined later.
    """

    phase: str
    wall_s: float
    cpu_s: float
    peak_rss_bytes: int
    repeats: int
    begin_unix_s: float = 0.0


class Interval(msgspec.Struct, kw_only=True, frozen=True):
    """A value with the ends of its interval, in the unit that its field names."""

    value: float
    low: float
    high: float


class Headline(msgspec.Struct, kw_only=True, frozen=True):
    """The figures to quote; every one says which energy rows it sums.

    energy_j: J per training, gross. net_j: the same above idle, where idle was measured.
    cold_j: setup + one training + the predictions of one examination. inference_j: J per prediction,
    None where nothing was predicted. Of a measured command, energy_j and cold_j are the whole of it.
    joules_per_accuracy: energy_j / skill, only where skill > 0.
    """

    source: str
    modelled: bool
    domains: list[str]
    energy_j: Interval
    cold_j: Interval
    inference_j: Interval | None
    joules_per_accuracy: float | None
    net_j: Interval | None
    wall_s: float
    cpu_s: float


class CurvePoint(msgspec.Struct, kw_only=True, frozen=True):
    """The score at a pause of training. energy_j, wall_s, cpu_s: of training up to it, pauses left out.

    step, of: as the algorithm counts (of: 0 where it does not say). loss: what it said of itself.
    energy_j: gross, of the headline's rows. evaluation_s: how long the evaluation took, on no bill.
    """

    step: int
    of: int
    loss: float | None
    energy_j: Interval
    wall_s: float
    cpu_s: float
    score: float
    score_se: float | None
    evaluation_s: float


class ScoreResult(msgspec.Struct, kw_only=True, frozen=True):
    """The score against its target. se: standard error, None where one
    unit is all there was. skill: 0 at chance, 1 at perfect.

    per_draw: score of every draw of the window, empty where there were more than 64. draws_met: how
    many draws met the target by themselves.
    """

    name: str
    unit: str
    value: float
    se: float | None
    target: float | None
    target_met: bool | None
    direction: str
    margin: float
    chance: float
    perfect: float
    skill: float
    predictions: int
    per_draw: list[float]
    draws_met: int
    secondary: dict[str, float] = {}


class TaskInfo(msgspec.Struct, kw_only=True, frozen=True):
    """What was asked, and the bar it was held to. ladder: all the bars at which it is compared.

    config_sha256 is over the canonical JSON of target (the class) and config; data_sha256 over all draws.
    """

    name: str
    family: str
    variant: str
    access: str
    target: str
    config: dict[str, Any]
    config_sha256: str
    data_sha256: str | None = None
    data: dict[str, Any] = {}
    bar: float | None = None
    margin: float | None = None
    ladder: list[float] = []


class AlgorithmInfo(msgspec.Struct, kw_only=True, frozen=True):
    """Who sat. code_bytes and config_bytes: the size of the places where knowledge could hide."""

    name: str
    target: str
    config: dict[str, Any]
    config_sha256: str
    code_sha256: str
    code_bytes: int
    config_bytes: int
    adapts: bool | None = None


class DrawInfo(msgspec.Struct, kw_only=True, frozen=True):
    """How the exam was drawn: seed is public, nonce was private until this Record.

    repeats: different draws trained within one window. replay_of: the run whose nonce was given, in
    which case the exam could be foreseen and the run is not ranked. pilots: sittings that were too short
    to count, each with its repeats, wall_s and cpu_s of training. shared: the runs of a suite had this
    nonce in common, so that the same is held out of a fixed text; the first to end revealed it.
    """

    seed: int
    nonce: str
    repeats: int
    replay_of: str | None = None
    shared: bool = False
    queries: int = 0
    pilots: list[dict[str, float]] = []


class CountInfo(msgspec.Struct, kw_only=True, frozen=True):
    """What one training did, by counting (`metrics.counts.Tally` says how each is meant).

    operations: by kind ("fp32_mul"). read_bytes, written_bytes: at the boundary of each operation.
    communication_bytes: between devices, processes or locations. peak_bytes: most bytes of arrays alive at
    once. how: who counted ("torch", "numpy", "kernel"). notes: what was not counted.
    """

    operations: dict[str, Count]
    read_bytes: Count
    written_bytes: Count
    communication_bytes: Count
    peak_bytes: Count
    how: list[str]
    notes: list[str]


class EmptyInfo(msgspec.Struct, kw_only=True, frozen=True):
    """An algorithm that learns nothing, on the same draws and the same path: what the path costs."""

    energy_j: float
    wall_s: float
    cpu_s: float
    inference_j: float


class ExamInfo(msgspec.Struct, kw_only=True, frozen=True):
    """Which sitting of which exam (`bench exam`) this run was; a verdict is computed from these alone.

    exam: its name, a folder in results/exams. plan_sha256: of the plan.json that was written there before
    the first run. pair: from 1. side: "candidate", "baseline" or an ablation's name, all of them in `sides`.
    position: when it sat within its pair, from 1. pairs: until the first look; extension: how many more
    follow if that is undecided. machine: identity of the machine, hashed. void: why this run says nothing
    about its side (the meter, the task or joulebench failed), so that it was sat again.
    """

    exam: str
    plan_sha256: str
    pair: int
    side: str
    position: int
    sides: list[str]
    pairs: int
    extension: int
    machine: str
    void: str | None = None


class Host(msgspec.Struct, kw_only=True, frozen=True):
    """Where it ran. device_class names what may share a board."""

    device_class: str
    cpu: str
    cores: int
    threads: int
    memory_bytes: int
    platform: str
    python: str
    libraries: dict[str, str]
    temperature_c: float | None
    driver: str | None = None


class Code(msgspec.Struct, kw_only=True, frozen=True):
    """Which joulebench ran. commit and dirty are None outside a git checkout."""

    version: str
    commit: str | None
    dirty: bool | None


class Record(msgspec.Struct, kw_only=True, frozen=True):
    """One run, finished or not. A failed run keeps the energy that it had spent.

    kind: "run"; "curve", a run whose training was paused for evaluations (`curve`), so that it has been
    shown what was held out before it ended and is on no board; "trial", of a search, on a draw that the
    search's seed tells, and on no board (settings.trial says which); "count", a training whose operations
    and bytes were counted and nothing measured, on a draw that the seed tells, and on no board (`counts`;
    `energy` is modelled from them); or "measured command": work that sat no
    exam (any command, or a stretch of a program). Its task is called "command", its algorithm's config
    is what was called, and it has no score, no draw and no hash of its code; it is on no board.
    trace: the power trace (parquet; a PNG lies beside it), relative to the folder of the Records.
    pictures: what the algorithm drew of its training, relative likewise. source: of the joules that a
    headline sums or would sum. imported_from: the run that this is, with the rows of a log that was
    joined to it afterwards. process: how the configuration was found; "as_published" where no search of
    ours found it, "by_hand" where one did and it was changed since, "set_by_hand" where fields are not as
    in its yaml. found: what a search says of itself in
    its found.yaml (process, seed, trials, find_j with its source, declared costs ...).
    exam: of a run that sat in an exam's pairs.
    meter: what each meter says of itself: its library with path and hash, boards, periods.
    """

    schema_version: int
    kind: str
    run: str
    status: Status
    error: str | None
    started_at: str
    task: TaskInfo
    algorithm: AlgorithmInfo
    process: str
    draw: DrawInfo
    score: ScoreResult | None
    headline: Headline | None
    energy: list[EnergyRow]
    phases: list[Phase]
    source: str
    empty: EmptyInfo | None
    isolation: str
    audit: dict[str, Any]
    host: Host
    code: Code
    settings: dict[str, Any]
    meter: dict[str, Any] = {}
    trace: str | None = None
    pictures: list[str] = []
    curve: list[CurvePoint] = []
    counts: CountInfo | None = None
    imported_from: str | None = None
    found: dict[str, Any] | None = None
    exam: ExamInfo | None = None
    warnings: list[str] = []


_encoder = msgspec.json.Encoder()


def encode(record: Record) -> bytes:
    """One line of JSON, without the newline."""
    return _encoder.encode(record)


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a Record."""
    schema = msgspec.json.schema(Record)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"joulebench Record, schema version {SCHEMA_VERSION}",
        **schema,
    }


def canonical(value: Any) -> bytes:
    """JSON with sorted keys: what hashes of configurations are taken over."""
    return msgspec.json.encode(value, order="sorted")
