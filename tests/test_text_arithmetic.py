"""The text biology's integers: logarithm, exponentials, softmax, rows that are rounded at random, slots.

Golden vectors; floats, within what the kernel's comments promise; and the oracle, to the bit.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algorithms.hypercell import text_oracle_learn as slow
from algorithms.hypercell import text_oracle_reader as reader
from algorithms.hypercell.biology import KERNEL, inlined
from tasks.native.build import library, opened
from tasks.native.memory import aligned

P = ctypes.c_void_p
ONE, ROW_LIMIT, DEEPEST, NONE = 1 << 14, 24000, 5631, 0xFFFFFFFF
WRAPPERS = """
#define EACH(name, call) extern "C" void name(const u32 *x, u32 *y, u32 many) { \\
  for (u32 i = 0; i < many; i++) y[i] = call(x[i]); }
EACH(logs, log2_of) EACH(powers, exp2_down) EACH(growths, growth)
extern "C" void exponentials(i16 *x, i32 width) { exp_down(x, width); }
extern "C" i32 probabilities(const i16 *z, i32 width, i16 *p, u32 *total) {
  return softmax(z, width, p, total); }
extern "C" i32 learned(i16 *row, const i16 *error, const i16 *random, i32 width, u32 step) {
  return learn_row(row, error, random, width, pace_of(step)); }
extern "C" void paces(const u32 *x, u32 *y, u32 many) {
  for (u32 i = 0; i < many; i++) { Pace p = pace_of(x[i]); y[i] = (u32)p.step | (u32)p.fine << 16; } }
// One context after another: claimed, found, and told what came of it.
extern "C" void visits(u64 *slots, u32 bits, const u64 *hash, const u8 *has_row, u32 many, u32 *out) {
  Table table = {slots, 0, bits, 0};
  for (u32 i = 0; i < many; i++) {
    u32 s = out[2 * i] = claim(table, hash[i]);
    out[2 * i + 1] = find(table, hash[i]);
    if (s == NONE) continue;
    slots[s] += (u64)(visits_of(slots[s]) < 255) << 32;
    if (has_row[i]) slots[s] |= ROW;
  }
}
"""


@cache
def kernel(before: str = "") -> ctypes.CDLL:
    """The kernel's functions. before: what comes before its text."""
    source = "\n".join(inlined(part, KERNEL) for part in ("prelude", "philox", "text"))
    return opened(library(before + source + WRAPPERS, "text_arithmetic"))


def each(name: str, x: np.ndarray) -> np.ndarray:
    """int64: a function of the kernel at uint32 x."""
    given_, out = x.astype(np.uint32), np.empty(len(x), np.uint32)
    getattr(kernel(), name)(given_.ctypes.data_as(P), out.ctypes.data_as(P), len(x))
    return out.astype(np.int64)


def exponentials(x: np.ndarray) -> np.ndarray:
    out = np.ascontiguousarray(x, np.int16)
    for at in range(0, len(out), 256):
        part = out[at : at + 256]
        kernel().exponentials(part.ctypes.data_as(P), len(part))
    return out.astype(np.int64)


