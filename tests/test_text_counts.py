"""What the text kernels count of themselves, against an instrument that knows nothing of it
(`instrumented.py`).

Bytes are equal to the unit where floats decide nothing (hashed contexts); in the others rounding may
decide now and then which of two entries comes first, and the instrument is compiled otherwise, so a
thousandth is allowed. Operations on floats are closed forms, which no instrument checks.
"""

from __future__ import annotations

import ctypes
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from algorithms import hashed_mlp, hashed_softmax, mixer, ppm
from metrics import counts as tables
from metrics.count_numpy import NumpyCounter
from tasks.native.memory import aligned
from tasks.sequence import SequenceSpec
from tests.instrumented import accesses, bytes_of, ended, gcc, watch, with_accesses

AVX512 = (
    " avx512f" in Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else False
)
WORDS = "the quick brown fox jumps over a lazy dog and then nobody minds at all"


def text(size: int) -> np.ndarray:
    """uint8 [size], words and lines."""
    rng = random.Random(5)
    words = "".join(
        rng.choice(WORDS.split()) + rng.choice([" ", " ", ", ", ".\n"]) for _ in range(size)
    )
    return np.frombuffer(words[:size].encode(), np.uint8).copy()


def learn(algorithm: Any, monkeypatch: pytest.MonkeyPatch, count: bool, size: int) -> Any:
    """The predictor. The algorithm was built to count, or not."""
    monkeypatch.setenv("JOULEBENCH_COUNT", str(int(count)))
    hashed_softmax.kernel.cache_clear()
    hashed_mlp.kernel.cache_clear()
    algorithm.prepare(SequenceSpec(size, 256, 2, 0))
    return ended(algorithm.train({"text": text(size)}))


def bits_of(predictor: Any) -> list[bytes]:
    """All that it learned, and an answer. The kernels' own structures hold addresses."""
    arrays = arrays_of(predictor)
    predictor.reset(2)
    told = [array.tobytes() for name, array in sorted(arrays.items()) if name != "model"]
    return [*told, predictor.predict().tobytes()]


def arrays_of(predictor: Any) -> dict[str, np.ndarray]:
    return {name: array for name, array in vars(predictor).items() if isinstance(array, np.ndarray)}


