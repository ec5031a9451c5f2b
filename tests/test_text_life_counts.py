"""What the text biology counts of itself, against the instruments of `instrumented.py`: equal to the unit."""

from __future__ import annotations

import ctypes
from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest

from algorithms.counting import Counts, counted
from algorithms.hypercell import text
from algorithms.hypercell.biology import Biology
from algorithms.hypercell.learn_text import NOT_COUNTED, HypercellText
from algorithms.hypercell.text_oracle_reader import HEAD, MIND
from algorithms.hypercell.world import Ablation, Kernel, World
from metrics import counts as tables
from tasks.native import build
from tasks.sequence import SequenceSpec
from tests import instrumented
from tests.hypercells import Case
from tests.instrumented import accesses, bytes_of, ended, gcc, operations, watch, with_accesses
from tests.opponents import words
from tests.test_hypercell_text import heirs, pond

# Numbers of 8 and 16 bits that count too, and what instrumented.h has no need of for other biologies.
NUMBERS = """typedef Num<signed short> i16;
typedef Num<unsigned short> u16;
typedef Num<unsigned char> n8;
#define LEADING(x) leading(x)
template <class T> u32 leading(Num<T> x) { return added<T>(), u32(__builtin_clz(x.v)); }
#define RESTRICT
#define PREFETCH(at) ((void)0)
#define APART ((void)0)
#define ALONE 1
"""
LINE = ("#ifdef __AVX512F__", "#if 0")  # a line's slots one by one, which both instruments can see
PLAIN = [
    ("typedef signed short i16;\ntypedef unsigned short u16;\n", NUMBERS),
    LINE,
    # Both outcomes of a choice of one kind.
    ("bucket : BUCKETS - 1;", "bucket : u32(BUCKETS - 1);"),
    (": ONE + 1;", ": i32(ONE + 1);"),
    ("r.length[m] : BUCKETS - 1", "r.length[m] : u32(BUCKETS - 1)"),
    ("tag : 1ull << 40", "tag : u64(1ull << 40)"),
    ("total : 1u << 15;", "total : u32(1u << 15);"),
    ("(r >> 22 & 1 ? 1 : -1)", "(r >> 22 & 1 ? i32(1) : i32(-1))"),
    ("(step > 0 ? 1 : -1)", "(step > 0 ? i32(1) : i32(-1))"),
    ("u8 past[WINDOW]", "n8 past[WINDOW]"),
    ("const u32 *least, u8 byte)", "const u32 *least, n8 byte)"),
    (
        "u8 small = (u8)(byte - 'A') < 26 ? byte | 32",
        "n8 small = (n8)(byte - 'A') < 26 ? n8(byte | 32)",
    ),
    ("if ((u8)(small - 'a')", "if ((n8)(small - 'a')"),
]


@dataclass(frozen=True)
class Plain(Biology):
    """The biology, its text as the operations' integers can be put into it."""

    def source(self, host: str) -> str:
        source = super().source(host)
        for before, after in PLAIN:
            assert source.count(before) == 1, before
            source = source.replace(before, after)
        return source


@cache
def kernels(inherit: bool) -> tuple[Kernel, Counts, ctypes.CDLL, ctypes.CDLL]:
    """One that counts itself, and the libraries that count its accesses and operations."""
    biology = text.biology(0, inherit)
    source, table = biology.source("cpu"), biology.events()
    assert table
    kernel = Kernel(build.library(counted(source, table), "text"), biology)
    seen = with_accesses(source.replace(*LINE), "text")
    done = ctypes.CDLL(str(instrumented.with_operations(Plain(**vars(biology)))))
    for lib in (seen, done):
        for name in ("run", "champion"):
            getattr(lib, name).argtypes = getattr(kernel.lib, name).argtypes
            getattr(lib, name).restype = None
    return kernel, Counts(kernel.lib, table), seen, done


def arrays(world: World) -> list[np.ndarray]:
    """What text_events.h takes for arrays, and not for registers."""
    mind, reader = np.dtype(MIND).fields, np.dtype(MIND)["reader"]
    assert mind and reader.fields
    begin = mind["reader"][1] + reader.fields["past"][1]
    end = mind["reader"][1] + reader.fields["last"][1] + reader["last"].itemsize
    spans = [(at, at + kind.itemsize) for kind, at in (mind["seeds"][:2], mind["learned"][:2])]
    found = [world.arrays[name] for name in ("energy", "body", "settled", "outbox", "messages")]
    for arena in world.arrays["arena"]:
        found += [arena[a:b] for a, b in [*spans, (begin, end)]] + [arena[HEAD:]]
    return [*found, *world.fed.values()]


