"""How well each cheap rung of the metric axis has ranked algorithms, held against the most real one.

The guard against optimising a surrogate. Within one task variant, access model and device class, runs of
one algorithm with one configuration make a row (medians), of which one stands for the algorithm: the one
with the most runs, of these the cheapest by the most real figure. Every rung that the Records carry (wall and
CPU seconds, what `bench count` counted of the same algorithm, modelled joules, partial sensors) is compared
with the most real measured joules there.
Said of each: Kendall's τ-b with an interval, and the pair that it orders wrongly at the highest price.
"""

from __future__ import annotations

import math
import statistics
import sys
from collections import defaultdict
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

from rich.table import Table

from metrics.count_base import PYTHON
from metrics.record import RUN
from metrics.store import Store, StoreError
from reports.console import table_console
from reports.metrics_lines import COUNTED, Line, counted_rungs, rungs, without_python

FEWEST = 4  # algorithms below which any order may be chance: three agree by luck one time in six
TRUSTED_TAU = 0.5  # three of four pairs in order
NEIGHBOURS = 1.25  # an inversion that costs less is within what runs scatter
TOO_DEAR = 2.0  # one that costs more condemns a rung whatever its τ
Z = 1.959964  # of the normal distribution, two-sided 95 %
EMPTY = "empty"  # learns nothing: any rung puts it first, which says nothing of the rung
GPU_SENSORS = {"nvml", "nvml_power"}


@dataclass(frozen=True)
class Row:
    """An algorithm with one configuration. runs: (run, its figures by rung), oldest first."""

    algo: str
    name: str  # with the configuration, where the algorithm has several
    runs: list[tuple[str, dict[str, float]]]

    def both(self, a: str, b: str) -> list[tuple[str, float, float]]:
        """(run, a, b) of the runs that carry both rungs, so that a median is of the same runs."""
        return [(run, got[a], got[b]) for run, got in self.runs if a in got and b in got]


Pair = tuple[Row, list[tuple[str, float, float]]]


@dataclass(frozen=True)
class Inversion:
    """`chosen` is the cheaper by the cheap rung, and by the real one `factor` times as dear as `better`.

    Either is (algorithm, run), the run being the one nearest to its row's median of the real rung.
    """

    chosen: tuple[str, str]
    better: tuple[str, str]
    factor: float


@dataclass(frozen=True)
class Audit:
    """A rung held against the reference. tau and its ends are None where it is not defined (below 2 rows,
    or all alike). trust: "yes", "roughly", "no" or "open"; sentence: why, in words."""

    rung: str
    rows: int
    tau: float | None
    low: float | None
    high: float | None
    worst: Inversion | None
    trust: str
    sentence: str


@dataclass(frozen=True)
class Board:
    """What may be compared. reference: the most real measured rung, None where nothing was measured.
    without_python: algorithms whose counts say that they missed Python code."""

    name: str
    reference: str | None
    rows: int
    audits: list[Audit]
    note: str = ""
    without_python: tuple[str, ...] = ()


def metrics(folder: Path) -> int:
    """Prints the audit of every board."""
    store = Store(folder)
    loaded = store.load(Line)
    for problem in loaded.problems:
        print(f"bench: {problem}", file=sys.stderr)
    boards = audit(loaded.records)
    if not boards:
        raise StoreError(
            f"there are no finished runs in {store.path}; make some with: "
            "bench run -m task=sparse_parity algo=xor_elimination,backprop seed=0,1,2"
        )
    print_boards(boards)
    return 0


def audit(lines: list[Line]) -> list[Board]:
    """Every board, by name."""
    groups: dict[str, dict[tuple[str, ...], dict[str, dict[str, float]]]] = defaultdict(dict)
    first: dict[str, str] = {}  # the run that an import is of, through other imports
    counted, blind = counted_rungs(lines), without_python(lines)
    missed: dict[str, set[str]] = defaultdict(set)
    for line in lines:
        if line.imported_from:
            first[line.run] = first.get(line.imported_from, line.imported_from)
        counts = line.kind == RUN and line.status == "ok" and not line.draw.replay_of
        if counts and line.headline and line.algorithm.name != EMPTY:
            task, algo = line.task, line.algorithm
            board = " / ".join((task.name, task.variant, task.access, line.host.device_class))
            identity = (algo.name, algo.config_sha256, algo.code_sha256, str(line.host.threads))
            missed[board] |= {algo.name} if line.counted in blind else set()
            runs = groups[board].setdefault(identity, {})
            # A log that was joined afterwards adds its rungs to the run that it is of.
            runs.setdefault(first.get(line.run, line.run), {}).update(
                counted.get(line.counted, {}) | rungs(line)
            )
    return [
        replace(_board(name, groups[name]), without_python=tuple(sorted(missed[name])))
        for name in sorted(groups)
    ]


