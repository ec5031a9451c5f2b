"""The simulator: its two ways agree with the definition bit by bit, and known rules classify as published."""

from __future__ import annotations

import hashlib
import platform
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.automaton import bits, oracle, program
from tasks.automaton import simulator as simulator_module
from tasks.automaton.rules import KNOWN, complemented, mirrored, parse_rule, to_hex
from tasks.automaton.simulator import Simulator, classified
from tasks.automaton.synthesis import synthesised

# Fractions correct on rings of 149 fair coins, which the project measured with an earlier simulator,
# and their standard errors: of 1e5 configurations (three digits) or 1e6 (four).
MEASURED = {
    "gkl": (0.8157, 0.0004),
    "majority": (0.0, 0.0012),
    "phi_exp": (0.651, 0.0012),
    "phi_par": (0.772, 0.0012),
    "particle1": (0.744, 0.0012),
    "davis": (0.8172, 0.0004),
    "das": (0.8217, 0.0004),
    "andre_bennett_koza": (0.8231, 0.0004),
}
FINDS = {"gkl": 3, "andre_bennett_koza": 3, "davis": 7}  # operations
WIDTHS = (3, 5, 7, 9, 13, 17, 31, 63, 65, 127, 149, 199)  # each is compiled once, as data


@st.composite
def tables(draw: st.DrawFn, radii: tuple[int, ...] = (1, 2, 3)) -> np.ndarray:
    """Of any rule, or one that leaves uniform configurations as they are."""
    size = 2 << 2 * draw(st.sampled_from(radii))
    value = draw(st.integers(0, (1 << size) - 1))
    table = np.array([value >> i & 1 for i in range(size)], np.uint8)
    if draw(st.booleans()):
        table[0], table[-1] = 0, 1
    return table


def radius(table: np.ndarray) -> int:
    return (len(table).bit_length() - 2) // 2


@pytest.fixture(scope="module")
def coins() -> np.ndarray:
    return bits.fair_coins(np.random.default_rng(1978), 100_000, 149)


@pytest.mark.parametrize("name", KNOWN)
def test_known_rules_classify_as_often_as_published(name: str, coins: np.ndarray) -> None:
    m = 100_000
    simulator = Simulator(3, 149, threads=2)
    right = simulator.solved(parse_rule(name), coins, 320)[:m]
    measured, error = MEASURED[name]
    assert measured == KNOWN[name].measured
    se = np.hypot(error, np.sqrt(right.mean() * (1 - right.mean()) / m))
    assert abs(right.mean() - measured) <= 3 * se
    assert abs(right.mean() - KNOWN[name].published) <= 3 * se
    some = coins[:, :40]
    both = [simulator.solved(parse_rule(name), some, 320, compiled=c) for c in (False, True)]
    assert (both[0] == right[: 40 * 64]).all() and (both[1] == both[0]).all()


def test_majority_solves_next_to_nothing(coins: np.ndarray) -> None:
    right = Simulator(3, 149, threads=2).solved(parse_rule("majority"), coins, 320)
    assert right[:100_000].mean() < 0.0005  # 0.000 to three digits


