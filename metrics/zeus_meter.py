"""Joules through the zeus package (ml.energy/zeus): Apple silicon, Jetson, AMD, RAPL by zeusd, NVIDIA.

Zeus 0.16 reads counters wherever its windows fall between their ticks, so each end of a window is off
by a uniform share of one period. That, and three faults of it, are dealt with here: its first CPU
window spends 36 to 56 ms of itself (one is thrown away when opening); it counts a RAPL wrap late, and
a window that begins or ends meanwhile is off by a whole range of the counter (found between glances);
and for boards without a counter it integrates power wrongly (refused). Own meters are better where
they exist: nvml and rapl.
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import math
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from metrics.idle import against_idle
from metrics.meter import Meter, MeterError, Sensor, Window, monotonic_s
from metrics.process_tree import ProcessTree, children
from metrics.record import EnergyRow

INSTALL = "zeus is not installed: pip install 'joulebench[meters]'"
NOTHING = (
    "zeus finds neither GPU, SoC nor readable RAPL here: install the GPU's driver, on Apple silicon "
    "pip install zeus-apple-silicon, and for RAPL run zeusd as root with ZEUSD_SOCK_PATH set"
)
# What a SoC draws in all: those of its fields that are not part of another (Apple; Jetson).
SOC_PARTS = [
    *("cpu_total_mj", "gpu_mj", "gpu_sram_mj", "dram_mj", "ane_mj"),
    *("cpu_energy_mj", "gpu_energy_mj"),
]
SLACK_S = 0.05  # how long reading the counters may take
# 95 % of the difference of two ends, each uniform within one period: sd = period * watts / sqrt(6).
ENDS = 1.96 / math.sqrt(6)


@dataclass
class Mark:
    """A window of zeus under way. key: its name. begin_s: when it began. glance, glance_s: the same
    of the stretch since the last glance. seen_j: joules until then. jumps: by domain, stretches that
    rose too far less those that fell."""

    key: str
    begin_s: float
    glance: str
    glance_s: float
    seen_j: float = 0.0
    jumps: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class End:
    """joules: by domain, as zeus gave them. end_s: when it read them. jumped: domains whose counter
    leapt by more than power allows and did not come back."""

    joules: dict[str, float]
    end_s: float
    jumped: list[str]


class Zeus(Meter):
    """All that a ZeusMonitor finds, one domain each: gpu0, package0, dram0, soc ...

    gpu_period_s, cpu_period_s: periods of the counters, those of SoCs counting as a GPU's.
    max_power_w: no domain draws more; what looks like it is a wrap. gain_rel: calibration error.
    """

    name: ClassVar[str] = "zeus"
    source = "measured:zeus"
    domains: tuple[str, ...] = ("gpu0",)  # until `open` finds what there is

    def __init__(
        self,
        gpu_period_s: float = 0.1,
        cpu_period_s: float = 0.002,
        max_power_w: float = 1500.0,
        gain_rel: float = 0.05,
        floor_s: float = 5.0,
        idle_s: float = 5.0,
    ) -> None:
        if (
            not min(gpu_period_s, cpu_period_s, max_power_w, floor_s) > 0
            or min(idle_s, gain_rel) < 0
        ):
            raise MeterError(
                "meter.gpu_period_s, meter.cpu_period_s, meter.max_power_w and meter.floor_s must be "
                "above 0, meter.idle_s and meter.gain_rel at least 0"
            )
        self.gpu_period_s = gpu_period_s
        self.cpu_period_s = cpu_period_s
        self.max_power_w = max_power_w
        self.gain_rel = gain_rel
        self.floor_s = floor_s
        self.idle_s = idle_s
        self.monitor: Any = None
        self._names = (f"joulebench-{i}" for i in itertools.count())

    def sensors(self) -> list[Sensor]:
        domains, remedy = ["-"], ""
        try:
            monitor = new_monitor()
            domains = [f"gpu{i}" for i in monitor.gpu_indices]
            domains += [f"package{i}" for i in monitor.cpu_indices]
            domains += ["soc"] if monitor.soc_is_present else []
        except Exception as error:  # a stranger's driver may raise anything
            remedy = str(error)
        return [
            Sensor(
                *(self.name, domain, self.source, not remedy, remedy),
                period_s=None if remedy else self.period_s(domain),
                floor_s=self.floor_s,
                gain_rel=self.gain_rel,
            )
            for domain in domains
        ]

    def period_s(self, domain: str) -> float:
        """How often a domain's counter changes."""
        is_cpu = domain.startswith(("package", "dram"))
        return self.cpu_period_s if is_cpu else self.gpu_period_s

    def open(self, tree: ProcessTree) -> None:
        super().open(tree)
        before = set(children(os.getpid()))
        self.monitor = new_monitor()
        self.domains = tuple(self._close_window(self._open_window()))
        if not self.domains:
            raise MeterError(NOTHING)
        # Zeus watches RAPL wraps and Jetsons from processes of its own.
        for pid in set(children(os.getpid())) - before:
            tree.ignore(pid)

    def _open_window(self) -> str:
        """Begins a window of zeus, without the torch.cuda.synchronize that it would do: the worker
        has synchronised, and torch must not be loaded here."""
        key = next(self._names)
        with calling_zeus():
            self.monitor.begin_window(key, sync_execution=False)
        return key

    def _close_window(self, key: str) -> dict[str, float]:
        with calling_zeus():
            return by_domain(self.monitor.end_window(key, sync_execution=False))

    def begin(self) -> Mark:
        if self.monitor is None:
            raise MeterError("meter=zeus was not opened")
        key, begin_s = self._open_window(), monotonic_s()
        self._mark = Mark(key, begin_s, self._open_window(), monotonic_s())
        return self._mark

    def glance(self, begin: Mark) -> float:
        with contextlib.suppress(MeterError):  # for displays: `end` will raise what lasts
            self._look(begin)
        return begin.seen_j

    def _look(self, mark: Mark) -> None:
        """Closes the stretch since the last glance, and notes a counter that jumped within it."""
        now_s, key = monotonic_s(), mark.glance
        # The next stretch begins before this one ends: no joule falls between them.
        mark.glance = self._open_window()
        for domain, joules in self._close_window(key).items():
            most_j = self.max_power_w * (now_s - mark.glance_s + self.period_s(domain) + SLACK_S)
            if 0 <= joules <= most_j:
                mark.seen_j += joules
            else:
                mark.jumps[domain] = mark.jumps.get(domain, 0) + (1 if joules > 0 else -1)
        mark.glance_s = now_s

    def end(self, now_s: float) -> End:
        mark = self._mark
        joules = self._close_window(mark.key)
        end_s = monotonic_s()
        with contextlib.suppress(MeterError):
            self._look(mark)
            self._close_window(mark.glance)
        return End(joules, end_s, [domain for domain, times in mark.jumps.items() if times])

    def rows(self, window: Window, idle: list[Window]) -> list[EnergyRow]:
        return [self._row(domain, window, idle) for domain in self.domains]

    def _row(self, domain: str, window: Window, idle: list[Window]) -> EnergyRow:
        gross_j, low_j, high_j, flags = self._measure(domain, window)
        quiet = []
        for pause in idle:
            try:
                joules, low, high, _ = self._measure(domain, pause)
                quiet.append((joules / pause.length_s, low / pause.length_s, high / pause.length_s))
            except MeterError as error:
                flags.append(f"an idle window was left out: {error}")
        return EnergyRow(
            phase=window.phase,
            domain=domain,
            source=self.source,
            gross_j=gross_j,
            low_j=low_j,
            high_j=high_j,
            window_s=window.length_s,
            repeats=window.repeats,
            resolution_s=self.period_s(domain),
            gain_rel=self.gain_rel,
            flags=flags,
            **against_idle(gross_j, low_j, high_j, window.length_s, quiet),
        )

    def _measure(self, domain: str, window: Window) -> tuple[float, float, float, list[str]]:
        """Joules of a domain, their 95 % interval and flags."""
        begin: Mark = window.begin
        end: End = window.end
        period_s, length_s = self.period_s(domain), window.length_s
        joules = end.joules.get(domain)
        if joules is None:
            raise MeterError(f"{domain} vanished during {window.phase}: see the driver's log")
        whole_s = end.end_s - begin.begin_s
        if domain in end.jumped or not 0 <= joules <= self.max_power_w * (whole_s + period_s):
            raise MeterError(
                f"zeus gives {joules:.4g} J in {whole_s:.3g} s for {domain} in {window.phase}, but its "
                f"counter leapt, by more than meter.max_power_w={self.max_power_w:g} allows or below "
                "0: zeus has miscounted a wrap, or the counter was reset; run again, or use "
                "meter=rapl or meter=nvml"
            )
        mean_w = joules / whole_s
        gross_j = mean_w * length_s
        if joules == 0 or length_s < 2 * period_s:
            why = "did not move" if joules == 0 else f"changes every {period_s:g} s"
            most_j = self.max_power_w * (length_s if joules == 0 else period_s)
            return gross_j, 0.0, gross_j + most_j, [f"{domain}'s counter {why}: no figure to quote"]
        half_j = mean_w * math.hypot(ENDS * period_s, whole_s - length_s)
        return gross_j, gross_j - half_j, gross_j + half_j, []

    def about(self) -> dict[str, Any]:
        with contextlib.suppress(ImportError):
            zeus = importlib.import_module("zeus")
            return {"version": zeus.__version__, "domains": list(self.domains)}
        return {}

    def close(self) -> None:
        self.monitor = None


