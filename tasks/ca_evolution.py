"""Find the rule of a cellular automaton, of which the parent then runs the automaton by itself.

Three goals. *density*: a ring of cells starts from fair coins, and after `steps` all cells are to be
what the majority was at the beginning, and to stay so. (Mitchell, Crutchfield and Hraber ask for a fixed
point as well. Without that, rules are found that blink, all 0, all 1, all 0, and say by the phase what
they mean: their answer is right or wrong as `steps` is even or odd.) Local rules cannot do it without
fail (Land and Belew 1995), and people and programs have tried since Gacs, Kurdyumov and Levin (1978):
the yardsticks are GKL with 0.816, the rules of Mitchell, Crutchfield and Hraber's genetic algorithm
(1994) with 0.65 to 0.77, genetic programming (Andre, Bennett and Koza 1996) with 0.823, and co-evolution
(Juillé and Pollack 1998) with 0.860. *synchronise* (Das, Crutchfield, Mitchell and Hanson 1995): from
fair coins, within `steps` all cells are to be equal and from then on to blink. *life*: a two-dimensional
rule was drawn and is to be inferred from tori before and after one step of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from tasks import rule_search
from tasks.automaton import bits, torus
from tasks.automaton.simulator import Simulator
from tasks.base import Arrays, Draw, Score, Target, Task, TaskError
from tasks.rule_search import RINGS, Predictor, RuleSearch

MAX_WIDTH = {"density": 2**14 - 1, "synchronise": 2**14 - 1, "life": 1024}
MAX_STEPS = 1 << 16
MAX_REPEATS = 8  # every one is examined, which takes longer than the shortest training
WINDOW_BYTES = 1 << 28
COMPILED_CELLS = 1e10  # cell updates from which on compiling the rule pays
STEPS_PER_RING = 320 / 149  # steps that the literature gives a ring, for each of its cells
WIDTH = {"density": 149, "synchronise": 149, "life": 20}
HELD_OUT = {"density": 100_000, "synchronise": 100_000, "life": 1000}
BARS = {"density": 0.75, "synchronise": 0.95, "life": 0.95}
LADDER = {
    "density": [0.65, 0.75, 0.81, 0.86],
    "synchronise": [0.50, 0.95, 0.99],
    "life": [0.90, 0.95, 0.99],
}


@dataclass
class CaEvolution(Task):
    """Fields are those of configs/task/ca_evolution.yaml. None stands for the goal's own.

    goal: "density", "synchronise" or "life". width: cells of the ring, odd; for life the side of the
    torus. radius: neighbours to each side, 1 to 3; for life 1. steps: after which the outcome counts;
    None for 320 to every 149 cells, for life 1. pairs: tori shown before and after a step (life).
    held_out: configurations that are scored. bar: the fraction that meets the target, None for the
    goal's own in `bars`. ladder: all the bars at which algorithms are compared. margin: by how much a
    candidate may be worse than a baseline.
    """

    name: ClassVar[str] = "ca_evolution"
    family: ClassVar[str] = "rule_search"

    goal: str = "density"
    width: int | None = None
    radius: int | None = None
    steps: int | None = None
    pairs: int = 4
    held_out: int | None = None
    bar: float | None = None
    bars: Mapping[str, float] = field(default_factory=lambda: dict(BARS))
    ladder: Mapping[str, Sequence[float]] = field(default_factory=lambda: dict(LADDER))
    margin: float = 0.005

    def __post_init__(self) -> None:
        rule_search.check_goal("task.goal", self.goal)
        self._ring = self.goal in RINGS
        self._width = WIDTH[self.goal] if self.width is None else self.width
        self._radius = (3 if self._ring else 1) if self.radius is None else self.radius
        _whole("radius", self._radius, 1, 3)
        if not self._ring and self._radius != 1:
            raise TaskError(f"task.radius={self._radius}: a cell of task.goal=life sees radius 1")
        _whole("width", self._width, 2 * self._radius + 1, MAX_WIDTH[self.goal])
        if self._ring and self._width % 2 == 0:
            raise TaskError(
                f"task.width={self._width}: a ring is odd, so that there always is a majority; take "
                f"{self._width - 1} or {self._width + 1}"
            )
        own = round(STEPS_PER_RING * self._width) if self._ring else 1
        self._steps = own if self.steps is None else self.steps
        _whole("steps", self._steps, 1, MAX_STEPS)
        if not self._ring and self._steps != 1:
            raise TaskError(f"task.steps={self._steps}: task.goal=life is of one step")
        _whole("pairs", self.pairs, 1, 1 << 16)
        self._held_out = HELD_OUT[self.goal] if self.held_out is None else self.held_out
        _whole("held_out", self._held_out, 1, 10**7)
        cells = self._width if self._ring else self._width**2
        self._key_bytes = self._held_out * cells // (8 if self._ring else 1)
        self._train_bytes = 8 if self._ring else 2 * self.pairs * cells
        if max(self._key_bytes, self._train_bytes) > WINDOW_BYTES:
            raise TaskError(
                f"task.width={self._width}: with task.held_out={self._held_out} and "
                f"task.pairs={self.pairs} a draw takes more than {WINDOW_BYTES >> 20} MiB; lower one "
                "of the three"
            )
        self.bars = dict(self.bars)
        self.ladder = {goal: list(bars) for goal, bars in self.ladder.items()}
        for name, value in self._bounds():
            if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= 1:
                raise TaskError(f"task.{name}={value}: must be above 0 and at most 1")

    def _bounds(self) -> list[tuple[str, Any]]:
        """Every field that is a fraction, by the name under which it is set."""
        found: list[tuple[str, Any]] = [("margin", self.margin)]
        if self.bar is not None:
            found.append(("bar", self.bar))
        for name, given in (("bars", self.bars), ("ladder", self.ladder)):
            for goal, value in given.items():
                rule_search.check_goal(f"task.{name}", goal)
                values = value if isinstance(value, list) else [value]
                found += [(f"{name}.{goal}", v) for v in values]
        return found

    @property
    def variant(self) -> str:
        if self._ring:
            words = f"{self.goal} width={self._width} radius={self._radius} steps={self._steps}"
        else:
            words = f"life width={self._width} pairs={self.pairs}"
        usual = self._held_out == HELD_OUT[self.goal]
        return words if usual else f"{words} held_out={self._held_out}"

    @property
    def access(self) -> str:
        """simulation: the learner runs automata of its own; pairs: it is shown what a rule did."""
        return "simulation" if self._ring else "pairs"

    def spec(self, seed: int) -> RuleSearch:
        if self._ring:  # a machine that has no compiler is told so now, not after the training
            Simulator(self._radius, self._width)
        return RuleSearch(
            width=self._width,
            radius=self._radius,
            steps=self._steps,
            goal=self.goal,
            pairs=0 if self._ring else self.pairs,
            seed=seed,
        )

    def max_repeats(self) -> int:
        each = max(self._key_bytes, self._train_bytes)
        return max(1, min(MAX_REPEATS, WINDOW_BYTES // each))

    def draws(self, entropy: Sequence[int], repeats: int) -> list[Draw]:
        """train: see `RuleSearch`. key, on a ring: "state", uint64 [width, words], bit l of word w in
        row i being cell i of configuration 64*w+l; for life: "table", uint8 [512], and "tori", uint8
        [held_out, width, width]."""
        return [self._draw([*entropy, index]) for index in range(repeats)]

    def _draw(self, entropy: list[int]) -> Draw:
        # Raw Philox words only: what numpy's distributions make of them may change by version.
        philox = np.random.Philox(np.random.SeedSequence([*entropy, 0]))
        # The learner's seed has a generator of its own, which nothing of the key can be told from.
        seed = np.random.Philox(np.random.SeedSequence([*entropy, 1])).random_raw(1)
        if self._ring:
            words = -(-self._held_out // 64)
            state = philox.random_raw(self._width * words).reshape(self._width, words)
            return Draw({"seed": seed}, {"state": state})
        table = _hidden(philox)
        tori = _coins(philox, self._held_out, self._width)
        before = _coins(philox, self.pairs, self._width)
        after = torus.step(table, before)
        return Draw(
            {"seed": seed, "before": before, "after": after}, {"table": table, "tori": tori}
        )

    def examine(self, draw: Draw, predictor: Predictor) -> Score:
        """One answer, a table, and the fraction of configurations (life: of cells) it is right on."""
        table = rule_search.ask(predictor, rule_search.entries(self.goal, self._radius))
        return self._life(table, draw) if not self._ring else self._on_ring(table, draw.key)

    def _on_ring(self, table: np.ndarray, key: Arrays) -> Score:
        """secondary: `uniform`, the fraction that ends with all cells equal, and for density
        `hardest`, the fraction right of those that begin the nearest to one half."""
        m, state = self._held_out, key["state"]
        simulator = Simulator(self._radius, self._width)
        if float(m) * self._width * self._steps >= COMPILED_CELLS:
            end = simulator.compiled(table).run(state, self._steps)
        else:
            end = simulator.data(table, state, self._steps)
        last = bits.ones(end)[:m]
        uniform = (last == 0) | (last == self._width)
        secondary = {"uniform": float(uniform.mean())}
        if self.goal == "density":
            first = bits.ones(state)[:m]
            # Ones stay if what follows on ones is 1, zeros if what follows on zeros is 0.
            stays = np.where(last > 0, table[-1] == 1, table[0] == 0)
            right = uniform & stays & ((last > 0) == (2 * first > self._width))
            off = np.abs(2 * first - self._width)
            secondary["hardest"] = float(right[off == off.min()].mean())
        else:  # equal cells are from then on all 0 and all 1 in turn if, and only if, this holds
            right = uniform & (table[0] == 1 and table[-1] == 0)
        return Score(float(right.mean()), _binomial(int(right.sum()), m), 1, secondary)

    def _life(self, table: np.ndarray, draw: Draw) -> Score:
        """secondary: of the 512 entries the fraction that is right, and that the pairs showed."""
        hidden, tori = draw.key["table"], draw.key["tori"]
        right = (table == hidden)[torus.neighbourhoods(tori)]
        each = right.mean(axis=(1, 2))
        se = _binomial(int(right.sum()), right.size)
        if len(each) > 1:  # cells of a torus share neighbours, so tori are the independent units
            se = max(se, float(each.std(ddof=1) / np.sqrt(len(each))))
        shown = len(np.unique(torus.neighbourhoods(draw.train["before"])))
        secondary = {
            "entries": float((table == hidden).mean()),
            "entries_shown": shown / torus.ENTRIES,
        }
        return Score(float(each.mean()), se, 1, secondary)

    def target(self, draws: Sequence[Draw]) -> Target:
        """chance: density 1/2 (the rule that is always 0 is right where zeros are the majority),
        synchronise 0 (a constant never blinks), life what the better constant reaches on these."""
        chance = {"density": 0.5, "synchronise": 0.0}.get(self.goal)
        if chance is None:
            shares = [torus.step(d.key["table"], d.key["tori"]).mean() for d in draws]
            chance = float(np.mean([max(p, 1 - p) for p in shares]))
        bar = self.bars.get(self.goal) if self.bar is None else self.bar
        return Target("accuracy", "1", bar, "max", self.margin, chance, 1.0)

    def audit(self, draw: Draw, predictor: Predictor) -> dict[str, Any]:
        """rule: the first draw's answer, so that the Record says what was found."""
        count = rule_search.entries(self.goal, self._radius)
        return {"rule": np.packbits(rule_search.ask(predictor, count)).tobytes().hex().upper()}

    def compared_at(self) -> list[float]:
        return [float(bar) for bar in self.ladder.get(self.goal, ())]


def _whole(name: str, value: Any, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise TaskError(f"task.{name}={value!r}: must be a whole number from {low} to {high}")


def _binomial(right: int, trials: int) -> float:
    """Standard error of a fraction, by Laplace's estimate: no finite number is without error."""
    p = (right + 1) / (trials + 2)
    return float(np.sqrt(p * (1 - p) / trials))


def _bits(philox: np.random.Philox, count: int) -> np.ndarray:
    """uint8 [count], fair coins."""
    raw = philox.random_raw(-(-count // 64)).astype("<u8", copy=False)
    return np.unpackbits(raw.view(np.uint8), count=count)


def _coins(philox: np.random.Philox, count: int, width: int) -> np.ndarray:
    """uint8 [count, width, width], fair coins."""
    return _bits(philox, count * width * width).reshape(count, width, width)


def _hidden(philox: np.random.Philox) -> np.ndarray:
    """A table to be found: outer-totalistic in one of two draws, otherwise 512 coins."""
    if _bits(philox, 1)[0]:
        counts = _bits(philox, 18)
        return torus.outer_totalistic(counts[:9], counts[9:])
    return _bits(philox, torus.ENTRIES)
