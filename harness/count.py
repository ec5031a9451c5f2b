"""Counting runs: one training of one draw with every operation and byte counted, and nothing measured.

The draw follows from the seed and the task alone, so that the same command gives the same counts. Such
a training is slowed down many times over, so its seconds are no figure; its joules are modelled from the
counts, a floor, and stand on no board.
"""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar

import msgspec

from harness import energy_tables
from harness.assemble import Outcome, hash_draws
from harness.config import Config
from harness.errors import BadInputError, WorkerError
from harness.found import sha256
from harness.runner import Hooks, Run
from harness.sitting import Sitting
from metrics import record as rec
from metrics.joint import Joint
from metrics.operation_energy import OperationEnergyError, Table, floor
from tasks.base import Draw

THREADS = 1  # more may add in another order, and branch on it


class Unmetered(Joint):
    """No meter at all. gpu: whether the worker is shown a GPU."""

    def __init__(self, gpu: bool, source: str) -> None:
        self.meters, self.problems, self.counted = [], [], []
        self.gpu, self.source, self.domains = gpu, source, ()
        self.floor_s = self.idle_s = 0.0

    @property
    def sees_gpu(self) -> bool:
        return self.gpu

    def open(self, tree: Any) -> None:
        self.tree = tree

    def begin(self) -> Any:
        return None  # no mark: a display says that nothing is metered


class CountRun(Run):
    """A run that counts. `Record.counts` has what was counted, `energy` the floor of its joules."""

    kind = rec.COUNT
    with_empty = False
    # Read by torch when it is imported (a compiled graph is one call that nobody can look into), and by
    # algorithms.counting: kernels are built to count.
    variables: ClassVar[dict[str, str]] = {"TORCHDYNAMO_DISABLE": "1", "JOULEBENCH_COUNT": "1"}

    def __init__(self, config: Config, hooks: Hooks, nonce: int | None = None) -> None:
        super().__init__(config, hooks)  # without the nonce that a suite shares
        if config.repeats not in (None, 1):
            raise BadInputError(f"repeats={config.repeats}: a count is of one training")
        self.prices: Table = energy_tables.find(config.energy)
        self.threads = config.threads or THREADS
        source = f"modelled:operations-{self.prices.name} (floor)"
        # It is shown the devices that a run with these meters would have, and reads none of them.
        self.meter = Unmetered(self.meter.sees_gpu, source)
        self.why_meter = "a count reads no meter"
        self.with_trace = False
        self.marks = {"energy": config.energy}

    def _sit(self, outcome: Outcome) -> None:
        config = self.config
        outcome.nonce = counting_nonce(config)
        outcome.draws = self.task.draws([config.seed, outcome.nonce], 1)
        outcome.data_sha256 = hash_draws(outcome.draws)
        outcome.data = self.task.provenance()
        outcome.target = self.task.target(outcome.draws)
        with self._sitting(self.hooks.watch) as sitting:
            outcome.sitting = sitting
            sitting.prepare(config.algo.target, config.algo.fields, self.task.spec(config.seed))
            outcome.counts = self._count(sitting, outcome.draws)
            outcome.rows = [self._row(outcome.counts, sitting.lasted("train").wall_s)]

    def _count(self, sitting: Sitting, draws: list[Draw]) -> rec.CountInfo:
        request = {"do": "train", "draws": [draw.train for draw in draws], "count": True}
        with sitting.bounded("train", 1, sitting.limits.train_s):
            reply = sitting.ask_training(request, draws, self.task.answer)
        try:
            return msgspec.convert(reply.get("counts"), rec.CountInfo)
        except msgspec.ValidationError as error:
            raise WorkerError(f"the worker's counts are none ({error})") from None

    def _row(self, counts: rec.CountInfo, window_s: float) -> rec.EnergyRow:
        moved = counts.read_bytes + counts.written_bytes
        try:
            found = floor(counts.operations, moved, self.prices)
        except OperationEnergyError as error:
            others = energy_tables.with_kinds(list(counts.operations))
            way = (
                f"say energy={others[0]}" if others else "say energy=./mine.yaml, with all of them"
            )
            raise WorkerError(f"it was counted but cannot be priced ({error}); {way}") from None
        return rec.EnergyRow(
            phase="train",
            domain="worker",
            source=found.source,
            gross_j=found.gross_j,
            low_j=found.low_j,
            high_j=found.high_j,
            window_s=window_s,
            repeats=1,
            resolution_s=0.0,
            flags=found.flags,
        )


def counting_nonce(config: Config) -> int:
    """128 bits that follow from the seed and the task, other than those of any search."""
    text = f"joulebench counting draw {config.seed} {sha256(config.task)}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")