@contextlib.contextmanager
def calling_zeus() -> Iterator[None]:
    """Zeus's errors as MeterErrors; its warnings of empty windows are our flags."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except Exception as error:  # a stranger's driver may raise anything
        raise MeterError(
            f"zeus failed with {type(error).__name__}: {str(error)[:200]}; see that its driver "
            "answers (python -m zeus.show_env)"
        ) from error


def new_monitor() -> Any:
    """A ZeusMonitor of all that there is. MeterError where zeus is missing or finds nothing."""
    try:
        zeus_monitor = importlib.import_module("zeus.monitor")  # 2 s, so only where it is asked for
    except ImportError:
        raise MeterError(INSTALL) from None
    with calling_zeus():
        monitor = zeus_monitor.ZeusMonitor(approx_instant_energy=False)
    if monitor.power_monitor is not None:
        monitor.power_monitor.stop()
        raise MeterError(
            "a GPU here has no energy counter, and zeus would integrate its power, which was 17.6 % "
            "off on a square wave: use meter=nvml"
        )
    if not (monitor.gpu_indices or monitor.cpu_indices or monitor.soc_is_present):
        raise MeterError(NOTHING)
    return monitor


def by_domain(measurement: Any) -> dict[str, float]:
    """Joules by domain, of a zeus Measurement. Its total_energy is of GPUs alone and not used."""
    joules = {f"gpu{i}": float(j) for i, j in measurement.gpu_energy.items()}
    joules |= {f"package{i}": float(j) for i, j in (measurement.cpu_energy or {}).items()}
    joules |= {f"dram{i}": float(j) for i, j in (measurement.dram_energy or {}).items()}
    if measurement.soc_energy is not None:
        parts = vars(measurement.soc_energy)
        names = ["total_energy_mj"] if parts.get("total_energy_mj") is not None else SOC_PARTS
        joules["soc"] = sum(parts.get(name) or 0.0 for name in names) / 1000  # mJ, unlike the rest
    return joules
