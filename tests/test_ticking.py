"""A counter that ticks, in virtual time: error and interval against the truth, and its faults."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.gauges import GaugeMeter
from metrics.meter import MeterError, Window
from metrics.record import EnergyRow
from metrics.ticking import Counter, ReadError, Ticking, probe
from tests.standin.waveform import Burst, Constant, Ramp, Square, Waveform

WAVEFORMS: dict[str, tuple[Waveform, ...]] = {
    "constant": (Constant(300.0),),
    "steps": (Constant(150.0), Constant(400.0), Constant(90.0), Constant(300.0)),
    **{f"square {hz:g} Hz": (Square(80.0, 400.0, hz),) for hz in (0.5, 7.0, 50.0)},
    "ramp": (Ramp(60.0, 500.0, 1.0),),
    **{f"burst {ms} ms": (Burst(60.0, 450.0, ms / 1e3, 3.3 * ms / 1e3),) for ms in (20, 110, 500)},
}
WINDOWS_S = (0.25, 1.0, 5.0)


@dataclass
class Time:
    """A clock that moves when someone sleeps or reads; sleep overshoots as a busy machine's does."""

    random: random.Random
    now_s: float = 1000.0
    late_s: float = 0.0002

    def clock(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds + 6e-5 + self.random.expovariate(1 / self.late_s)


@dataclass
class Scripted(Counter):
    """Idle power, and from `play` on a sequence of waveforms. Faults as moments of the clock."""

    time: Time
    period_s: float
    phase_s: float = 0.0
    idle_w: float = 60.0
    start_j: float = 10_000.0
    domain: str = "gpu0"
    unit_j: float = 1e-3
    modulus: int | None = None
    freeze_s: float = math.inf
    thaw_s: float = math.inf
    reset_s: float = math.inf
    reset_j: float = 0.0
    seen: tuple[tuple[int, bool], int] = ((0, False), 0)
    errors_s: tuple[float, float] = (math.inf, math.inf)
    what: str = "the counter of board 0"
    remedy: str = "turn it off and on"
    waves: tuple[Waveform, ...] = ()
    from_s: float = 0.0
    from_j: float = 0.0
    share_s: float = 0.0
    to_s: float = 1000.0
    to_j: float = 1000.0

    def play(self, waves: tuple[Waveform, ...], begin_s: float, length_s: float) -> None:
        """Draws the waveforms one after the other, then idle again."""
        self.from_j, self.from_s = self.drawn_j(begin_s), begin_s
        self.to_s, self.share_s, self.waves = begin_s + length_s, length_s / len(waves), waves
        self.to_j = self.drawn_j(self.to_s - 1e-9)

    def drawn_j(self, t_s: float) -> float:
        """Joules truly drawn so far."""
        if t_s >= self.to_s:
            return self.to_j + self.idle_w * (t_s - self.to_s)
        joules = self.from_j
        for i, wave in enumerate(self.waves):
            done_s = t_s - self.from_s - i * self.share_s
            joules += wave.joules(0.0, min(done_s, self.share_s)) if done_s > 0 else 0.0
        return joules

    def read(self) -> int:
        self.time.now_s += 2e-5
        at_s = self.time.now_s
        self.time.now_s += 2e-5
        if self.errors_s[0] <= at_s < self.errors_s[1]:
            raise ReadError("Unknown Error")
        if self.freeze_s <= at_s < self.thaw_s:
            at_s = self.freeze_s
        tick = math.floor((at_s - self.phase_s) / self.period_s), at_s >= self.reset_s
        if tick != self.seen[0]:  # the same until the next tick: spares most of this test's time
            self.seen = tick, self.shown(tick[0] * self.period_s + self.phase_s, tick[1])
        return self.seen[1]

    def shown(self, tick_s: float, reset: bool) -> int:
        """What the counter shows from tick_s on."""
        joules = self.start_j + self.drawn_j(tick_s)
        if reset:
            self.reset_j = self.reset_j or self.start_j + self.drawn_j(self.reset_s)
            joules -= self.reset_j
        units = math.floor(joules / self.unit_j)
        return units if self.modulus is None else units % self.modulus


class Bench(GaugeMeter):
    """A meter of scripted counters."""

    name = "scripted"
    source = "measured:scripted"
    floor_s = 1.0

    def __init__(self, time: Time, *counters: Scripted, max_power_w: float = 2000.0) -> None:
        super().__init__(time.clock, time.sleep)
        self.time, self.counters = time, counters
        for counter in counters:
            gauge = Ticking(counter, self.source, 0.05, max_power_w, time.clock, time.sleep)
            gauge.period_s = counter.period_s
            self.gauges.append(gauge)

    def window(self, waves: tuple[Waveform, ...], length_s: float, phase: str = "train") -> Window:
        """Begins, lets every counter's board draw `waves` for so long, glances, ends."""
        begin = self.begin()
        begin_s = self.time.now_s
        end_s = begin_s + length_s
        for counter in self.counters:
            counter.play(waves, begin_s, length_s)
        while end_s - self.time.now_s > 0.25:
            self.time.now_s += 0.25
            self.glance(begin)
        self.time.now_s = max(end_s, self.time.now_s) + self.time.random.uniform(0, 0.003)
        return Window(phase, 1, begin_s, end_s, begin, self.end(end_s))

    def measure(self, waves: tuple[Waveform, ...], length_s: float) -> tuple[EnergyRow, float]:
        """The first counter's row, and the truth."""
        window, counter = self.window(waves, length_s), self.counters[0]
        return self.rows(window, [])[0], counter.drawn_j(window.end_s) - counter.drawn_j(
            window.begin_s
        )


def bench(period_s: float, seed: int = 1, **fields: float) -> Bench:
    dice = random.Random(seed)
    time = Time(dice)
    unit_j = 1e-6 if period_s < 0.01 else 1e-3
    phase_s = dice.uniform(0, period_s)
    return Bench(time, Scripted(time, period_s, phase_s, unit_j=unit_j, **fields))  # type: ignore[arg-type]


def faulty(fault: str, moment_s: float, **fields: float) -> Bench:
    """A meter whose counter fails so long after now."""
    met = bench(0.1, **fields)
    setattr(met.counters[0], fault, met.time.now_s + moment_s)
    return met


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[math.ceil(share * len(values)) - 1]


@pytest.mark.parametrize("length_s", WINDOWS_S)
@pytest.mark.parametrize("period_s", [0.001, 0.02, 0.1])
def test_error_and_interval(period_s: float, length_s: float) -> None:
    """Random phases of every waveform: 95 % of errors, coverage, and how tight the interval is."""
    met = bench(period_s, seed=round(1e4 * (period_s + length_s)))
    errors: list[float] = []
    halves: list[float] = []
    for waves in WAVEFORMS.values():
        relative = []
        for _ in range(100 if period_s == 0.1 else 40):
            met.time.now_s += met.time.random.uniform(0, 3 * period_s)
            row, truth = met.measure(waves, length_s)
            assert not row.flags
            errors.append(abs(row.gross_j - truth))
            halves.append((row.high_j - row.low_j) / 2)
            relative.append(errors[-1] / truth)
        assert quantile(relative, 0.95) <= {0.25: 0.01, 1.0: 0.01, 5.0: 0.003}[length_s]
    covered = sum(error <= half for error, half in zip(errors, halves, strict=True))
    print(
        covered / len(errors),
        quantile(errors, 0.95),
        quantile(halves, 0.5) / quantile(errors, 0.95),
    )
    assert covered >= 0.95 * len(errors)
    assert quantile(halves, 0.5) <= 2 * quantile(errors, 0.95)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    period_s=st.floats(0.001, 0.1),
    length_s=st.floats(0.01, 3.0),
    idle_w=st.floats(1.0, 200.0),
    waves=st.sampled_from(sorted(WAVEFORMS)),
)
def test_any_window_is_near_the_truth(
    seed: int, period_s: float, length_s: float, idle_w: float, waves: str
) -> None:
    """Never further off than the whole of the last polls' energy at the idle power around."""
    row, truth = bench(period_s, seed, idle_w=idle_w).measure(WAVEFORMS[waves], length_s)
    assert abs(row.gross_j - truth) <= 0.01 * idle_w + 0.01
    assert row.low_j <= row.gross_j <= row.high_j and not row.flags