def realism(rung: str) -> tuple[int, int]:
    """Place on the metric axis: wall plug, battery, GPU with CPU, zeus, one sensor; the rest is cheap."""
    kind, _, sensors = rung.partition(":")
    if kind != "measured":
        if kind == "count":
            return (2, COUNTED.index(rung) if rung in COUNTED else len(COUNTED))
        return ({"wall_s": 0, "cpu_s": 1}.get(rung, 3), 0)
    parts = {part.partition(":")[0] for part in sensors.split("+")}
    whole = 9 if "wall" in parts else 8 if "battery" in parts else 0
    several = 7 if parts & GPU_SENSORS and parts - GPU_SENSORS else 6 if "zeus" in parts else 0
    return (whole or several or (5 if parts & GPU_SENSORS else 4), len(parts))


def _board(name: str, groups: dict[tuple[str, ...], dict[str, dict[str, float]]]) -> Board:
    names = [identity[0] for identity in groups]
    rows = [
        Row(i[0], i[0] if names.count(i[0]) == 1 else f"{i[0]} ({i[1][:6]})", list(runs.items()))
        for i, runs in groups.items()
    ]
    carriers: dict[str, set[str]] = defaultdict(set)  # algorithms that have the rung
    for row in rows:
        for rung in {rung for _, got in row.runs for rung in got}:
            carriers[rung].add(row.algo)
    carried = {rung: len(algos) for rung, algos in carriers.items()}
    measured = [rung for rung in carried if rung.startswith("measured")]
    if not measured:
        return Board(
            name, None, len(set(names)), [], "no run was measured: nothing to audit against"
        )
    # The most real that enough algorithms carry; where none has enough, the one that most carry.
    reference = max(measured, key=lambda r: (min(carried[r], FEWEST), realism(r), carried[r], r))
    n = carried[reference]
    if n < FEWEST:
        return Board(name, reference, n, [], too_few(n, "that figure"))
    idle = {
        rung for rung in COUNTED if not any(got.get(rung) for row in rows for _, got in row.runs)
    }
    cheap = sorted(set(carried) - {reference} - idle, key=lambda rung: (realism(rung), rung))
    return Board(name, reference, n, [hold(rung, reference, rows) for rung in cheap])


def too_few(n: int, what: str) -> str:
    one = "1 algorithm has" if n == 1 else f"{n} algorithms have"
    return f"{one} {what}: too few to tell, {FEWEST} are the least"


def hold(rung: str, reference: str, rows: list[Row]) -> Audit:
    """One rung against the reference, over the algorithms that carry both, a row of each."""
    pairs = one_each([(row, both) for row in rows if (both := row.both(rung, reference))])
    cheap = [statistics.median(a for _, a, _ in both) for _, both in pairs]
    real = [statistics.median(b for _, _, b in both) for _, both in pairs]
    typical = [
        (row.name, min(both, key=lambda run: abs(run[2] - b))[0])
        for (row, both), b in zip(pairs, real, strict=True)
    ]
    n, tau = len(pairs), kendall(cheap, real)
    if n < FEWEST:
        return Audit(rung, n, tau, None, None, None, "open", too_few(n, "both figures"))
    worst = worst_inversion(cheap, real, typical)
    if tau is None:
        alike = "gives all the same figure" if len(set(cheap)) == 1 else "has nothing to rank"
        return Audit(rung, n, None, None, None, worst, "no", f"it {alike}: it ranks nothing")
    low, high = interval(tau, n)
    trust = _trust(low, high, worst)
    return Audit(rung, n, tau, low, high, worst, trust, _sentence(trust, worst, n))


def one_each(pairs: list[Pair]) -> list[Pair]:
    """Of every algorithm the row with the most runs, of these the cheapest by the reference: its
    configurations are no independent witnesses."""
    best: dict[str, tuple[tuple[int, float], Pair]] = {}
    for row, both in pairs:
        key = -len(both), statistics.median(real for _, _, real in both)
        if row.algo not in best or key < best[row.algo][0]:
            best[row.algo] = key, (row, both)
    return [pair for _, pair in best.values()]