GOLDEN: dict[str, tuple[Callable[[int], int], dict[int, int]]] = {
    "logs": (
        reader.log2_of,
        {1: 0, 2: 65536, 3: 103871, 5: 152173, 1000: 653123, 32767: 983037, 32768: 983040}
        | {65535: 1048574, 10**9: 1959357, 2**32 - 1: 2097151},
    ),
    "powers": (
        reader.exp2_down,
        {0: 65536, 1: 65536, 4096: 62762, 32768: 46337, 65535: 32768, 65536: 32768, 100_000: 22756}
        | {500_000: 330, 2**20 - 1: 1},
    ),
    "growths": (
        reader.growth,
        {0: 1, 1: 1, 15: 1, 16: 2, 17: 2, 40: 5, 100: 76, 128: 256, 200: 5792, 255: 62762},
    ),
    "exponentials": (
        lambda x: int(slow.exp_down(np.array([x]))[0]),
        {0: 32767, 1: 32723, 100: 26965, 354: 16429, 355: 16383, 512: 12064, 1024: 4437, 2048: 600}
        | {4096: 10, DEEPEST: 0},
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_vectors(name: str) -> None:
    in_python, golden = GOLDEN[name]
    x = np.array([*golden])
    found = exponentials(x) if name == "exponentials" else each(name, x)
    assert dict(zip(golden, found.tolist(), strict=True)) == golden
    assert {one: in_python(one) for one in golden} == golden


def test_logarithms_are_as_close_as_they_say() -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([np.arange(1, 70_000), rng.integers(1, 1 << 32, 100_000), [(1 << 32) - 1]])
    assert np.abs(each("logs", x) / 65536 - np.log2(x)).max() <= 2**-12
    powers = 1 << np.arange(32)
    assert each("logs", powers).tolist() == [octave << 16 for octave in range(32)]


def test_exponentials_are_as_close_as_they_say() -> None:
    x = np.arange(DEEPEST + 1)
    found, true = exponentials(x), 32768 * np.exp(-x / 512)
    assert (found == slow.exp_down(x)).all()
    assert (np.abs(found - true) <= true / 512 + 2).all()
    assert (np.diff(found) <= 0).all() and found[0] == 32767 and found[-1] == 0


def test_powers_and_growths_are_as_close_as_they_say() -> None:
    x = np.arange(0, 16 << 16, 7)
    assert np.abs(each("powers", x) - 65536 * 0.5 ** (x / 65536)).max() < 8
    x = np.arange(256)
    found, true = each("growths", x), 2 ** (x / 16)
    assert (np.abs(found - true) <= 1 + true / 8192).all() and (np.diff(found) >= 0).all()
    assert (found[::16] == true[::16]).all()


@st.composite
def logits(draw: st.DrawFn) -> np.ndarray:
    """int16 [64, 128 or 256]: up to the limit, flat, or with one that outweighs all."""
    width = draw(st.sampled_from([64, 128, 256]))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    spread = draw(st.sampled_from([0, 1, 300, 3000, 16000]))
    z = rng.integers(-spread, spread + 1, width)
    if draw(st.booleans()):
        z[draw(st.integers(0, width - 1))] = draw(st.sampled_from([-16000, 6000, 16000]))
    return z.astype(np.int16)


@settings(max_examples=200)
@given(logits())
def test_probabilities_sum_to_one(z: np.ndarray) -> None:
    p, total = np.empty(len(z), np.int16), ctypes.c_uint32()
    top = kernel().probabilities(
        z.ctypes.data_as(P), len(z), p.ctypes.data_as(P), ctypes.byref(total)
    )
    wide = z.astype(np.int64)
    wanted_top, wanted, wanted_total = slow.softmax(wide)
    assert (top, total.value, p.tolist()) == (wanted_top, wanted_total, wanted.tolist())
    # Each is rounded down, and so is the share that they have in common.
    assert p.min() >= 0 and ONE - 1.5 * len(z) - 2 <= p.sum(dtype=int) <= ONE
    true = np.exp((wide - wide.max()) / 512)
    assert np.abs(p / ONE - true / true.sum()).max() < 0.003
    # What a byte costs: the logarithm of the sum, from which that of its own logit is taken.
    nats = math.log(true.sum())
    assert abs(reader.log2_of(total.value) / 65536 * math.log(2) - 15 * math.log(2) - nats) < 0.01


def learned(
    row: np.ndarray, error: np.ndarray, random: np.ndarray, step: int
) -> tuple[np.ndarray, int]:
    """A row after one step, and sum row * error before."""
    row = row.astype(np.int16).copy()
    arrays = [row, error.astype(np.int16), random.astype(np.int16)]
    dot = kernel().learned(*(a.ctypes.data_as(P) for a in arrays), len(row), step)
    return row.astype(np.int64), dot


@settings(max_examples=200)
@given(st.integers(0, 1 << 32), st.integers(0, 70_000), st.booleans())
def test_no_row_overflows(seed: int, step: int, extreme: bool) -> None:
    rng = np.random.default_rng(seed)
    row, error = rng.integers(-ROW_LIMIT, ROW_LIMIT + 1, 64), np.zeros(64, np.int64)
    error -= rng.multinomial(ONE, np.eye(64)[3] if extreme else rng.dirichlet(np.full(64, 0.1)))
    error[rng.integers(64)] += ONE
    random = rng.integers(0, 1 << 15, 64)
    if extreme:
        row, random = ROW_LIMIT * rng.choice([-1, 1], 64), rng.choice([0, (1 << 15) - 1], 64)
    found, dot = learned(row, error, random, step)
    by, fine = slow.pace_of(step)
    wanted = row + (((random * fine >> 16) + error) * by >> 16)  # as wide as it needs to be
    assert (found == np.clip(wanted, -ROW_LIMIT, ROW_LIMIT)).all()
    assert dot == row @ error
    packed = each("paces", np.array([step]))[0]
    assert (packed & 0xFFFF, packed >> 16) == (by, fine)


@pytest.mark.parametrize("step", [5, 50, 1000, 9000, 32000])
def test_rounding_at_random_is_fair(step: int) -> None:
    """Over all random words, the mean step is the one of an error that is less than 2^-14 off."""
    random = np.arange(1 << 15)
    for error in (-ONE, -9000, -77, -1, 1, 500, ONE - 1):
        found, _ = learned(np.zeros(1 << 8), np.full(1 << 8, error), random[: 1 << 8], step)
        by, fine = slow.pace_of(step)
        steps = ((random * fine >> 16) + error) * by >> 16
        assert (found == steps[: 1 << 8]).all()
        assert abs(steps.mean() - error * step / 65536) < 0.005 + step / 65536


PLAIN = "#undef __AVX512F__\n"  # the way of claiming that every compiler can go


class Slots:
    """What the oracle's `claim` wants to know of a mind."""

    def __init__(self, bits: int) -> None:
        self.bits, self.slots = bits, np.zeros(1 << bits, np.uint64)


@settings(max_examples=60)
@given(
    st.integers(0, 1 << 32),
    st.sampled_from([4, 6]),
    st.integers(1, 400),
    st.sampled_from([0, 20, 256]),
)
def test_slots_are_claimed_and_found(seed: int, bits: int, many: int, rows: int) -> None:
    """Lines that fill up, with runs that give way and with rows that stay; tags that are zero."""
    rng = np.random.default_rng(seed)
    known = rng.integers(0, 1 << 64, 8 << bits >> 2, dtype=np.uint64)
    known[::9] &= np.uint64(~0 << 24 & (1 << 64) - 1)
    hashes = rng.choice(known, many)
    has_row = (rng.integers(0, 256, many) < rows).astype(np.uint8)
    ends = []
    for before in ("", PLAIN):
        slots, out = aligned(8 << bits).view(np.uint64), np.empty((many, 2), np.uint32)
        kernel(before).visits(
            slots.ctypes.data_as(P), bits, hashes.ctypes.data_as(P), has_row.ctypes.data_as(P),
            many, out.ctypes.data_as(P),
        )  # fmt: skip
        ends.append((out.tolist(), slots.tolist()))
    assert ends[0] == ends[1]
    mind, found = Slots(bits), []
    for hash_, row in zip(hashes.tolist(), has_row.tolist(), strict=True):
        s = slow.claim(mind, hash_)  # type: ignore[arg-type]
        found.append(NONE if s is None else s)
        if s is not None:
            slot = int(mind.slots[s])
            mind.slots[s] = slot + ((slow.visits_of(slot) < 255) << 32) | row << 31
    assert ends[0] == ([[s, s] for s in found], mind.slots.tolist())
    assert (NONE in found) <= bool(rows)  # where nothing has a row, there is always room


def test_claiming_knows_full_lines() -> None:
    """The test above sees what it should: a line of eight runs loses its shortest, one of rows none."""
    line = np.arange(1, 11, dtype=np.uint64)  # all in line 0, tags 1 to 10
    for rows, last in ((0, 1), (1, NONE)):
        hashes = np.concatenate([line[:8], line[:1], line[8:9]])
        has_row, out = np.full(10, rows, np.uint8), np.empty((10, 2), np.uint32)
        slots = aligned(8 << 4).view(np.uint64)
        kernel().visits(
            slots.ctypes.data_as(P), 4, hashes.ctypes.data_as(P), has_row.ctypes.data_as(P), 10,
            out.ctypes.data_as(P),
        )  # fmt: skip
        assert out[:, 0].tolist() == [*range(8), 0, last]
