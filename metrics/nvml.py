"""Joules of NVIDIA boards, by the driver's energy counter (nvmlDeviceGetTotalEnergyConsumption, mJ).

The counter changes every 10 to 100 ms, by board; the period is found when the meter opens. A board
itself measures power for 25 of every 100 ms (A100, H100) with a gain error of about 5 %, the same for
all it measures (Yang, Adámek, Armour, SC'24): gain_rel, which no row's interval contains.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Literal

from metrics.gauges import EDGE_POLL_S, Gauge, GaugeMeter, Mark
from metrics.meter import MeterError, Sensor
from metrics.nvml_board import (
    Board,
    BoardEnergy,
    BoardPower,
    driver_version,
    library,
    load,
    visible,
)
from metrics.power_integral import PowerIntegral
from metrics.process_tree import ProcessTree
from metrics.ticking import ReadError, Ticking, probe

GAIN_REL = 0.05
POWER_FLOOR_S = 5.0  # sums of power readings are within 5 % from here on (Yang et al.)


class Nvml(GaugeMeter):
    """The energy counters of NVIDIA boards.

    gpus: "all" (those that CUDA_VISIBLE_DEVICES names, where it is set) or the driver's numbers.
    period_s: update period of the counter, None to find it out.
    max_power_w: a board never draws more. floor_s: windows shorter than this are repeated over
    different draws. idle_s: idle is measured for so long before and after training.
    """

    name: ClassVar[str] = "nvml"
    source = "measured:nvml"
    domains: tuple[str, ...] = ("gpu0",)

    def __init__(
        self,
        gpus: Literal["all"] | list[int] = "all",
        period_s: float | None = None,
        max_power_w: float = 2000.0,
        floor_s: float = 1.0,
        idle_s: float = 3.0,
    ) -> None:
        super().__init__()
        if gpus == [] or (gpus != "all" and len(set(gpus)) != len(gpus)):
            raise MeterError(f'meter.gpus={gpus}: must be "all" or a list of different numbers')
        for field, value, low, high in (
            ("period_s", 0.1 if period_s is None else period_s, 0.001, 1.0),
            ("max_power_w", max_power_w, 1.0, 1e5),
            ("floor_s", floor_s, 0.01, 600.0),
            ("idle_s", idle_s, 0.0, 600.0),
        ):
            if not low <= value <= high:
                raise MeterError(f"meter.{field}={value:g}: must be {low:g} to {high:g}")
        self.gpus, self.period_s = gpus, period_s
        self.max_power_w, self.floor_s, self.idle_s = max_power_w, floor_s, idle_s
        self._nvml: Any = None
        self._about: dict[str, Any] = {}
        self.boards: list[Board] = []

    def open(self, tree: ProcessTree) -> None:
        super().open(tree)
        self.close()
        try:
            self.boards = self._find()
            self.gauges = [self._gauge(board) for board in self.boards]
            self._probe(self.gauges)
        except MeterError:
            self.close()
            raise
        self.domains = tuple(board.domain for board in self.boards)
        if any(isinstance(gauge, PowerIntegral) for gauge in self.gauges):
            self.floor_s = max(self.floor_s, POWER_FLOOR_S)
            for gauge in self.gauges:  # what sums several boards is named after the weakest
                gauge.source = "measured:nvml_power"
        self.source = self.gauges[0].source
        self._about = self._describe()
        library = self._about["library"]
        self.flags = [] if library["system"] else [f"driver outside the system: {library['path']}"]
        # The worker has no context yet: whoever is here is a stranger, though in a container its pid
        # may be another namespace's.
        mine = {os.getpid(), *tree.members()}
        self._strangers = [board.processes() - mine for board in self.boards]
        for gauge, strangers in zip(self.gauges, self._strangers, strict=True):
            gauge.flags += [_stranger(pid) for pid in sorted(strangers)]

    def end(self, now_s: float) -> Mark:
        """Also tells who came to a board meanwhile, where pids are those of this namespace."""
        mark = super().end(now_s)
        mine = {os.getpid(), *self.tree.members()}
        for i, (board, known) in enumerate(zip(self.boards, self._strangers, strict=True)):
            new = {p for p in board.processes() - mine - known if Path(f"/proc/{p}").exists()}
            self.gauges[i].events += [_stranger(pid) for pid in sorted(new)]
            mark.events[i] += len(new)
        return mark

    def _find(self) -> list[Board]:
        """The boards to measure, with the driver loaded."""
        self._nvml = nvml = load()
        try:
            count = nvml.nvmlDeviceGetCount()
            wanted = range(count) if self.gpus == "all" else self.gpus
            if not count or not set(wanted) <= set(range(count)):
                raise MeterError(
                    f"meter.gpus={self.gpus}: the driver finds {count} GPUs (nvidia-smi -L)"
                )
            boards = [Board(nvml, index) for index in wanted]
        except nvml.NVMLError as error:
            raise MeterError(f"a GPU does not answer ({error}): see nvidia-smi and dmesg") from None
        return visible(boards) if self.gpus == "all" else boards

    def _gauge(self, board: Board) -> Gauge:
        """The board's counter, or the sum of its power readings."""
        if board.has_counter():
            arguments = (GAIN_REL, self.max_power_w, self.clock, self.sleep)
            return Ticking(BoardEnergy(board), "measured:nvml", *arguments)
        power = BoardPower(board, self.max_power_w)
        try:
            power.read_w()
        except ReadError as error:
            raise MeterError(
                f"{board.what} has neither an energy counter nor a power reading ({error}): "
                "choose another meter"
            ) from None
        return PowerIntegral(power, "measured:nvml_power", GAIN_REL, self.clock)

    def _probe(self, gauges: list[Gauge]) -> None:
        """Finds the counters' periods; a counter that does not tick is refused."""
        counters = [gauge for gauge in gauges if isinstance(gauge, Ticking)]
        probe(counters, EDGE_POLL_S)
        for gauge in counters:
            gauge.period_s = self.period_s or gauge.period_s

    def _describe(self) -> dict[str, Any]:
        return {
            "library": library(),
            "driver": driver_version(self._nvml),
            "boards": [
                {
                    "domain": board.domain,
                    "name": board.name,
                    "uuid": board.uuid,
                    "source": gauge.source,
                    "period_s": gauge.period_s,
                    "power_limit_w": _thousandth(board.try_ask("GetEnforcedPowerLimit")),
                    "memory_mhz": board.try_ask("GetClockInfo", self._nvml.NVML_CLOCK_MEM),
                    **{k: None if math.isnan(v) else v for k, v in board.state().items()},
                }
                for board, gauge in zip(self.boards, self.gauges, strict=True)
            ],
        }

    def about(self) -> dict[str, Any]:
        return self._about

    def sensors(self) -> list[Sensor]:
        try:
            boards = self._find()
        except MeterError as error:
            self.close()
            return [Sensor("nvml", "gpu", self.source, False, str(error))]
        found = []
        for board in boards:
            try:
                gauge = self._gauge(board)
                self._probe([gauge])
            except MeterError as error:
                found.append(Sensor("nvml", board.domain, self.source, False, str(error)))
                continue
            floor_s = max(self.floor_s, POWER_FLOOR_S if gauge.source != self.source else 0)
            facts = (gauge.period_s, floor_s, GAIN_REL)
            found.append(
                Sensor("nvml", board.domain, gauge.source, True, "", *facts, note=board.name)
            )
        self.close()
        return found

    def probes(self) -> list[tuple[str, dict[str, Any]]]:
        return [("metrics.nvml.sample_factory", {"gpus": [board.index for board in self.boards]})]

    def close(self) -> None:
        if self._nvml:
            with contextlib.suppress(self._nvml.NVMLError):
                self._nvml.nvmlShutdown()
        self._nvml = None


def sample_factory(gpus: list[int]) -> Callable[[], dict[str, float]]:
    """For the sampler's process: gpu0_power_w, gpu0_energy_j, gpu0_temperature_c, gpu0_sm_mhz, ..."""
    nvml = load()
    boards = [Board(nvml, index) for index in gpus]
    return lambda: {f"{b.domain}_{k}": value for b in boards for k, value in b.state().items()}


def _stranger(pid: int) -> str:
    return f"another process was on this board: pid {pid}"


def _thousandth(value: int | None) -> float | None:
    return None if value is None else value / 1e3
