"""A space goes on from a snapshot as if nothing had been; a file is whole or refused; so are genomes."""

from __future__ import annotations

import errno
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algorithms.base import Refused
from algorithms.hypercell import biology, parity
from algorithms.hypercell.biology import Economy
from algorithms.hypercell.snapshot import header, load, load_genome, save, save_genome
from algorithms.hypercell.space import Axis
from algorithms.hypercell.world import Ablation, World
from tasks.native.memory import aligned
from tests.hypercells import Case, cases, geometry, parity_of

N = 7


def empty(case: Case, tile: int = 1024) -> World:
    """The world that a snapshot is read into: nobody lives there, and its memory holds rubbish."""
    world = case.but(founders=(), params=()).world(tile)
    world.arrays["messages"][...] = 0xABCDEF01
    return world


def small(**fields: Any) -> Case:
    """A parity space in which much is on its way at any tick."""
    shape = geometry(host=Axis(2, stretch=5, toll=2), sm=Axis(3, True, 3), warp=Axis(4))
    case = parity_of(shape, random.Random(3), [0, 7, 13], 20, N, 0.1)
    return case.but(economy=Economy(breed=1, price=0), **fields)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    world = small().world()
    world.run(17)
    save(world, tmp_path / "a.snapshot", {"best": 7})
    return tmp_path / "a.snapshot"