def test_what_comes_between_end_and_the_first_poll_is_not_lost() -> None:
    """A tick may fall between the end of work and the first reading after it."""
    for late_s in (0.0, 0.03, 0.09, 0.13, 0.5):
        met = bench(0.1)
        begin = met.begin()
        begin_s = met.time.now_s
        met.counters[0].play((Constant(500.0),), begin_s, 0.95)
        met.time.now_s += 0.95 + late_s
        window = Window("train", 1, begin_s, begin_s + 0.95, begin, met.end(begin_s + 0.95))
        assert met.rows(window, [])[0].gross_j == pytest.approx(475.0, abs=0.5)


def test_an_edge_takes_a_couple_of_periods() -> None:
    for period_s in (0.1, 0.02, 0.001):
        met = bench(period_s)
        before_s = met.time.now_s
        met.begin()
        between_s = met.time.now_s
        met.end(between_s)
        limit_s = 0.02 + max(3.1 * period_s, 0.05 + 2 * period_s)
        assert between_s - before_s < limit_s and met.time.now_s - between_s < limit_s


def test_several_counters_at_once() -> None:
    """Each at a phase of its own, so most of them have a head and a tail to take off."""
    time = Time(random.Random(3))
    boards = [Scripted(time, 0.1, 0.013 * i, idle_w=50.0 + i, domain=f"gpu{i}") for i in range(8)]
    met = Bench(time, *boards)
    window = met.window((Constant(300.0),), 1.0)
    rows = met.rows(window, [])
    assert [row.domain for row in rows] == [f"gpu{i}" for i in range(8)]
    assert all(row.gross_j == pytest.approx(300.0, abs=0.5) for row in rows)
    assert all(row.low_j <= 300.0 <= row.high_j for row in rows)