def kendall(a: list[float], b: list[float]) -> float | None:
    """Kendall's τ-b (1945): (concordant - discordant) / sqrt(pairs untied in a · pairs untied in b)."""
    signs = [(_sign(a[i] - a[j]), _sign(b[i] - b[j])) for i, j in combinations(range(len(a)), 2)]
    untied = sum(x != 0 for x, _ in signs) * sum(y != 0 for _, y in signs)
    return sum(x * y for x, y in signs) / math.sqrt(untied) if untied else None


def _sign(x: float) -> int:
    return (x > 0) - (x < 0)


def interval(tau: float, n: int) -> tuple[float, float]:
    """95 % interval of τ over n algorithms: all t with |τ - t| ≤ z sqrt(v (1 - t²)).

    v = 2 (2n + 5) / 9n (n - 1), the variance where t is 0 (Kendall 1938); where noise is even the true one
    falls towards ±1 at least as fast as 1 - t². Inverted like Wilson's interval, it has a width at τ = 1,
    where a bootstrap over algorithms has none: the 95 % of that held 18 to 98 % of simulated truths at
    n = 4 … 20, the 95 % of this 90 to 100 %, and 84 to 97 % where a few algorithms are out of all order.
    """
    k = Z**2 * 2 * (2 * n + 5) / (9 * n * (n - 1))
    half = math.sqrt(k * (1 + k - tau**2))
    return max(-1.0, (tau - half) / (1 + k)), min(1.0, (tau + half) / (1 + k))


def worst_inversion(
    cheap: list[float], real: list[float], names: list[tuple[str, str]]
) -> Inversion | None:
    """The pair that believing `cheap` costs most: the largest real[chosen] / real[better]."""
    worst: Inversion | None = None
    for i in range(len(cheap)):
        for j in range(len(cheap)):
            if cheap[i] < cheap[j] and real[i] > real[j]:
                factor = real[i] / real[j] if real[j] > 0 else math.inf
                if worst is None or factor > worst.factor:
                    worst = Inversion(names[i], names[j], factor)
    return worst


def _trust(low: float, high: float, worst: Inversion | None) -> str:
    factor = worst.factor if worst else 1.0
    if factor >= TOO_DEAR or high < TRUSTED_TAU:
        return "no"
    if low < TRUSTED_TAU:
        return "open"
    return "roughly" if factor >= NEIGHBOURS else "yes"


def _sentence(trust: str, worst: Inversion | None, n: int) -> str:
    says = {
        "yes": "can be trusted to rank on this task",
        "roughly": "can be trusted to rank on this task, but not to choose between neighbours",
        "no": "cannot be trusted on this task",
        "open": f"whether it can be trusted on this task {n} algorithms do not tell",
    }[trust]
    if worst is None:
        return f"{says}; it orders no pair wrongly"
    (chosen, run), (better, other) = worst.chosen, worst.better
    return (
        f"{says}; at worst it prefers {chosen} ({run}), which costs {worst.factor:.3g} times what "
        f"{better} ({other}) does"
    )


def print_boards(boards: list[Board]) -> None:
    """One table per board, and a sentence per rung."""
    console = table_console()
    for board in boards:
        console.print(board.name, style="bold", markup=False, soft_wrap=True)
        if board.reference:
            console.print(f"held against {board.reference}", markup=False, soft_wrap=True)
        if board.note:
            console.print(board.note, markup=False, soft_wrap=True)
        if board.audits:
            table = Table(box=None, pad_edge=False)
            for name in ("rung", "algorithms", "τ-b", "95 %", "worst inversion", "trust"):
                table.add_column(name, justify="left" if name in ("rung", "trust") else "right")
            for audit in board.audits:
                table.add_row(*_cells(audit))
            console.print(table)
            for audit in board.audits:
                console.print(f"{audit.rung}: {audit.sentence}", markup=False, soft_wrap=True)
        if board.audits and board.without_python:
            names = ", ".join(board.without_python)
            line = f"{PYTHON}, so that by counts these may look nearly free: {names}"
            console.print(line, markup=False, soft_wrap=True)
        console.print()


def _cells(audit: Audit) -> list[str]:
    tau = "-" if audit.tau is None else f"{audit.tau:+.2f}"
    ends = "-" if audit.low is None else f"{audit.low:+.2f} … {audit.high:+.2f}"
    worst = "none" if audit.rows >= FEWEST else "-"
    if audit.worst:
        worst = f"{audit.worst.factor:.3g} times"
    return [audit.rung, str(audit.rows), tau, ends, worst, audit.trust]
