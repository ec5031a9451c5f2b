"""Energy-to-score curves: training that is paused now and then to see how well it does so far.

While it is paused the worker's processes are stopped and the window is closed; the evaluation is a
phase of its own, on no bill. What has been shown held-out text before it ended is no exam: such a run
is a Record of kind "curve" and on no board.
"""

from __future__ import annotations

import contextlib
import math
import signal
from collections.abc import Iterator
from typing import Any

from harness.assemble import Outcome
from harness.config import Config
from harness.errors import BadInputError, WorkerError
from harness.remote import REMOTE
from harness.runner import Hooks, Run
from harness.sitting import Sitting
from metrics import record as rec
from reports.units import scaled
from tasks.base import Draw, Score


class CurveRun(Run):
    """A run whose training is paused at times that grow geometrically, or ended there.

    Of the configuration's `curve`: first_s, ratio: pauses after so many seconds of training, then each
    time it has gone on for `ratio` times as long. until_bar: end at the first pause at which the bar is
    met. budget_j: end at the first pause at which so much has been spent.
    """

    kind = rec.CURVE

    def __init__(self, config: Config, hooks: Hooks, nonce: int | None = None) -> None:
        super().__init__(config, hooks, nonce)
        self.settings = config.curve
        self.ended = False  # at a pause, before the algorithm would have ended
        if not self.settings["first_s"] > 0:
            raise BadInputError(f"curve.first_s={self.settings['first_s']:g}: must be above 0")
        if not self.settings["ratio"] > 1:
            raise BadInputError(f"curve.ratio={self.settings['ratio']:g}: must be above 1")
        budget_j = self.settings["budget_j"]
        if budget_j is not None and not budget_j > 0:
            raise BadInputError(f"curve.budget_j={budget_j:g}: must be above 0")
        if config.repeats not in (None, 1):
            raise BadInputError(f"repeats={config.repeats}: a curve is of one training")

    def _more_repeats(self, sitting: Sitting, draws: list[Draw]) -> None:
        return None

    def _sit(self, outcome: Outcome) -> None:
        super()._sit(outcome)
        sitting, score = outcome.sitting, outcome.score
        if sitting and score and not self.ended:
            self._point(sitting, outcome, score, "inference", {})

    def _train(self, sitting: Sitting, outcome: Outcome) -> None:
        try:
            self._train_with_pauses(sitting, outcome)
        finally:
            sitting.tree.signal(signal.SIGCONT)
        floor_s = self.meter.floor_s
        if below := sum(point.wall_s < floor_s for point in outcome.curve):
            sitting.warnings.append(
                f"{below} points of the curve lie below the meter's floor of {floor_s:g} s: their joules "
                "are rough"
            )
        if not outcome.curve:
            sitting.warnings.append(
                f"algo={self.config.algo.name} shows no predictor before the end of its training, or "
                f"that came before curve.first_s={self.settings['first_s']:g}: the curve is one point"
            )

    def _train_with_pauses(self, sitting: Sitting, outcome: Outcome) -> None:
        draw, target = outcome.draws[0], outcome.target
        assert target is not None
        pauses = {name: self.settings[name] for name in ("first_s", "ratio")}
        request = {"do": "train", "draws": [draw.train], "pauses": pauses}
        while True:
            limit_s, trained_s = sitting.limits.train_s, sitting.spent("train")[1]
            with sitting.bounded("train", 1, limit_s, trained_s), going_on(sitting):
                reply = sitting.ask_training(request, [draw], self.task.answer)
            if reply["is"] == "trained":
                return
            if reply["is"] != "paused":
                raise WorkerError(f"the worker answered {reply['is']!r} instead of training")
            with (
                sitting.bounded("evaluation", 1, sitting.limits.inference_s),
                going_on(sitting),
            ):
                score = self.task.examine(draw, REMOTE[self.task.family](sitting, 0))
            point = self._point(sitting, outcome, score, "evaluation", reply)
            met = self.settings["until_bar"] and target.met(score.value) is True
            self.ended = met or point.energy_j.value >= (self.settings["budget_j"] or math.inf)
            request = {"do": "stop" if self.ended else "go_on"}

    def _point(
        self, sitting: Sitting, outcome: Outcome, score: Score, phase: str, reply: dict[str, Any]
    ) -> rec.CurvePoint:
        """The point of this pause, kept at once: nothing measured is lost if the next one fails."""
        energy_j, wall_s, cpu_s = sitting.spent("train")
        step, of, loss = (reply.get(name) for name in ("step", "of", "loss"))
        point = rec.CurvePoint(
            step=step if type(step) is int else 0,
            of=of if type(of) is int else 0,
            loss=loss if type(loss) is float else None,
            energy_j=energy_j,
            wall_s=wall_s,
            cpu_s=cpu_s,
            score=score.value,
            score_se=score.se if math.isfinite(score.se) else None,
            evaluation_s=sitting.lasted(phase).wall_s,
        )
        outcome.curve.append(point)
        done = f", {100 * point.step / point.of:.0f} %" if point.of else ""
        self.hooks.say(
            f"{scaled(energy_j.value, 'J')}, {scaled(wall_s, 's')} of training{done}: {score.value:.4f}"
        )
        return point


@contextlib.contextmanager
def going_on(sitting: Sitting) -> Iterator[None]:
    """The worker goes on for the time of the block; after it all its processes are stopped."""
    sitting.tree.signal(signal.SIGCONT)
    try:
        yield
    finally:
        sitting.tree.signal(signal.SIGSTOP)
