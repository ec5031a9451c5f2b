"""What algorithms that search for rules have in common: the predictor, and what they draw."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tasks.automaton import bits, diagram, oracle
from tasks.automaton.rules import to_hex
from tasks.rule_search import RINGS, RuleSearch

CHOICE = 1024  # configurations among which the easiest and the hardest are looked for
TALL = 2000  # steps that are drawn at most
WIDE, HIGH, EDGE = 640, 360, 50  # px of the chart and of its margins
TENTHS = np.linspace(0, 1, 11)


class Rule:
    """`tasks.rule_search.Predictor` of a table uint8 [entries]."""

    def __init__(self, table: np.ndarray) -> None:
        self.table = table.copy()

    def rule(self) -> np.ndarray:
        return self.table


def pictures(
    table: np.ndarray, spec: RuleSearch, history: Sequence[tuple[float, float]]
) -> dict[str, bytes]:
    """`diagrams`, and a chart of the history (seconds, score), whose title is a ring's rule in hex: as
    `algo=known_rule algo.rule=...` takes it."""
    files = diagrams(table, spec)
    if history:
        whose = f"{to_hex(table)}: " if spec.goal in RINGS else ""
        files["score.svg"] = chart(history, f"{whose}{spec.goal} by its own trials")
    return files


def diagrams(table: np.ndarray, spec: RuleSearch) -> dict[str, bytes]:
    """Space-time diagrams of a rule on a ring: on an easy and a hard configuration among fair coins.

    Easy is where the majority is the largest, hard where it is by the fewest cells. Nothing for a torus.
    """
    if spec.goal not in RINGS:
        return {}
    state = bits.fair_coins(np.random.default_rng(spec.seed), CHOICE, spec.width)
    excess = np.abs(2 * bits.ones(state) - spec.width)
    cells = bits.unpack(state, CHOICE)
    steps, scale = min(spec.steps, TALL), 2 if spec.width < 1000 else 1
    return {
        f"{name}.png": diagram.png(oracle.history(table, cells[which], steps), scale)
        for name, which in (("easy", excess.argmax()), ("hard", excess.argmin()))
    }


def chart(history: Sequence[tuple[float, float]], title: str) -> bytes:
    """An SVG of scores 0 ... 1 over seconds on a logarithmic axis, one step for each new score."""
    seconds = np.maximum([s for s, _ in history], 1e-3)
    low = np.floor(np.log10(seconds[0]))
    high = max(np.ceil(np.log10(seconds[-1])), low + 1)

    def x(s: float) -> float:
        return float(EDGE + (WIDE - 2 * EDGE) * (np.log10(s) - low) / (high - low))

    def y(score: float) -> float:
        return HIGH - EDGE - (HIGH - 2 * EDGE) * score

    path = [f"M{x(seconds[0]):.1f} {y(history[0][1]):.1f}"]
    path += [f"H{x(s):.1f}V{y(score):.1f}" for s, (_, score) in zip(seconds, history, strict=True)]
    grid: list[tuple[str, float, float, str]] = [
        (f"M{EDGE} {y(v):.1f}H{WIDE - EDGE}", EDGE - 32, y(v) + 4, f"{v:.1f}") for v in TENTHS
    ]
    for power in range(int(low), int(high) + 1):
        at = x(10.0**power)
        grid.append(
            (f"M{at:.1f} {EDGE}V{HIGH - EDGE}", at - 12, HIGH - EDGE + 18, f"{10.0**power:g} s")
        )
    lines = "".join(
        f'<path d="{line}" stroke="#ddd"/><text x="{left:.1f}" y="{top:.1f}">{text}</text>'
        for line, left, top, text in grid
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDE}" height="{HIGH}" '
        f'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>'
        f'<text x="{EDGE}" y="25">{title}, over CPU time of training</text>{lines}'
        f'<path d="{"".join(path)}" fill="none" stroke="#06c" stroke-width="2"/></svg>'
    ).encode()