PONDS: list[tuple[Case, int]] = [  # every event happens in one of them
    (pond(0, read=words(400, 1).upper()[:200] + words(400, 1)), 40),
    (pond(1, WIDTH=128, ROWS=4000, BITS=11, SEGMENT=1500), 12),
    (pond(2).but(ablation=Ablation(heredity=False)), 30),
    (pond(3, GRACE=60), 50),
    (pond(4, WIDTH=256, ROWS=3000, BITS=12).but(ablation=Ablation(reproduction=False)), 12),
    (heirs(5), 40),
]


def born(case: Case, kernel: Kernel) -> World:
    world = World(kernel, case.geometry, case.biology, case.seed, case.economy, case.ablation)
    world.space.params[: len(case.params)] = case.params
    for slot, data in enumerate(case.data):
        world.feed(slot, data)
    world.found(case.founders)
    return world


@gcc
def test_text_counts_what_two_instruments_see() -> None:
    happened: Counter[str] = Counter()
    for seed, (case, ticks) in enumerate(PONDS):
        kernel, events, seen, done = kernels(inherit=case.biology.carry > 0)
        worlds, best = [born(case, kernel) for _ in range(3)], (ctypes.c_int64 * 2)()
        events.restart()
        worlds[0].run(ticks)
        worlds[0].champion()
        told = events.told(0)
        happened.update(events.events)
        watch(seen, *arrays(worlds[1]))
        accesses(seen), operations(done)
        for lib, one in ((seen, worlds[1]), (done, worlds[2])):
            lib.run(one.address, ticks, 0, 1)
            lib.champion(one.address, best)
            one.tick = ticks
        assert len({one.hash() for one in worlds}) == 1  # all did the same
        assert bytes_of(told) == accesses(seen), seed
        found = told["operations"]["int32_add"], told["operations"]["int32_mul"]
        assert found == operations(done), seed
        assert events.events["LIVE"] == worlds[0].tallies()["lived"] > 0
        assert events.events["CHILD"] == worlds[0].tallies()["births"]
    elsewhere = {name for name in events.names if name.startswith("SENT_")}
    elsewhere |= {"PIONEER", "CAP", "UNDER"}  # of the engine, or rare
    assert not [name for name in events.names if not happened[name] and name not in elsewhere]


def sitting(monkeypatch: pytest.MonkeyPatch, count: bool, threads: int, **fields: Any) -> Any:
    """Of two equal trainings: counts of the last, and what it answers."""
    monkeypatch.setenv("JOULEBENCH_COUNT", str(int(count)))
    monkeypatch.setenv("OMP_NUM_THREADS", str(threads))
    algorithm = HypercellText(**fields)
    algorithm.prepare(SequenceSpec(train_bytes=4000, segment=64, lanes=1, seed=0))
    read = np.frombuffer(words(4000), np.uint8)
    answers = []
    for _ in range(2):
        grown = ended(algorithm.train({"text": read}))
        grown.reset(1)
        answers.append(grown.predict().tobytes())
    assert answers[0] == answers[1]
    return algorithm.counts(), answers[0]


@pytest.mark.parametrize(
    "fields", [{}, {"genome": "random", "span": 1024, "judged": 256, "chunk": 256, "lives": 3}]
)
def test_text_counts_the_last_training_the_same_with_any_threads(
    fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    told, answer = sitting(monkeypatch, True, 1, **fields)
    assert sitting(monkeypatch, False, 1, **fields) == (None, answer)  # an ordinary build
    for threads in (1, 2):
        again, same = sitting(monkeypatch, True, threads, **fields)
        again["peak_bytes"] = told["peak_bytes"]  # a tile has its clock and its tallies
        assert (again, same) == (told, answer)
    tally = tables.from_mapping(told)
    assert tally.read_bytes > tally.written_bytes > 4000 and tally.peak_bytes > HEAD
    assert (tally.communication_bytes > 0) == bool(fields) and NOT_COUNTED in tally.notes
    assert set(tally.operations) == {"int32_add", "int32_mul"}