@settings(max_examples=40)
@given(cases(), st.integers(0, 60), st.integers(0, 40), st.sampled_from([1, 4, 1024]))
def test_resumed_is_uninterrupted(case: Case, pause: int, more: int, tile: int) -> None:
    world = case.world(tile)
    world.run(pause)
    resumed = empty(case, tile)
    assert saved_bytes(world, into=resumed) == saved_bytes(resumed)
    assert (resumed.tick, resumed.hash()) == (pause, world.hash())
    assert resumed.balance() == world.balance()
    for until in (pause + more // 2, pause + more, pause + more + 30):
        world.run(until)
        resumed.run(until)
        assert resumed.hash() == world.hash()
        assert (resumed.tallies(), resumed.champion()) == (world.tallies(), world.champion())
    balance, due = resumed.balance()
    assert balance == due
    assert saved_bytes(resumed) == saved_bytes(world)  # no trace of what memory held before


def saved_bytes(world: World, into: World | None = None) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        save(world, Path(folder, "a"))
        if into:
            load(Path(folder, "a"), into)
        return Path(folder, "a").read_bytes()


@settings(max_examples=10)
@given(st.integers(0, 400), st.integers(0, 99))
def test_tiles_may_stand_at_different_ticks(steps: int, seed: int) -> None:
    case = small()
    world = case.world(4)
    world.run_at_random(60, steps, seed)
    resumed = empty(case, 4)
    saved_bytes(world, into=resumed)
    assert resumed.balance() == world.balance()
    world.run(80)
    resumed.run(80)
    assert resumed.hash() == world.hash()


def test_the_header_says_what_it_is(saved: Path) -> None:
    found = json.loads(saved.read_bytes().partition(b"\n")[0])
    assert found == header(saved)
    assert (found["tick"], found["note"]) == (17, {"best": 7})
    assert found["geometry"]["host"] == {"length": 2, "ring": False, "stretch": 5, "toll": 2}
    world = empty(small())
    assert load(saved, world) == found
    params = small().params
    assert tuple(world.space.params)[: len(params)] == params
    assert world.initial == found["initial"] > 0


def test_quiet_messages_are_not_saved(saved: Path) -> None:
    world = small().world()
    assert saved.stat().st_size < world.layout.fresh_bytes < world.layout.bytes / 3


FAILING = ["write", "fsync", "replace"]


def failing(monkeypatch: pytest.MonkeyPatch, where: str, error: BaseException) -> None:
    """From now on, writing a file fails at some point."""

    def fail(*_: Any, **__: Any) -> None:
        raise error

    if where == "write":
        whole = Path.open

        def narrow(path: Path, mode: str = "r", **rest: Any) -> Any:
            file = whole(path, mode, **rest)
            return Narrow(file, error) if "w" in mode else file

        monkeypatch.setattr(Path, "open", narrow)
    else:
        monkeypatch.setattr(os, where, fail)


class Narrow:
    """A file that takes the first bytes of what is written."""

    def __init__(self, file: Any, error: BaseException) -> None:
        self.file, self.error = file, error

    def __enter__(self) -> Narrow:
        return self

    def __exit__(self, *_: Any) -> None:
        self.file.close()

    def write(self, data: bytes) -> None:
        self.file.write(data[:20])
        raise self.error


@pytest.mark.parametrize("where", FAILING)
def test_a_full_disk_leaves_the_old_snapshot(
    saved: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, old = small().world(), saved.read_bytes()
    world.run(40)
    with monkeypatch.context() as patch:
        failing(patch, where, OSError(errno.ENOSPC, "No space left on device"))
        with pytest.raises(Refused, match=r"No space left.*kept as it was.*free [\d,]+ bytes"):
            save(world, saved)
        with pytest.raises(Refused, match="nothing is left of it"):
            save(world, saved.with_name("new"))
    assert saved.read_bytes() == old
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


@pytest.mark.parametrize("where", FAILING)
def test_a_kill_leaves_the_old_snapshot(
    saved: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = small().world()
    world.run(40)
    with monkeypatch.context() as patch:
        failing(patch, where, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            save(world, saved)
    resumed = empty(small())
    assert load(saved, resumed)["tick"] == 17
    save(world, saved)
    assert load(saved, resumed)["tick"] == 40
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.test_hypercell_snapshot import small
from algorithms.hypercell.snapshot import save
world = small().world()
world.run(40)
os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
save(world, Path(sys.argv[1]))
"""


def test_a_real_kill(saved: Path) -> None:
    root = Path(__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", KILLED, str(saved)], cwd=root)
    assert done.returncode == -9
    assert header(saved)["tick"] == 17


def test_every_cut_and_every_flip_is_found(saved: Path) -> None:
    """A damaged file is refused, and the world that should have been filled is as it was."""
    whole, rng = saved.read_bytes(), random.Random(0)
    world = empty(small())
    before = world.buffer.copy()
    places = [*range(0, len(whole), 97), len(whole) - 1, whole.index(b"\n")]
    damaged = [whole[:place] for place in places] + [whole + b"\0"]
    for place in places:
        flipped = bytearray(whole)
        flipped[place] ^= 1 << rng.randrange(8)
        damaged.append(bytes(flipped))
    for data in damaged:
        saved.write_bytes(data)
        with pytest.raises(
            Refused, match=r"is damaged|is no hypercell snapshot|of version"
        ) as told:
            load(saved, world)
        assert "\n" not in str(told.value).removeprefix(str(saved))
        assert "start without it" in str(told.value)
    assert (world.buffer == before).all() and world.tick == 0


def otherwise(**axis: Any) -> Callable[[], World]:
    case = small()
    axes = list(case.geometry.axes)
    axes[5] = replace(axes[5], **axis)
    return lambda: empty(case.but(geometry=replace(case.geometry, axes=tuple(axes))))


OTHER: dict[str, Callable[[], World]] = {
    r"geometry\.sm\.stretch=3, while this run has 2": otherwise(stretch=2),
    r"geometry\.sm\.ring=True, while this run has False": otherwise(ring=False),
    r"geometry\.sm\.length=3, while this run has 5": otherwise(length=5),
    r"economy\.rent=2, while this run has 3": lambda: empty(small().but(economy=Economy(rent=3))),
    r"seed=0, while this run has 9": lambda: empty(small(seed=9)),
    r"ablation\.heredity=True, while this run has False": lambda: empty(
        small(ablation=Ablation(heredity=False))
    ),
    r"tile=24, while this run has 4": lambda: empty(small(), tile=4),
    r"biology\.genome=4, while this run has 6": lambda: empty(
        parity_of(small().geometry, random.Random(3), [0], 20, 64, 0.1)
    ),
}


@pytest.mark.parametrize("told", OTHER)
def test_another_make_is_refused(saved: Path, told: str) -> None:
    world = OTHER[told]()
    before = world.buffer.copy()
    with pytest.raises(Refused, match=told):
        load(saved, world)
    assert (world.buffer == before).all()


def test_another_kernel_source_is_refused(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world, source = empty(small()), biology.Biology.source
    monkeypatch.setattr(biology.Biology, "source", lambda b, host: source(b, host) + "// faster\n")
    with pytest.raises(Refused, match=r"biology\.source=[0-9a-f]{64}, while this run has"):
        load(saved, world)


def test_what_is_no_snapshot_is_refused(tmp_path: Path) -> None:
    world, path = empty(small()), tmp_path / "a"
    with pytest.raises(Refused, match=r"cannot read .*No such file"):
        load(path, world)
    with pytest.raises(Refused, match=r"cannot read .*Is a directory"):
        load(tmp_path, world)
    for text in (b"", b"\n", b"[1]", b'{"format": "else"}\n', bytes(1000), "ä\n".encode("latin-1")):
        path.write_bytes(text)
        with pytest.raises(Refused, match="is no hypercell snapshot"):
            load(path, world)
    path.write_bytes(b'{"format":"hypercell snapshot","version":99}\nwhatever')
    with pytest.raises(Refused, match="of version 99, and this program reads version 1"):
        load(path, world)


def test_memory_is_where_it_was(saved: Path) -> None:
    """Loading fills the arrays that the kernel has; it does not replace them."""
    world = empty(small())
    address, buffer = world.space.energy, world.buffer
    load(saved, world)
    assert world.buffer is buffer and world.space.energy == address
    assert aligned(1).ctypes.data % 64 == 0 == address % 64


def test_a_genome_travels(tmp_path: Path) -> None:
    make, path = parity.biology(N), tmp_path / "best.json"
    genome = np.array([0, 0xFFFFFFFF, 0x80000001, 5], np.uint32)
    save_genome(path, make, genome, 123, {"task": "sparse_parity", "tick": 40})
    assert (load_genome(path, make) == genome).all()
    assert load_genome(path, make).dtype == np.uint32
    found = json.loads(path.read_text())
    assert found["genome"] == ["00000000", "ffffffff", "80000001", "00000005"]
    assert found["merit"] == 123 and found["provenance"]["task"] == "sparse_parity"
    path.write_text(json.dumps(found))  # laid out otherwise, but the same
    assert (load_genome(path, make) == genome).all()


def test_a_genome_that_does_not_fit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, path = parity.biology(N), tmp_path / "best.json"
    save_genome(path, make, np.arange(4, dtype=np.uint32), 1, {})
    text = path.read_text()
    with pytest.raises(Refused, match=r"biology\.genome=4, while this run has 6"):
        load_genome(path, parity.biology(64))
    with pytest.raises(Refused, match=r"biology\.name=parity, while this run has density"):
        load_genome(path, replace(make, name="density"))
    path.write_text(text.replace("00000003", "00000007"))
    with pytest.raises(Refused, match=r"is damaged .its checksum is another"):
        load_genome(path, make)
    path.write_text(text[:-20])
    with pytest.raises(Refused, match=r"is damaged .its header breaks off"):
        load_genome(path, make)
    path.write_text(text.replace('"version": 1', '"version": 2'))
    with pytest.raises(Refused, match="of version 2"):
        load_genome(path, make)
    path.write_text('{"format": "hypercell snapshot"}')
    with pytest.raises(Refused, match="is no hypercell genome"):
        load_genome(path, make)
    path.write_text(text)
    failing(monkeypatch, "fsync", OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(Refused, match=r"No space left.*kept as it was"):
        save_genome(path, make, np.zeros(4, np.uint32), 1, {})
    assert path.read_text() == text