def test_power_that_drifts_after_work_widens_the_interval() -> None:
    steady, drifting = bench(0.1), bench(0.1)
    width = {}
    for met, after in ((steady, Constant(60.0)), (drifting, Ramp(160.0, 60.0, 0.5))):
        begin = met.begin()
        begin_s = met.time.now_s
        # The work ends where the second waveform begins.
        met.counters[0].play((Constant(300.0), after), begin_s, 1.0)
        met.time.now_s += 0.5
        window = Window("train", 1, begin_s, begin_s + 0.5, begin, met.end(begin_s + 0.5))
        (row,) = met.rows(window, [])
        width[met] = row.high_j - row.low_j
        assert row.low_j <= 150.0 <= row.high_j
    assert width[drifting] > 2 * width[steady]


def test_net_is_set_against_idle_and_never_clamped() -> None:
    met = bench(0.1)
    idle = [met.window((Constant(60.0),), 3.0, "idle") for _ in range(2)]
    window = met.window((Constant(61.0),), 1.0)
    (row,) = met.rows(window, idle)
    assert row.idle_j == pytest.approx(60.0, abs=0.1) and row.net_j == pytest.approx(1.0, abs=0.3)
    assert row.net_low_j is not None and row.net_high_j is not None
    assert row.net_low_j < 1.0 < row.net_high_j
    (row,) = met.rows(met.window((Constant(50.0),), 1.0), idle)
    assert row.net_j == pytest.approx(-10.0, abs=0.3)
    (row,) = met.rows(window, [])
    assert row.idle_j is None and row.net_j is None and row.net_low_j is None
    (row,) = met.rows(idle[0], idle)
    assert row.phase == "idle" and row.net_j is None
    assert row.gain_rel == 0.05 and row.resolution_s == 0.1


def test_wraps_are_counted() -> None:
    """A range of 500 J, which 300 W pass every 1.7 s, looked at four times a second."""
    time = Time(random.Random(5))
    counter = Scripted(time, 0.001, unit_j=1e-6, modulus=500 * 10**6, start_j=300.0)
    met = Bench(time, counter, max_power_w=1000.0)
    row, truth = met.measure((Constant(300.0),), 20.0)
    assert row.gross_j == pytest.approx(truth, rel=1e-4) and not row.flags


def test_wraps_that_nobody_may_have_seen_are_an_error() -> None:
    time = Time(random.Random(5))
    met = Bench(time, Scripted(time, 0.001, unit_j=1e-6, modulus=500 * 10**6))
    met.begin()
    time.now_s += 10.0  # no glance
    with pytest.raises(MeterError, match="wrapped unseen"):
        met.end(time.now_s)


def test_between_windows_anything_may_happen() -> None:
    """A reset outside of windows spoils nothing."""
    met = faulty("reset_s", 5.0)
    met.measure((Constant(300.0),), 1.0)
    met.time.now_s += 30.0
    row, truth = met.measure((Constant(300.0),), 1.0)
    assert row.gross_j == pytest.approx(truth, rel=0.01) and not row.flags


