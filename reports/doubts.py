"""What could undo a saving without scattering from run to run: errors of models and sensors, and tuning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.exam_runs import Sat


@dataclass(frozen=True)
class Tuning:
    """How a side's settings were found. trials, find_j: of the search that its Records name, J of `source`
    on `device`; None where they name none."""

    process: str
    trials: int | None = None
    find_j: float | None = None
    source: str | None = None
    device: str | None = None


def tuning(run: Sat) -> Tuning:
    """Of a side, by one of its runs."""
    found = run.found or {}
    return Tuning(
        run.process, *(found.get(name) for name in ("trials", "find_j", "source", "device"))
    )


def outspent(candidate: Tuning, baseline: Tuning) -> list[str]:
    """Why the candidate was not tuned on equal terms: its recorded search had more trials or joules.

    Joules of another source or device are not compared. A side without a recorded search has had none.
    """
    reasons = []
    if (candidate.trials or 0) > (baseline.trials or 0):
        reasons.append(
            f"the candidate was tuned for longer: {candidate.trials} trials against "
            f"{baseline.trials or 'none'} recorded"
        )
    alike = baseline.find_j is None or (
        (candidate.source, candidate.device) == (baseline.source, baseline.device)
    )
    if alike and (candidate.find_j or 0.0) > (baseline.find_j or 0.0):
        reasons.append(
            f"the candidate's search spent more: {candidate.find_j:.4g} J against "
            f"{baseline.find_j or 0:.4g} J recorded"
        )
    if reasons:
        reasons[-1] += " (bench tune ... budget.like= gives the baseline as much)"
    return reasons


def systematic(pairs: Sequence[tuple[Sat, Sat]]) -> tuple[float, str]:
    """By what factor errors that do not scatter could raise the ratio of candidate to baseline, at most,
    and a line that says so. 1 where they cannot.

    Modelled joules: the candidate's true ones at the upper end of the model's interval and the baseline's at
    the lower one, in the worst of the pairs (for `cpu_time` 4.5 W and 0.7 W per busy CPU). Measured ones: the
    sensors' calibration, which cancels where both sides draw from the same domains in the same proportion.
    """
    factors = [_factor(candidate, baseline) for candidate, baseline in pairs]
    factor = max(factors, default=1.0)
    modelled = any(one.headline and one.headline.modelled for one, _ in pairs)
    if modelled:
        return factor, (
            f"these joules are modelled, and by the model's own interval the ratio must be below "
            f"{1 / factor:.3f} to be sure; measure it (meter=nvml+rapl) for a verdict"
        )
    return factor, (
        f"the two sides draw from differently calibrated sensors, so the ratio must be below {1 / factor:.3f}"
    )


def _factor(candidate: Sat, baseline: Sat) -> float:
    ours, theirs = candidate.headline, baseline.headline
    if ours is None or theirs is None:
        return 1.0
    if ours.modelled:
        mine, other = ours.energy_j, theirs.energy_j
        return (mine.high / mine.value) * (
            other.value / other.low if other.low > 0 else float("inf")
        )
    mine_of, theirs_of = _domains(candidate), _domains(baseline)
    gains = {
        domain: max(of[domain][1] for of in (mine_of, theirs_of) if domain in of)
        for domain in mine_of | theirs_of
    }
    return _worst(
        {d: j for d, (j, _) in mine_of.items()}, {d: j for d, (j, _) in theirs_of.items()}, gains
    )


def _domains(run: Sat) -> dict[str, tuple[float, float]]:
    """J per training and calibration error of the headline's domains."""
    domains = run.headline.domains if run.headline else []
    found: dict[str, tuple[float, float]] = {}
    for row in run.energy:
        measured = row.phase == "train" and row.source.startswith("measured")
        if measured and row.domain in domains:
            joules, gain = found.get(row.domain, (0.0, 0.0))
            found[row.domain] = joules + row.gross_j / row.repeats, max(gain, row.gain_rel)
    return found


def _worst(
    candidate: dict[str, float], baseline: dict[str, float], gains: dict[str, float]
) -> float:
    """The largest ratio of sums, each domain's joules off by its gain on both sides alike, over the one as
    read. A linear-fractional function is largest at a corner, which Dinkelbach's iteration finds."""
    total = sum(baseline.values())
    if not total or not sum(candidate.values()):
        return 1.0
    nominal = worst = sum(candidate.values()) / total
    for _ in range(20):
        up = {
            d: 1 + (g if candidate.get(d, 0.0) > worst * baseline.get(d, 0.0) else -g)
            for d, g in gains.items()
        }
        above = sum(j * up[d] for d, j in candidate.items())
        worst, before = above / sum(j * up[d] for d, j in baseline.items()), worst
        if worst - before <= 1e-12 * worst:
            break
    return worst / nominal
