"""`bench import`: joins another device's power log to a run that is over, by time."""

from __future__ import annotations

import secrets
import time

import msgspec

from harness.errors import BadInputError
from harness.metering import PHASE
from metrics.joint import disagreements
from metrics.meter import Meter, MeterError, Window, headline, monotonic_s, total, total_net
from metrics.polled import Mark
from metrics.record import COUNT, CURVE, RUN, TRIAL, EnergyRow, Headline, Interval, Record
from metrics.store import Store
from metrics.wall import Wall
from reports.runs import print_result


def import_log(results: str, name: str, csv: str, clock_offset_s: float, max_gap_s: float) -> int:
    """Appends the run once more, with the log's rows for its setup, training and predictions."""
    store = Store(results)
    old = store.find(name)
    if old.kind == COUNT:
        raise BadInputError(
            f"{old.run} is a count, whose joules are modelled; join the log to a run (bench run)"
        )
    if old.headline is None:
        raise BadInputError(
            f"run {old.run} did not finish ({old.status}); there is nothing to join"
        )
    if old.kind == CURVE:
        raise BadInputError(
            f"{old.run} is a curve, whose points no log can be joined to; draw it with the meter instead"
        )
    if old.kind == TRIAL:
        raise BadInputError(
            f"{old.run} is a trial of a search, whose joules are in what the search says of itself; sit an "
            "exam with what it found, and join the log to that"
        )
    if not all(phase.begin_unix_s for phase in old.phases):
        raise BadInputError(f"run {old.run} does not say when its phases began; run it again")
    store.check_writable()
    wall = Wall(csv=csv, clock_offset_s=clock_offset_s, max_gap_s=max_gap_s)
    wall.to_monotonic_s = to_monotonic_s = monotonic_s() - time.time()
    windows = [
        Window(
            phase=phase.phase,
            repeats=phase.repeats,
            begin_s=phase.begin_unix_s + to_monotonic_s,
            end_s=phase.begin_unix_s + phase.wall_s + to_monotonic_s,
            begin=Mark(0),
            end=None,
        )
        for phase in old.phases
    ]
    idle = [window for window in windows if window.phase == "idle"]
    rows: list[EnergyRow] = []
    warnings = list(old.warnings)
    for window in windows:
        try:
            rows += wall.rows(window, idle)
        except MeterError:
            if window.phase in ("train", PHASE):
                raise
            warnings.append(f"the log has no figure for {window.phase}")
    new = msgspec.structs.replace(
        old,
        run=f"{old.run}-{secrets.token_hex(2)}",
        imported_from=old.run,
        energy=[*old.energy, *rows],
        source=wall.source,
        headline=new_headline(old, wall, rows),
        empty=None,  # it was not metered by this log
        meter={**old.meter, wall.name: {**wall.about(), "csv": csv}},
        warnings=[*warnings, *disagreements([*old.energy, *rows])],
    )
    store.append(new)
    print_result(new, str(store.path))
    return 0


def new_headline(old: Record, wall: Meter, rows: list[EnergyRow]) -> Headline:
    """The old one's figures, with the wall's joules."""
    assert old.headline is not None
    if old.kind == RUN and old.score is not None:
        predictions = old.score.predictions // old.draw.repeats
        return headline(wall, rows, old.phases, predictions, old.score.skill)
    energy_j: Interval = total(rows, PHASE, wall)
    return msgspec.structs.replace(
        old.headline,
        source=wall.source,
        modelled=False,
        domains=list(wall.domains),
        energy_j=energy_j,
        cold_j=energy_j,
        net_j=total_net(rows, PHASE, wall),
    )