def test_a_counter_so_low_that_a_reset_would_not_show_is_flagged() -> None:
    met = faulty("reset_s", 0.0)
    row, truth = met.measure((Constant(300.0),), 1.0)
    assert row.gross_j == pytest.approx(truth, rel=0.01)
    assert row.flags == ["the counter stands so low that a reset would not be noticed"]


def test_reset_is_an_error() -> None:
    with pytest.raises(MeterError, match=r"went back to .* run again"):
        faulty("reset_s", 1.0).measure((Constant(300.0),), 2.0)


def test_reset_of_a_counter_that_wraps_is_an_error() -> None:
    time = Time(random.Random(5))
    counter = Scripted(time, 0.001, unit_j=1e-6, modulus=262_143_328_850)
    met = Bench(time, counter)
    counter.reset_s = time.now_s + 1.0
    with pytest.raises(MeterError, match=r"above meter\.max_power_w=2000"):
        met.measure((Constant(300.0),), 2.0)


def test_power_beyond_the_limit_is_an_error() -> None:
    with pytest.raises(MeterError, match=r"above meter\.max_power_w"):
        bench(0.1).measure((Constant(20_000.0),), 1.0)


def test_frozen_counter_is_an_error() -> None:
    for moment_s in (0.0, 1.5):
        with pytest.raises(MeterError, match=r"stood still for 1(\.\d+)? s: turn it off and on"):
            faulty("freeze_s", moment_s).measure((Constant(300.0),), 2.0)


def test_freeze_during_work_is_flagged() -> None:
    met = faulty("freeze_s", 1.0)
    met.counters[0].thaw_s = met.counters[0].freeze_s + 1.2
    row, _ = met.measure((Constant(300.0),), 4.0)
    assert row.flags == ["the counter stood still for a while: energy may be missing"]
    row, _ = met.measure((Constant(300.0),), 4.0)
    assert row.flags == []  # of this window there is nothing to say


def test_failing_reads_are_repeated_and_told() -> None:
    met = bench(0.1)
    row, truth = met.measure((Constant(300.0),), 1.0)
    assert not row.flags
    now_s = met.time.now_s
    met.counters[0].errors_s = (now_s + 0.1, now_s + 0.5)  # while begin() waits
    row, truth = met.measure((Constant(300.0),), 1.0)
    assert len(row.flags) == 1 and "a reading failed and was repeated (" in row.flags[0]
    assert abs(row.gross_j - truth) < 0.5 and row.low_j <= truth <= row.high_j


@pytest.mark.parametrize("moment_s", [0.0, 0.6])
def test_vanished_sensor_is_an_error(moment_s: float) -> None:
    met = bench(0.1)
    met.begin()
    met.counters[0].errors_s = (met.time.now_s + moment_s, math.inf)
    with pytest.raises(MeterError, match=r"board 0 does not answer any more .* turn it off and on"):
        met.measure((Constant(300.0),), 3.0)


def test_a_glance_never_raises_and_reads_at_most_every_50_ms() -> None:
    met = faulty("reset_s", 1.0)
    begin = met.begin()
    reads = 0
    read = met.counters[0].read

    def counting() -> int:
        nonlocal reads
        reads += 1
        return read()

    met.counters[0].read = counting  # type: ignore[method-assign]
    for _ in range(1000):
        met.time.now_s += 0.01
        met.glance(begin)
    # 20 a second, until the reset; then the meter has nothing more to say.
    assert 5 < reads < 25
    with pytest.raises(MeterError, match="went back"):
        met.end(met.time.now_s)


def test_glance_tells_joules_so_far() -> None:
    met = bench(0.1)
    begin = met.begin()
    met.counters[0].play((Constant(300.0),), met.time.now_s, 10.0)
    met.time.now_s += 2.0
    assert met.glance(begin) == pytest.approx(600.0, abs=35.0)


def test_period_is_found() -> None:
    for period_s in (0.1, 0.02, 0.01, 0.001):
        gauge = bench(period_s).gauges[0]
        assert isinstance(gauge, Ticking)
        probe([gauge], 0.00025)
        assert gauge.period_s == pytest.approx(period_s, rel=0.15)


def test_a_counter_that_does_not_tick_has_no_period() -> None:
    gauge = faulty("freeze_s", 0.0).gauges[0]
    assert isinstance(gauge, Ticking)
    with pytest.raises(MeterError, match="stood still"):
        probe([gauge], 0.001)