ALGORITHMS: dict[str, Callable[[], Any]] = {
    "hashed_softmax": hashed_softmax.HashedSoftmax,
    "hashed_mlp": lambda: hashed_mlp.HashedMlp(batch=16),
    "mixer": mixer.Mixer,
    "ppm": ppm.Ppm,
}


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_counting_build_learns_the_same_bits_and_counts_the_same_again(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, counts, again = (ALGORITHMS[name]() for _ in range(3))
    wanted = bits_of(learn(plain, monkeypatch, False, 3000))
    assert plain.counts() is None
    predictor = learn(counts, monkeypatch, True, 3000)
    told = counts.counts()
    assert bits_of(predictor) == wanted
    learn(again, monkeypatch, True, 3000)
    ended(again.train({"text": text(3000)}))  # the last training alone
    assert again.counts() == told
    tally = tables.from_mapping(told)
    assert tally.read_bytes > tally.written_bytes > 3000
    # Its memory is numpy's, made in training, and counted there: once.
    assert tally.peak_bytes == 0
    with NumpyCounter() as numpy:
        arrays = arrays_of(ended(again.train({"text": text(3000)})))
    assert numpy.tally.peak_bytes >= sum(array.nbytes for array in arrays.values()) > 3000
    assert {"int32_add", "fp32_add", "fp32_mul"} <= set(tally.operations)
    twice = ALGORITHMS[name]()
    learn(twice, monkeypatch, True, 6000)
    more = twice.counts()["operations"]["fp32_mul"]
    assert 1.5 < more / told["operations"]["fp32_mul"] < 3


def near(told: dict[str, Any], seen: tuple[int, int], tolerance: float) -> None:
    for mine, real in zip(bytes_of(told), seen, strict=True):
        assert abs(mine - real) <= tolerance * real


def bound(lib: ctypes.CDLL, like: ctypes.CDLL, *names: str) -> ctypes.CDLL:
    for name in names:
        getattr(lib, name).argtypes = getattr(like, name).argtypes
        getattr(lib, name).restype = getattr(like, name).restype
    return lib


def shared_of(lib: Any, model: np.ndarray, work: np.ndarray, kinds: int, before: int) -> list[Any]:
    """Of hashed contexts' model and working memory: the weights that kinds share, the segment."""
    start = before + ctypes.sizeof(hashed_softmax.Settings) + 4 * (1 + kinds)
    learned = model[start : start + 4 * (2 * kinds * 16 + 2 * 16 * 256)]
    return [learned, work[44 : 44 + 4096 * 5]]  # past, and where two match models' keys were


def lines_read_twice(algorithm: Any) -> int:
    """Bytes that the kernel's text for a CPU without AVX-512 reads in a second comparison."""
    return 0 if AVX512 else 64 * algorithm.counted.events["CLAIMED"]


@gcc
@pytest.mark.parametrize(
    "fields", [{}, {"bits": 7}, {"row_bits": 5, "runs": 3}, {"match_short": 0, "contexts": "1+w0"}]
)
def test_hashed_softmax_counts_its_bytes(
    fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    size, kinds = 3000, len(hashed_softmax.KINDS)
    algorithm = hashed_softmax.HashedSoftmax(**fields)
    learned = learn(algorithm, monkeypatch, True, size)
    like = hashed_softmax.kernel()
    source = hashed_softmax.contexts(kinds) + hashed_softmax.KERNEL.read_text()
    lib = bound(with_accesses(source, "softmax"), like, "train", "begin_model", "count", "size_of")
    some, counts, work = text(size), np.zeros(256, np.uint64), aligned(lib.size_of(2))
    slots, rows = aligned(learned.slots.nbytes), aligned(learned.rows.nbytes)
    model = aligned(learned.model.nbytes)
    watch(lib, slots, rows, some, *shared_of(lib, model, work, kinds, 0))
    accesses(lib)
    lib.count(some.ctypes.data, size, counts.ctypes.data)
    room = rows.nbytes // 4 // learned.settings.classes
    lib.begin_model(
        *(model.ctypes.data, ctypes.addressof(learned.settings)),
        *(slots.ctypes.data, (slots.nbytes // 8).bit_length() - 1, rows.ctypes.data, room),
    )
    lib.train(model.ctypes.data, work.ctypes.data, some.ctypes.data, size, 0, size)
    read, written = accesses(lib)
    near(algorithm.counts(), (read - lines_read_twice(algorithm), written), 0)
    assert (slots == learned.slots).mean() > 0.99  # the same contexts; rows are rounded otherwise


@gcc
@pytest.mark.parametrize(
    "fields", [{"batch": 16}, {"hidden": 32, "embed": 16, "batch": 8, "trail": 4, "bits": 7}]
)
def test_hashed_mlp_counts_its_bytes(
    fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    size, kinds = 2000, len(hashed_mlp.KINDS)
    algorithm = hashed_mlp.HashedMlp(**fields)
    learned = learn(algorithm, monkeypatch, True, size)
    source = hashed_mlp.source(algorithm.embed, algorithm.hidden, algorithm.batch)
    # Unoptimised, a float that fills a vector is read sixteen times where the source reads it once.
    broadcast = "v16 x = v16{} + a[r * am + i * ak];"
    assert source.count(broadcast) == 1
    source = source.replace(broadcast, "float one = a[r * am + i * ak]; v16 x = v16{} + one;")
    name = f"mlp-{algorithm.hidden}"
    names = ("train", "begin_net", "fill", "count", "size_of", "floats_of")
    lib = bound(with_accesses(source, name), algorithm.lib, *names)
    some, counts, work = text(size), np.zeros(256, np.uint64), aligned(lib.size_of(2))
    bits, units = (learned.slots.nbytes // 8).bit_length() - 1, learned.rows.nbytes // 64
    lib.unwatch()
    other = hashed_mlp.Trained(lib, learned.deep, bits, units, 1, (0.0, 0.0))
    top = algorithm.hidden or algorithm.embed
    each = (algorithm.embed + 16) + algorithm.embed + (top + 16) + top + 2 * (256 + 16)
    activations = work[len(work) - 4 * algorithm.batch * each :]  # stand last
    before = -(-ctypes.sizeof(hashed_mlp.Deep) // 8) * 8
    shared = shared_of(lib, other.model, work, kinds, before)
    layers = (other.dense, other.embed, other.visits)
    watch(lib, other.slots, other.rows, *layers, some, *shared, activations)
    accesses(lib)
    lib.begin_net(other.model.ctypes.data, ctypes.addressof(learned.deep))
    lib.fill(
        *(other.model.ctypes.data, other.slots.ctypes.data, bits, other.rows.ctypes.data, units),
        *(array.ctypes.data for array in layers),
    )
    lib.count(some.ctypes.data, size, counts.ctypes.data)
    lib.train(other.model.ctypes.data, work.ctypes.data, some.ctypes.data, size, 0, size)
    read, written = accesses(lib)
    near(algorithm.counts(), (read - lines_read_twice(algorithm), written), 0)


@gcc
@pytest.mark.parametrize("fields", [{}, {"order": 14}, {"order": 2}, {"memory_bits": 13}])
def test_ppm_counts_its_bytes(fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    algorithm = ppm.Ppm(**fields)
    learned = learn(algorithm, monkeypatch, True, 3000)
    source = ppm.SOURCE.read_text()
    lib = with_accesses(source, "ppm")
    bound(lib, algorithm.kernel, "train", "start", "escapes_bytes")
    names = ("order", "first_count", "inherit", "discount", "gain_adapt")
    model = ppm.CModel(**{name: getattr(algorithm, name) for name in names})
    lib.unwatch()
    other = ppm.Matched(lib, len(learned.nodes) // ppm.NODE, model)
    some = text(3000)
    watch(lib, other.nodes, other.entries, other.escapes, some)
    accesses(lib)
    ended(other.learn(some))
    near(algorithm.counts(), accesses(lib), 1e-3)


@gcc
@pytest.mark.parametrize("fields", [{}, {"memory_bits": 13}])
def test_mixer_counts_its_bytes(fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    algorithm = mixer.Mixer(**fields)
    learned = learn(algorithm, monkeypatch, True, 2000)
    lib = with_accesses(mixer.SOURCE.read_text(), "mixer")
    names = ("train", "start", "grow_tree", "small_bytes", "tree_bytes", "lane_bytes")
    bound(lib, algorithm.kernel, *names)
    grown, begun = [], []

    class Watching:
        """Arrays that the constructor makes and lets go are watched as they are handed over."""

        def grow_tree(self, some: int, size: int, *where: Any) -> None:
            lib.unwatch()
            sizes = (lib.tree_bytes(), 4 * 257 * 512, 4 * 256 * 256)
            for start, length in zip((some, *where), (size, *sizes), strict=False):
                lib.watch(start, length)
            lib.grow_tree(some, size, *where)
            grown.append(accesses(lib))

        def start(self, model: mixer.CModel) -> None:
            lib.unwatch()
            lib.watch(model.small, lib.small_bytes())
            lib.start(model)
            begun.append(accesses(lib))

        def __getattr__(self, name: str) -> Any:
            return getattr(lib, name)

    bits = learned.table.nbytes.bit_length() - 1
    other = mixer.Mixed(Watching(), text(2000), bits, algorithm.params(), algorithm.balance)  # type: ignore[arg-type]
    watch(lib, other.table, other.small, other.tree, other.index, other.text)
    accesses(lib)
    ended(other.learn(256))
    parts = zip(accesses(lib), grown[0], begun[0], strict=True)
    read, written = (sum(part) for part in parts)
    near(algorithm.counts(), (read, written), 1e-3)