@settings(max_examples=60)
@given(
    tables(),
    st.sampled_from(WIDTHS),
    st.integers(1, 700),
    st.integers(0, 70),
    st.integers(0, 1 << 30),
    st.integers(1, 3),
)
def test_as_data_is_what_the_definition_says(
    table: np.ndarray, width: int, m: int, steps: int, seed: int, threads: int
) -> None:
    width = max(width, 2 * radius(table) + 1)
    rng = np.random.default_rng(seed)
    draw = bits.uniform_density if seed % 2 else bits.fair_coins
    state = draw(rng, m, width)
    cells = bits.unpack(state, m)
    wanted = oracle.run(table, cells, steps)
    simulator = Simulator(radius(table), width, threads)
    got = simulator.data(table, state, steps)
    assert (bits.unpack(got, m) == wanted).all()
    others = np.stack([table, complemented(table), mirrored(table)])
    solved = simulator.solved_many(others, state, steps)
    assert solved.shape == (3, 64 * state.shape[1])
    for rule, row in zip(others, solved, strict=True):
        end = oracle.run(rule, cells, steps)
        assert (row[:m] == correct(cells, end)).all()
    assert (classified(state, got) == solved[0]).all()
    # Given up in parts: by one part all is solved that is, by more nothing that is not, if what is
    # uniform stays so.
    if not table[0] and table[-1]:
        early = simulator.solved_many(others, state, steps, 1 + steps // 3)
        assert not (early & ~solved)[:, :m].any()
    assert (simulator.solved_many(others, state, steps, steps + 1) == solved).all()


def correct(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """By the definition: all cells are what most were."""
    majority = before.sum(axis=1) > before.shape[1] / 2
    return (after == majority[:, None]).all(axis=1)


# Every example runs the compiler, about 0.3 s.
@settings(max_examples=20)
@given(tables(), st.data())
def test_compiled_is_what_the_definition_says(table: np.ndarray, data: st.DataObject) -> None:
    made = program.compiled(table)
    assert program.compiled(table) is made
    for _ in range(6):
        width = 2 * data.draw(st.integers(radius(table), 99)) + 1
        m, steps = data.draw(st.integers(1, 1200)), data.draw(st.integers(0, 50))
        seed = data.draw(st.integers(0, 1 << 30))
        draw = bits.uniform_density if seed % 2 else bits.fair_coins
        state = draw(np.random.default_rng(seed), m, width)
        wanted = oracle.run(table, bits.unpack(state, m), steps)
        for whole in (False, True):
            got = made.run(state, steps, whole=whole, threads=data.draw(st.integers(1, 3)))
            assert (bits.unpack(got, m) == wanted).all()


@pytest.mark.parametrize("name", ["gkl", "das"])
def test_an_early_end_is_exact(name: str) -> None:
    """So many steps that most blocks and all easy ones are over long before."""
    state = bits.uniform_density(np.random.default_rng(3), 640, 29)
    table, simulator = parse_rule(name), Simulator(3, 29)
    wanted = oracle.run(table, bits.unpack(state, 640), 200)
    assert (bits.unpack(simulator.data(table, state, 200), 640) == wanted).all()
    for whole in (False, True):
        got = simulator.compiled(table).run(state, 200, whole=whole)
        assert (bits.unpack(got, 640) == wanted).all()
    easy = bits.pack(np.repeat(np.eye(29, dtype=np.uint8)[:1], 512, axis=0))  # a single one
    assert not simulator.data(table, easy, 1 << 20).any()
    assert not simulator.compiled(table).run(easy, 1 << 20).any()


@pytest.mark.parametrize(("wide", "r"), [(599, 3), (999, 3), (16383, 1)])
def test_wide_rings(wide: int, r: int) -> None:
    rng = np.random.default_rng(wide)
    table = rng.integers(0, 2, 2 << 2 * r).astype(np.uint8)
    state = bits.fair_coins(rng, 100, wide)
    wanted = oracle.run(table, bits.unpack(state, 100), 9)
    simulator = Simulator(r, wide, threads=2)
    assert (bits.unpack(simulator.data(table, state, 9), 100) == wanted).all()
    assert (bits.unpack(simulator.compiled(table).run(state, 9), 100) == wanted).all()


@given(tables(), st.integers(0, 1 << 30))
def test_symmetries_are_those_of_the_ring(table: np.ndarray, seed: int) -> None:
    cells = np.random.default_rng(seed).integers(0, 2, (5, 17), np.uint8)
    after = oracle.run(table, cells, 4)
    assert (oracle.run(mirrored(table), cells[:, ::-1], 4) == after[:, ::-1]).all()
    assert (oracle.run(complemented(table), 1 - cells, 4) == 1 - after).all()
    assert (mirrored(mirrored(table)) == table).all()
    assert (parse_rule(to_hex(table), radius(table)) == table).all()


def test_the_index_reads_from_the_left() -> None:
    """The leftmost cell is the high bit: this rule, the index's high bit, moves all to the right."""
    table = (np.arange(128) >> 6).astype(np.uint8)
    cells = np.array([[1, 0, 0, 1, 1, 0, 1, 0, 0]], np.uint8)
    assert (oracle.run(table, cells, 1) == np.roll(cells, 3, axis=1)).all()
    assert to_hex(table) == "0" * 16 + "F" * 16


# Random tables of radius 3 take 20 to 26 operations; 31 is what is proven.
@settings(max_examples=100)
@given(tables())
def test_synthesis_is_verified_on_every_neighbourhood(table: np.ndarray) -> None:
    found = synthesised(table)
    assert (found.table() == table).all()
    assert len(found.operations) <= {1: 1, 2: 7, 3: 31}[radius(table)]
    for i, op in enumerate(found.operations):
        assert 0 <= op.bits < 256 and max(op.a, op.b, op.c) < found.inputs + i


@pytest.mark.parametrize("r", [1, 2, 3])
def test_synthesis_of_what_has_nothing_to_do(r: int) -> None:
    cells = 2 * r + 1
    rows = np.arange(1 << cells)
    plain = [np.zeros(1 << cells), np.ones(1 << cells)]
    single = [rows >> i & 1 for i in range(cells)]
    for table in [*plain, *single, *(1 - one for one in single)]:
        found = synthesised(table)
        assert len(found.operations) == 1 and (found.table() == table).all()
    parity = sum(single) % 2
    assert len(synthesised(parity).operations) == r


@pytest.mark.parametrize("name", FINDS)
def test_synthesis_finds_the_short_programs(name: str) -> None:
    assert len(synthesised(parse_rule(name)).operations) == FINDS[name]


@given(st.integers(1, 300), st.integers(0, 20), st.integers(0, 1 << 30))
def test_packing_and_counting(m: int, half: int, seed: int) -> None:
    width = 2 * half + 3
    cells = np.random.default_rng(seed).integers(0, 2, (m, width), np.uint8)
    state = bits.pack(cells)
    assert state.shape == (width, -(-m // 64)) and state.dtype == np.uint64
    lane = m - 1
    assert (state[:, lane // 64] >> np.uint64(lane % 64) & np.uint64(1) == cells[lane]).all()
    assert (bits.unpack(state, m) == cells).all()
    count = bits.ones(state)
    assert (count[:m] == cells.sum(axis=1)).all() and not count[m:].any()


def test_draws_have_the_densities_that_they_say() -> None:
    m, width = 60_000, 9
    fair = bits.ones(bits.fair_coins(np.random.default_rng(0), m, width))[:m]
    assert abs(fair.mean() - width / 2) < 4 * np.sqrt(width / 4 / m)
    assert abs(fair.var() - width / 4) < 0.1
    state = bits.uniform_density(np.random.default_rng(0), m, width)
    counts = np.bincount(bits.ones(state)[:m], minlength=width + 1)
    share = m / (width + 1)
    assert (abs(counts - share) < 5 * np.sqrt(share)).all()
    places = bits.unpack(state, m).mean(axis=0)  # no cell is favoured
    assert (abs(places - 0.5) < 5 * np.sqrt(1 / 4 / m)).all()
    for draw in (bits.fair_coins, bits.uniform_density):
        one, same = (draw(np.random.default_rng(5), 70, 11) for _ in range(2))
        assert (one == same).all() and not (one[:, 1] >> np.uint64(6)).any()


COMPILERS = {
    "the system's": "c++",
    "without AVX-512": "c++ -mno-avx512f",
    "without AVX2": "c++ -mno-avx512f -mno-avx2",
    "ziglang": f"{sys.executable} -P -m ziglang c++",
    "ziglang without AVX-512": f"{sys.executable} -P -m ziglang c++ -mno-avx512f",
}


@pytest.mark.parametrize("which", COMPILERS)
def test_every_compiler_and_vector_gives_the_same(
    which: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if "zig" in which:
        pytest.importorskip("ziglang")
    elif shutil.which("c++") is None:
        pytest.skip("no c++ here")
    if "without" in which and platform.machine() != "x86_64":
        pytest.skip("a flag of x86")
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path))
    monkeypatch.setenv("CXX", COMPILERS[which])
    monkeypatch.setattr(program, "_programs", {})
    simulator_module._as_data.cache_clear()
    rng = np.random.default_rng(2)
    table = rng.integers(0, 2, 128).astype(np.uint8)
    state = bits.fair_coins(rng, 700, 33)
    wanted = oracle.run(table, bits.unpack(state, 700), 20)
    simulator = Simulator(3, 33)
    assert (bits.unpack(simulator.compiled(table).run(state, 20), 700) == wanted).all()
    assert (bits.unpack(simulator.data(table, state, 20), 700) == wanted).all()
    simulator_module._as_data.cache_clear()


def test_programs_do_not_fill_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path))
    digest = hashlib.sha256(b"a rule that no other test compiles").digest()[:16]
    table = np.unpackbits(np.frombuffer(digest, np.uint8))
    assert not program.is_compiled(table)
    program.compiled(table)
    assert program.is_compiled(table)
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []


def test_the_choice_of_the_way_does_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiling pays at once, or never: the answer is the same."""
    rng = np.random.default_rng(8)
    state = bits.fair_coins(rng, 3000, 31)
    for pays in (True, False):
        monkeypatch.setattr(program, "_seconds", [0.0 if pays else 1e9])
        table = rng.integers(0, 2, 128).astype(np.uint8)
        table[0], table[-1] = 0, 1
        simulator = Simulator(3, 31, threads=2)
        chosen = simulator.solved(table, state, 40)
        assert program.is_compiled(table) == pays
        assert (chosen == simulator.solved(table, state, 40, compiled=False)).all()
        assert (chosen == simulator.solved(table, state, 40, compiled=True)).all()
        assert (chosen == simulator.solved(table, state, 40)).all()
