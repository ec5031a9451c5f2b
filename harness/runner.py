"""From a configuration to a Record: draws the exam, seats the algorithm, meters, scores, appends."""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from harness import host, pictures, registry
from harness.assemble import Outcome, assemble, hash_draws
from harness.config import Config
from harness.device import device_turn
from harness.errors import BadInputError, WorkerError
from harness.found import provenance
from harness.load import construct, hash_sources
from harness.meters import automatic, joint
from harness.remote import REMOTE
from harness.sitting import Limits, Moment, Sitting, default_memory_gb
from harness.tracking import Tracking
from metrics import record as rec
from metrics.joint import disagreements
from metrics.meter import MeterError, total
from metrics.record import Record
from metrics.trace import missing
from tasks.base import Draw, PredictionError, Score, Task, TaskError

MAX_PILOTS = 3
MAX_WINDOW_BYTES = 256 << 20


@dataclass(frozen=True)
class Hooks:
    """How a run tells what it is doing: `say` a line, `watch` a few times a second."""

    say: Callable[[str], None]
    watch: Callable[[Moment], None]


class Run:
    """One run of a configuration.

    nonce: where the draw is shared with other runs. replay_of: the run that is repeated with its nonce.
    """

    kind = rec.RUN
    with_empty = True  # whether the cost of the path is measured as well
    variables: ClassVar[dict[str, str]] = {}  # more of the worker's environment

    def __init__(
        self, config: Config, hooks: Hooks, nonce: int | None = None, replay_of: str | None = None
    ) -> None:
        self.config = config
        self.hooks = hooks
        self.nonce = nonce
        self.replay_of = replay_of
        self.interrupted = False
        self.fault: Exception | None = None
        self.failure: Exception | None = None
        self.log = b""
        self.process, self.found, self.notes = provenance(config.algo)
        self.marks: dict[str, Any] = {}  # more for the Record's settings
        self.task: Task = construct(config.task.target, config.task.fields, "task")
        if config.meter == registry.AUTO:
            self.meter, self.why_meter = automatic(config.meters)
        else:
            self.meter, self.why_meter = joint(config.meters), f"meter={config.meter}"
        if not config.results:
            raise BadInputError("results=: name a folder for the Records, such as results=results")
        self.folder = Path(config.results)
        measured = any(m.source.startswith("measured") for m in self.meter.meters)
        # Unless it was asked for, a trace is made where a sensor is read and it can be saved.
        self.with_trace = measured and not missing() if config.trace is None else config.trace
        wanted = config.threads, config.algo.about.get("threads"), host.available_cores()
        self.threads = next(n for n in wanted if n is not None)
        if not 1 <= self.threads <= 4096:
            raise BadInputError(f"threads={self.threads}: must be 1 to 4096")
        if config.repeats is not None and not 1 <= config.repeats <= self.task.max_repeats():
            raise BadInputError(
                f"repeats={config.repeats}: must be 1 to {self.task.max_repeats()} for this task"
            )
        for name, value in config.limits.items():
            if value is not None and value <= 0:
                raise BadInputError(f"limits.{name}={value:g}: must be above 0")
        self._check_access()
        self.tracking = Tracking(config.tracker)
        self._start()

    @property
    def exam(self) -> rec.ExamInfo | None:
        """Which sitting of an exam it is, if it is one."""
        return None

    def _start(self) -> None:
        """Names the run by the moment at which it has the device."""
        self.started = datetime.now(UTC)
        self.run = f"{self.started:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"

    def fetch(self) -> None:
        """Gets and checks the task's data (a text may be downloaded here), before any run starts."""
        self.task.spec(self.config.seed)

    def execute(self) -> Record:
        """Sits the exam. Always returns a Record unless the configuration itself was at fault."""
        outcome = Outcome()
        status: rec.Status = "ok"
        error = None
        with device_turn(self.hooks.say):
            self._start()
            self.code = hash_sources(self.config.algo.target)  # before anybody can edit it
            self.hooks = self.tracking.begin(self)
            try:
                self._sit(outcome)
                if self.with_empty and self.config.algo.name != "empty":
                    outcome.empty = self._empty(outcome.draws)
            except (WorkerError, PredictionError, TaskError, MeterError) as failure:
                if outcome.sitting is None:  # nothing has begun: the meter did not open
                    raise
                self.failure = failure
                status, error = "failed", str(failure)
            except KeyboardInterrupt:
                self.interrupted = True
                phase = outcome.sitting.phase if outcome.sitting else "start"
                status, error = "interrupted", f"interrupted in {phase}"
            except BadInputError:
                raise
            except Exception as fault:
                self.fault = fault  # the Record first, then the noise
                status, error = "failed", f"a fault of joulebench or the task: {fault!r}"
        if status != "ok" and outcome.audit is not None:  # only the empty run was lost
            outcome.warnings.append(f"the cost of the empty algorithm is missing: {error}")
            status, error = "ok", None
        self.log = outcome.sitting.log if outcome.sitting else b""
        return assemble(self, outcome, status, error)

    def _sit(self, outcome: Outcome) -> None:
        repeats = self.config.repeats or 1
        for pilot in range(MAX_PILOTS + 1):
            outcome.nonce = self.nonce if self.nonce is not None else secrets.randbits(128)
            outcome.draws = self.task.draws([self.config.seed, outcome.nonce], repeats)
            more = self._attempt(outcome, last=pilot == MAX_PILOTS)
            if more is None:
                break
            assert outcome.sitting is not None
            train = outcome.sitting.lasted("train")
            outcome.pilots.append(
                {"repeats": repeats, "wall_s": train.wall_s, "cpu_s": train.cpu_s}
            )
            self.hooks.say(
                f"{train.wall_s:.2g} s of training is below the meter's floor of "
                f"{self.meter.floor_s:g} s: starting again with {more} different draws in one window"
            )
            repeats = more

    def _attempt(self, outcome: Outcome, last: bool) -> int | None:
        """One sitting. Returns how many repeats to start afresh with, or None once it counts."""
        config, draws = self.config, outcome.draws
        outcome.data_sha256 = hash_draws(draws)
        outcome.data = self.task.provenance()
        outcome.target = self.task.target(draws)
        with self._sitting(self.hooks.watch) as sitting:
            outcome.sitting = sitting
            if self.with_trace:
                sitting.start_trace(self.folder / "traces" / self.run)
            try:
                sitting.prepare(config.algo.target, config.algo.fields, self.task.spec(config.seed))
                sitting.idle(config.settle_s)
                self._train(sitting, outcome)
                more = None if last else self._more_repeats(sitting, draws)
                if more is not None:
                    sitting.stop_trace(keep=False)
                    return more
                outcome.score, outcome.per_draw = self._examine(sitting, draws)
                sitting.idle(0.0)  # at once: it is still as warm as it was
                outcome.audit = self.task.audit(draws[0], REMOTE[self.task.family](sitting, 0))
            finally:
                sitting.stop_trace()
                outcome.rows = sitting.energy_rows()
                outcome.meter = self.meter.about()
            outcome.warnings = disagreements(outcome.rows)
            if self.meter.problems:
                raise MeterError("; ".join(self.meter.problems))
            outcome.pictures = pictures.draw(sitting, draws[0].train, self.hooks.say)
        return None

    def _train(self, sitting: Sitting, outcome: Outcome) -> None:
        sitting.train(outcome.draws, self.task.answer)

    def _more_repeats(self, sitting: Sitting, draws: list[Draw]) -> int | None:
        window_s = sitting.lasted("train").wall_s
        if self.config.repeats is not None or window_s >= self.meter.floor_s:
            return None
        draw_bytes = sum(array.nbytes for array in draws[0].train.values())
        most = min(self.task.max_repeats(), max(1, MAX_WINDOW_BYTES // max(1, draw_bytes)))
        wanted = math.ceil(1.5 * self.meter.floor_s / window_s * len(draws))
        return min(most, wanted) if min(most, wanted) > len(draws) else None

    def _examine(self, sitting: Sitting, draws: list[Draw]) -> tuple[Score, list[float]]:
        remote = REMOTE[self.task.family]
        with sitting.inference(len(draws)):
            predictors = [remote(sitting, index) for index in range(len(draws))]
            scores = self.task.examine_all(draws, predictors)
        return self.task.combine(scores), [score.value for score in scores]

    def _empty(self, draws: list[Draw]) -> rec.EmptyInfo:
        """What the path itself costs: the same draws, handed to an algorithm that learns nothing."""
        choice = registry.find("algo", "empty")[0]
        with self._sitting(lambda moment: None) as sitting:
            sitting.prepare(choice.target, choice.fields, self.task.spec(self.config.seed))
            sitting.train(draws, self.task.answer)
            score, _ = self._examine(sitting, draws)
            rows, train = sitting.energy_rows(), sitting.lasted("train")
            return rec.EmptyInfo(
                energy_j=total(rows, "train", self.meter).value,
                wall_s=train.wall_s / len(draws),
                cpu_s=train.cpu_s / len(draws),
                inference_j=total(rows, "inference", self.meter).value
                * (len(draws) / score.predictions),
            )

    def _sitting(self, watch: Callable[[Moment], None]) -> Sitting:
        limits = self.config.limits
        bounds = {name: float(value) for name, value in limits.items() if value is not None}
        return Sitting(
            self.meter,
            Limits(**{"memory_gb": default_memory_gb(), **bounds}),
            self.threads,
            self.meter.sees_gpu,
            watch,
            self.variables,
        )

    def _check_access(self) -> None:
        access = self.task.access.partition("+")[0]
        taken = self.config.algo.about.get("access")
        if taken and access not in taken:
            raise BadInputError(
                f"algo={self.config.algo.name} does not learn from {access}; it takes: {', '.join(taken)}"
            )
