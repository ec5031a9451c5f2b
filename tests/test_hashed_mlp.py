"""The hashed MLP against the same in numpy, and what the contract asks of its predictor."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from algorithms import hashed_mlp
from algorithms.base import Refused
from algorithms.hashed_mlp import KINDS, HashedMlp, Trained
from tasks.sequence import SequenceSpec
from tests.opponents import ODD, answers, as_text, nats, segments, train, words

BUCKETS, PAST, GATES, MATCHES = 16, 8, 16, 2


def small(**fields: Any) -> HashedMlp:
    return HashedMlp(**{"contexts": "1+2+3+w0", "batch": 8, "lr": 0.4, **fields})


class Reference:
    """The same in float64 for contexts 1 and 2 without matches, dictionaries in place of hashing."""

    def __init__(self, trained: Trained, algorithm: HashedMlp) -> None:
        self.a, self.deep, self.s = algorithm, trained.deep, trained.deep.set
        self.c, d, h = self.s.classes, algorithm.embed, algorithm.hidden
        self.e = trained.embed.view(np.float32).astype(float).reshape(-1, d)
        self.visits = np.zeros(len(self.e), int)
        dense, out = trained.dense.view(np.float32).astype(float), self.c + GATES
        first = 5 * d * h + 4 * h if h else 0
        self.w = [dense[: (d + 1) * h].reshape(d + 1, h)] if h else []
        self.w.append(dense[first : first + ((h or d) + 1) * out].reshape(-1, out))
        self.m, self.v = [0 * w for w in self.w], [0 * w for w in self.w]
        self.gain, self.run = np.full((2, BUCKETS), self.s.gain), np.zeros((2, BUCKETS))
        self.known: dict[bytes, tuple[int, Any]] = {}  # visits, and a class or (row, embedding)
        self.steps, self.square, self.peak = 0, 0.0, 0.0

    def run_at(self, j: int, y: int) -> int:
        return 1 + PAST * self.c + len(KINDS) * BUCKETS + j * self.c + y

    def outputs(self, h: np.ndarray) -> list[np.ndarray]:
        """What goes into each layer, and what comes out of the last."""
        x = [np.append(np.clip(h, 0, 6), 1)]
        for w in self.w[:-1]:
            x.append(np.append(np.clip(x[-1] @ w, 0, 6), 1))
        o = x[-1] @ self.w[-1]
        o[self.c :] = np.clip(o[self.c :], -4, 8)
        return [*x, o]

    def forward(self, before: bytes) -> dict[str, Any]:
        contexts = [(bytes(2) + before)[-k:] for k in (1, 2)]
        found = [self.known.get(x, (0, 0)) for x in contexts]
        past = [self.s.class_of[b] for b in (bytes(8) + before)[: -self.a.past - 1 : -1]]
        terms = [0, *(1 + p * self.c + y for p, y in enumerate(past))]
        rows = []
        for j, (context, (visits, what)) in enumerate(zip(contexts, found, strict=True)):
            if visits:
                terms.append(1 + PAST * self.c + j * BUCKETS + self.s.bucket[visits])
                if isinstance(what, tuple):
                    rows.append((context, what[1]))
                else:
                    terms.append(self.run_at(j, what))
        h = self.e[terms].sum(0) + sum(e for _, e in rows)
        *x, o = self.outputs(h)
        return self.mixed({"x": x, "o": o, "terms": terms, "rows": rows, "in": contexts})

    def mixed(self, at: dict[str, Any]) -> dict[str, Any]:
        """With what the contexts add by now: the layers answer for a bunch, the contexts for each byte."""
        o, found = at["o"], [self.known.get(x, (0, 0)) for x in at["in"]]
        z = o[: self.c].copy()
        for j, (visits, what) in enumerate(found):
            b, open_ = self.s.bucket[visits], 1 + o[self.c + j]
            if isinstance(what, tuple):
                z += self.gain[j, b] * open_ * what[0]
            elif visits:
                z[what] += self.run[j, b] * open_
        p = np.exp(z - z.max())
        visits = {x: visits for x, (visits, _) in zip(at["in"], found, strict=True)}
        return at | {"p": p / p.sum(), "visits": visits}

    def update(self, at: dict[str, Any], y: int, scale: float) -> np.ndarray:
        """Rows, runs and gains along the gradient; returns it, the gates' behind the classes'."""
        err = np.append(np.eye(self.c)[y] - at["p"], np.zeros(GATES))
        f, s = err[: self.c], self.s
        for j, context in enumerate(at["in"]):
            visits, what = self.known.get(context, (0, y))
            b, more, open_ = s.bucket[visits], s.bucket[visits + 1], 1 + at["o"][self.c + j]
            step = s.lr * scale * s.rate[visits] * open_
            if isinstance(what, tuple):
                along = what[0] @ f
                err[self.c + j] = np.clip(self.gain[j, b] * along, -4, 4)
                what[0][:] += step * self.gain[j, b] * f
                self.gain[j, b] += s.lr_gain * scale * open_ * along
            elif visits:
                trust = self.run[j, b]
                err[self.c + j] = np.clip(trust * f[what], -4, 4)
                self.run[j, b] += s.lr_run * scale * open_ * f[what]
                row = step * self.gain[j, more] * f
                row[what] += trust / max(self.gain[j, more], 0.05)
                what = (row, self.e[self.run_at(j, what)].copy())
            self.known[context] = (visits + 1, what)
        return err

    def learn(self, text: bytes) -> None:
        a, deep = self.a, self.deep
        for first in range(0, len(text), a.batch):
            scale = 1 - (1 - a.end) * first / len(text)
            bunch = range(first, min(first + a.batch, len(text)))
            seen = [self.forward(text[:i]) for i in bunch]
            errors = []
            for b, i in enumerate(bunch):
                seen[b] = self.mixed(seen[b])
                errors.append(self.update(seen[b], self.s.class_of[text[i]], scale))
            err = np.array(errors)
            xs = [np.array([at["x"][k] for at in seen]) for k in range(len(self.w))]
            steps = [err]
            for k in reversed(range(1, len(self.w))):
                x = xs[k][:, :-1]
                steps.insert(0, (steps[0] @ self.w[k].T)[:, :-1] * ((x > 0) & (x < 6)))
            dh = (steps[0] @ self.w[0].T)[:, :-1]
            self.steps += 1
            rate = 1 / self.steps if self.steps < 100 else 0.01
            self.square += ((dh**2).mean() - self.square) * rate
            self.peak = max(self.peak, self.square)
            pace = scale * a.lr_embed / np.sqrt(max(self.square, self.peak / 32))
            x = xs[0][:, :-1]
            for at, g in zip(seen, pace * dh * ((x > 0) & (x < 6)), strict=True):
                for t in at["terms"]:
                    self.e[t] += a.lr_shared * deep.rate[min(self.visits[t], 255)] * g
                    self.visits[t] += 1
                for context, e in at["rows"]:
                    e += deep.rate[at["visits"][context]] * g
            for w, m, v, x, g in zip(self.w, self.m, self.v, xs, steps, strict=True):
                g = x.T @ g
                m += (1 - a.beta1) * (g - m)
                v += (1 - a.beta2) * (g**2 - v)
                up = m / (1 - a.beta1**self.steps)
                w += a.lr_dense * scale * up / np.sqrt(v / (1 - a.beta2**self.steps) + 1e-12)


@pytest.mark.parametrize("hidden", [0, 16])
def test_steps_are_those_of_the_formulas(hidden: int) -> None:
    text = b"abracadabra, abacus; a cab, a crab. bar a car" * 3
    fields: dict[str, Any] = {"match_long": 0, "match_short": 0, "hidden": hidden, "lr_run": 0.2}
    algorithm = small(contexts="1+2", embedded="1+2", lr_dense=0.01, **fields)
    algorithm.prepare(SequenceSpec(0, 1024, 4, 0))
    steps = algorithm.train({"text": as_text(text)})
    learned = next(steps).predictor
    counts = np.bincount(as_text(text), minlength=256).astype(np.uint64)
    untouched = Trained(algorithm.lib, algorithm.deep(counts), 10, 1000, 0, (0.0, 0.0))
    reference = Reference(untouched, algorithm)
    reference.learn(text)
    np.testing.assert_allclose(
        learned.embed.view(np.float32), reference.e.ravel(), rtol=2e-3, atol=2e-4
    )
    for after in (b"", b"ab", b"a c", b"zzz", b"r"):
        logp = answers(learned, as_text(after)[None])[-1, 0]
        p = np.bincount(learned.deep.set.class_of, np.exp(logp.astype(float)), reference.c)
        np.testing.assert_allclose(p, reference.forward(after)["p"], rtol=5e-3, atol=1e-5)


def test_learns_more_than_letters() -> None:
    text, held = words(60_000), segments(20, 200)
    bytes_ = as_text(text).astype(int)
    pairs = np.ones((256, 256))
    np.add.at(pairs, (bytes_[:-1], bytes_[1:]), 1000)
    pairs /= pairs.sum(1, keepdims=True)
    bigram = -np.log(pairs[held[:, :-1], held[:, 1:]]).mean()
    loss = nats(train(small(), text, 200), held)
    assert loss < bigram - 0.5
    assert nats(train(small(hidden=16), text, 200), held) < bigram - 0.5
    assert nats(train(small(train_bytes=4000), text, 200), held) > loss + 0.1


@pytest.mark.parametrize("adapt", [False, True])
def test_lanes_are_independent_and_reset_forgets(adapt: bool) -> None:
    predictor = train(HashedMlp(adapt=adapt, trail=4, batch=8), words(20_000))
    lanes = segments(5, 300)  # longer than a segment of training: a lane runs out of room
    together = answers(predictor, lanes)
    for lane in (3, 0, 4):
        alone = answers(predictor, lanes[lane : lane + 1])
        np.testing.assert_array_equal(together[:, lane], alone[:, 0])
    np.testing.assert_array_equal(together, answers(predictor, lanes))
    still = train(HashedMlp(trail=4, batch=8), words(20_000))
    np.testing.assert_array_equal(answers(still, lanes)[0], together[0])


def test_adapting_helps_and_is_owned_up_to() -> None:
    assert not small().adapts and small(adapt=True).adapts
    strange = np.tile(segments(4, 300) ^ 1, 2)  # only what comes in the segment can be known
    fields: dict[str, Any] = {"match_long": 0, "match_short": 0}
    text = words(20_000)
    frozen = nats(train(small(**fields), text, 600), strange)
    adapted = nats(train(small(adapt=True, **fields), text, 600), strange)
    linear = nats(train(small(adapt=True, adapt_embed=0.0, **fields), text, 600), strange)
    assert adapted < frozen - 0.5 and linear < frozen - 0.5


@pytest.mark.parametrize("adapt", [False, True])
def test_a_look_at_the_predictor_does_not_disturb_training(adapt: bool) -> None:
    text, lanes = as_text(words(30_000)), segments(3)
    expected = answers(train(small(adapt=adapt), text.tobytes()), lanes)
    algorithm = small(adapt=adapt)
    algorithm.prepare(SequenceSpec(len(text), 64, 4, 0))
    training, losses = algorithm.train({"text": text}), []
    while True:
        try:
            step = next(training)
        except StopIteration as stop:
            final = stop.value
            break
        losses.append(nats(step.predictor, lanes))
        assert step.loss is not None and 0 < step.loss < 6
    np.testing.assert_array_equal(answers(final, lanes), expected)
    assert len(losses) == 4 and losses[-1] < losses[0] - 0.1


def test_the_seed_is_the_learners_own() -> None:
    text, lanes = as_text(words(9000)), segments(2)
    found = []
    for seed in (0, 0, 1):
        algorithm = small()
        algorithm.prepare(SequenceSpec(len(text), 64, 4, seed))
        *_, last = algorithm.train({"text": text})
        found.append(answers(last.predictor, lanes))
    np.testing.assert_array_equal(found[0], found[1])
    assert np.abs(found[0] - found[2]).max() > 1e-3


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
@pytest.mark.parametrize("adapt", [False, True])
def test_odd_texts(odd: bytes, adapt: bool) -> None:
    predictor = train(HashedMlp(adapt=adapt, trail=8, batch=8), odd)
    lanes = as_text(bytes(range(256)) + odd[:44].ljust(44, b"\xff")).reshape(3, 100)
    answers(predictor, lanes)
    if len(set(odd)) == 1 and len(odd) > 1:
        assert answers(predictor, as_text(odd[:20])[None])[-1, 0, odd[0]] > np.log(0.9)


@pytest.mark.parametrize("few", [{"bits": 6}, {"row_bits": 0}, {"bits": 6, "row_bits": 3}])
@pytest.mark.parametrize("adapt", [False, True])
def test_full_tables_forget_and_go_on(few: dict[str, int], adapt: bool) -> None:
    answers(train(small(adapt=adapt, **few), words(9000)), segments(2, 100))


@pytest.mark.parametrize("rates", [{"lr_embed": 3.0}, {"lr_dense": 0.3}, {"lr": 3.0, "gain": 3.0}])
def test_what_diverges_still_answers(rates: dict[str, float]) -> None:
    answers(train(small(hidden=16, **rates), words(30_000)), segments(2, 100))


def test_the_last_words_are_a_bag() -> None:
    """What comes is decided by a word far back, behind others: only the bag knows."""
    rng = np.random.default_rng(0)
    fill = [b"alpha", b"beta", b"gamma", b"delta"]
    text = b""
    for _ in range(3000):
        topic = rng.integers(2)
        between = b" ".join(fill[i] for i in rng.integers(0, 4, 4))
        text += (b"sun " if topic else b"moon ") + between + (b" yes. " if topic else b" now. ")
    fields: dict[str, Any] = {"match_long": 0, "match_short": 0, "lr_embed": 0.1}
    held = as_text(text[-20 * 400 :]).reshape(20, 400)
    without = nats(train(small(**fields), text[:-8000], 400), held)
    assert nats(train(small(trail=8, **fields), text[:-8000], 400), held) < without - 0.005


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_context_learns_alone(kind: str) -> None:
    text = words(30_000)
    predictor = train(small(contexts=kind, past=0, match_long=0, match_short=0), text, 512)
    assert nats(predictor, segments(2, 512)) < 3


@pytest.mark.parametrize(
    "wrong",
    [
        *({"contexts": "7"}, {"contexts": ""}, {"embedded": "w9"}, {"batch": 24}, {"embed": 0}),
        *({"hidden": 8}, {"past": 9}, {"trail": -1}, {"lr_embed": -1.0}, {"beta1": 1.0}),
        *({"runs": 0}, {"bits": 40}, {"lr": -1.0}, {"end": 2.0}),
    ],
    ids=lambda w: str(*w.items()),
)
def test_refuses_what_it_cannot_do(wrong: dict[str, Any]) -> None:
    with pytest.raises(Refused, match=next(iter(wrong))) as refusal:
        HashedMlp(**wrong)
    assert "\n" not in str(refusal.value)


def test_refuses_an_empty_text() -> None:
    with pytest.raises(Refused, match="empty"):
        train(small(), b"")


def test_yaml_lists_every_field_with_its_default() -> None:
    path = Path(__file__).parents[1] / "configs" / "algo" / "hashed_mlp.yaml"
    config = yaml.safe_load(path.read_text())
    assert config.pop("_target_") == "algorithms.hashed_mlp.HashedMlp"
    assert config.pop("about")["families"] == ["sequence"]
    assert config == asdict(HashedMlp())


def test_nothing_is_written_beside_the_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines so full that slots change hands between being claimed and being learned."""
    fences: list[np.ndarray] = []

    def fenced(size: int) -> np.ndarray:
        room = np.zeros(size + 64 + 4096, np.uint8)
        start = -room.ctypes.data % 64
        fences.append(room[start + size : start + size + 4096])
        fences[-1][:] = 0xA5
        return room[start : start + size]

    monkeypatch.setattr(hashed_mlp, "aligned", fenced)
    rng = np.random.default_rng(3)
    for seed in range(8):
        text = (97 + (26 * rng.random(6000) ** 2).astype(int)).astype(np.uint8)
        text[rng.random(6000) < 0.2] = 32
        for adapt in (False, True):
            predictor = train(HashedMlp(bits=8, row_bits=7, adapt=adapt), text.tobytes())
            answers(predictor, text[:2048].reshape(4, -1))
        assert all((fence == 0xA5).all() for fence in fences), seed


def test_blanks_in_a_row_do_it_no_harm() -> None:
    """One context sixty times in a bunch: learned each time from the same error, it would run away."""
    line = b"".join(bytes([97 + i]) * n for i, n in enumerate((3, 1, 70, 2))) + b" " * 90
    text = b"".join(line[: 80 + 7 * (i % 9)] + words(60, seed=i % 40) + b"\n" for i in range(600))
    held = as_text(text[-4096:]).reshape(4, -1)
    assert nats(train(HashedMlp(), text[:-4096], segment=1024), held) < 0.6
