"""A small transformer as one would train it today: Muon, rotary positions, tables of contexts.

Matrices learn by Muon (Jordan et al. 2024), the symbols' vectors by AdamW, the tables by Adagrad.
Queries and keys are normed, the perceptrons' ReLU squared, residual projections begin at zero, rates
fall linearly to zero. Blocks are short and batches small at first. A pass reads the text once, in
blocks without overlap and in random order, since a table that has met a position knows it by heart.

torch is imported only when it is needed, so that listing algorithms stays cheap.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from algorithms.base import Algorithm, Progress, Refused, Training
from algorithms.dynamic import (
    Alphabet,
    Contexts,
    Dynamic,
    Recent,
    demand,
    demand_dynamic,
    torch_device,
)
from tasks.sequence import VOCAB, SequenceSpec, only_bytes

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from algorithms.transformer_net import Cache, Grams, Net, Table

PIECE = 8192  # bytes in a row, of a training that reads a part of the text
PROGRESS_EVERY = 25  # steps; reading the loss waits for a GPU


class Lanes(Alphabet):
    """Predicts side by side with a ring of keys and values (a `tasks.sequence.Predictor`).

    A rotary key is of use wherever its query stands, so the oldest is overwritten and nothing is
    encoded anew: every layer attends to its last `window` positions. Before the first symbol it
    predicts by the frequencies of the training text.

    counts: int64 [256], how often each byte occurs in the training text. tables: of what enters the
    first layer and of logits; None where there is none.
    """

    def __init__(
        self,
        net: Net,
        counts: np.ndarray,
        grams: Grams | None,
        window: int,
        dynamic: Dynamic | None,
    ) -> None:
        super().__init__(counts)
        self.net, self.grams, self.window, self.dynamic = net, grams, window, dynamic
        self.tables: list[Table | None] = [None, None]

    @property
    def device(self) -> torch.device:
        return self.net.square.device

    def sums(self, rows: Tensor | None) -> list[Tensor | None]:
        """What the tables say of int32 [B, T, kinds] rows: float32 [B, T, width], or None."""
        return [None if t is None or rows is None else t.sums(rows) for t in self.tables]

    def reset(self, lanes: int) -> None:
        from algorithms.transformer_net import Cache

        self.net.eval()
        self.cache: Cache = Cache(self.net, lanes, self.window)
        self.recent = Recent(lanes)
        self.logp = np.repeat(self.first, lanes, axis=0)
        if self.dynamic:
            self.dynamic.reset(lanes, len(self.seen), self.device)

    def predict(self) -> np.ndarray:
        return self.logp

    def observe(self, symbols: np.ndarray) -> None:
        import torch

        from algorithms.transformer_net import angles

        self.recent.add(symbols)
        with torch.inference_mode():
            came = torch.from_numpy(self.ids[symbols]).long().to(self.device)
            if self.dynamic:
                self.dynamic.learn(came)
            rows = None
            if self.grams:
                rows = torch.from_numpy(self.grams.last_rows(self.recent.bytes)).to(self.device)
            stream, direct = self.sums(rows)
            at = torch.tensor([self.cache.length], device=self.device)
            turn = angles(at, self.net.n_embd // self.net.n_head)
            hidden = self.net(came[:, None], stream, turn, self.cache)
            self.cache.length += 1
            logits = self.net.logits(hidden, direct)[:, 0]
            known = self.recent.bytes
            logp = self.dynamic.logp(logits, known) if self.dynamic else logits.log_softmax(-1)
            self.logp = self._spread(logp.cpu().numpy())


@dataclass
class Transformer(Algorithm):
    """Fields are explained in configs/algo/transformer.yaml.

    Training depends on the text, the spec's seed and, in the last digits, the number of threads; on
    a GPU some additions have no fixed order, so that runs differ.
    """

    n_layer: int = 1
    n_head: int = 2
    n_embd: int = 64
    widen: int = 4
    tied: bool = False
    block_size: int = 128
    first_block: int = 64
    batch_size: int = 16
    first_batch: int = 4
    ramp: float = 0.5
    epochs: float = 1.0
    learning_rate: float = 0.02
    momentum: float = 0.95
    muon_steps: int = 4
    weight_decay: float = 0.0
    adam_rate: float = 0.01
    beta1: float = 0.9
    beta2: float = 0.95
    warmup: float = 0.02
    hold: float = 0.3
    ngrams: int = 6
    words: int = 3
    least: int = 1
    bits: int = 20
    stream_rate: float = 0.5
    logit_rate: float = 0.06
    device: str = "auto"
    compile: bool = False
    bf16: bool = False
    adapt: bool = False
    adapt_rate: float = 0.2
    adapt_every: int = 1

    def __post_init__(self) -> None:
        self.adapts = self.adapt
        for name in (
            *("n_layer", "n_head", "n_embd", "widen", "block_size", "first_block"),
            *("batch_size", "first_batch", "muon_steps", "ngrams", "least"),
        ):
            demand(self, name, "a whole number of at least 1", lambda v: v >= 1, int)
        for name in ("learning_rate", "weight_decay", "adam_rate", "stream_rate", "logit_rate"):
            demand(self, name, "a number of at least 0", lambda v: 0 <= v < math.inf)
        for name in ("momentum", "beta1", "beta2"):
            demand(self, name, "a number from 0 to below 1", lambda v: 0 <= v < 1)
        for name in ("ramp", "warmup", "hold"):
            demand(self, name, "a number from 0 to 1", lambda v: 0 <= v <= 1)
        for name in ("tied", "compile", "bf16"):
            demand(self, name, "true or false", lambda v: True, bool)
        demand(self, "epochs", "a number above 0", lambda v: 0 < v < math.inf)
        even = f"an even multiple of algo.n_head={self.n_head}"
        demand(self, "n_embd", even, lambda v: v % (2 * self.n_head) == 0, int)
        times = f"algo.block_size={self.block_size} divided by a power of two"
        halved = [self.block_size / 2**i for i in range(20)]
        demand(self, "first_block", times, lambda v: v in halved, int)
        within = f"at most algo.batch_size={self.batch_size}"
        demand(self, "first_batch", within, lambda v: v <= self.batch_size, int)
        demand(self, "ngrams", "from 1 (none) to 16", lambda v: v <= 16, int)
        demand(self, "words", "from 0 to 8", lambda v: 0 <= v <= 8, int)
        demand(self, "bits", "from 8 to 28", lambda v: 8 <= v <= 28, int)
        demand(self, "device", "auto, cpu or cuda", lambda v: v in ("auto", "cpu", "cuda"), str)
        demand_dynamic(self)

    def prepare(self, spec: SequenceSpec) -> None:
        """Loads torch and its kernels by a step of every shape, on a made-up text of all 256 bytes."""
        if unfit := only_bytes(spec, "algo=transformer"):
            raise Refused(unfit)
        super().prepare(spec)
        self._device = torch_device("transformer", self.device)
        made_up = (np.arange(VOCAB + 2 * self.block_size) % VOCAB).astype(np.uint8)
        shapes = {shape: at for at in np.linspace(0, 1, 50) for shape in [self._shape(at)]}
        # Without compilation every shape is served by the same kernels.
        points = list(shapes.values()) if self.compile else [1.0, 1.0]
        predictor = self._new(made_up, np.bincount(made_up, minlength=VOCAB))
        for _ in self._fit(predictor, made_up, points):
            pass
        predictor.reset(spec.lanes)
        predictor.observe(np.resize(made_up, spec.lanes))

    def train(self, data: dict[str, np.ndarray]) -> Training:
        """data["text"]: uint8 [bytes]; its distinct bytes are the model's symbols."""
        text = data["text"]
        if len(text) < self.block_size + 2:
            raise Refused(
                f"algo.block_size={self.block_size}: too long for a training text of {len(text)} "
                "bytes, which must have 2 more; take a shorter block or a longer text"
            )
        part = self._part(text)
        predictor = self._new(part, np.bincount(text, minlength=VOCAB))
        yield from self._fit(predictor, part, self._points(max(1.0, self.epochs) * len(part)))
        return predictor

    def _part(self, text: np.ndarray) -> np.ndarray:
        """All of the text, or for less than a pass pieces from all over it.

        One run of it would be of a subject or two; and only contexts that are read need rows.
        """
        length = max(self.block_size + 2, round(self.epochs * len(text)))
        if length >= len(text):
            return text
        count = max(1, length // PIECE)
        each = -(-length // count)
        starts = np.linspace(0, len(text) - each, count).astype(int)
        return np.concatenate([text[start : start + each] for start in starts])

    def _points(self, total: float) -> list[float]:
        """How much of the training on so many bytes is done before each of its steps."""
        points, done = [], 0.0
        while done < total:
            points.append(done / total)
            done += self._shape(points[-1])[0] * self.block_size
        return points

    def _shape(self, done: float) -> tuple[int, int]:
        """Blocks of block_size in a batch, and into how many shorter ones each of them is cut."""
        grown = min(1.0, done / self.ramp) if self.ramp else 1.0
        span = math.log2(self.block_size // self.first_block)
        halvings = math.ceil(span * (1 - grown) - 0.5)
        batch = self.first_batch + (self.batch_size - self.first_batch) * round(4 * grown) / 4
        return round(batch), 2**halvings

    def _rate(self, done: float) -> float:
        """Of full rates: a linear warm-up, then as it is, then linearly to zero."""
        rise = (done + 0.02 * self.warmup) / self.warmup if self.warmup else 1.0
        fall = (1 - done) / (1 - self.hold) if self.hold < 1 else 1.0
        return min(1.0, rise, fall)

    def _new(self, text: np.ndarray, counts: np.ndarray) -> Lanes:
        """An untrained predictor; this also seeds torch, for the initial weights.

        text: uint8, of the contexts to have rows. counts: int64 [256], of bytes to be known.
        """
        import torch

        from algorithms.transformer_net import Grams, Net, Table

        torch.manual_seed(self.spec.seed)
        vocab = int(np.count_nonzero(counts))
        net = Net(vocab, self.n_layer, self.n_head, self.n_embd, self.widen, self.tied)
        net = net.to(self._device)
        if self.compile:  # the part that does not depend on vocab, so that `prepare` compiles it
            net.compiled = torch.compile(net.trunk, dynamic=False)
        contexts = Contexts(2, self.ngrams, self.words)
        grams = Grams(text, contexts, self.least, self.bits) if contexts.kinds else None
        dynamic = None
        if self.adapt:
            dynamic = Dynamic(self.adapt_rate, self.adapt_every, self.spec.segment)
        lanes = Lanes(net, counts, grams, self.block_size, dynamic)
        if grams and self.stream_rate:
            lanes.tables[0] = Table(grams.total, self.n_embd, 1e-4, self._device)
        if grams and self.logit_rate:
            lanes.tables[1] = Table(grams.total, vocab, 0.02, self._device)
        return lanes

    def _fit(self, lanes: Lanes, text: np.ndarray, points: list[float]) -> Iterator[Progress]:
        """Trains the predictor on uint8 text [bytes], a step at each point of the schedule."""
        import torch
        from torch.nn.functional import cross_entropy

        from algorithms.muon import Muon
        from algorithms.transformer_net import angles

        net, device = lanes.net, self._device
        symbols = torch.from_numpy(lanes.ids[text]).to(device)
        text_rows = None
        if lanes.grams:
            text_rows = torch.from_numpy(lanes.grams.text_rows).to(device)
        muon = Muon([net.square, net.wide], self.momentum, self.weight_decay, self.muon_steps)
        vectors = [net.symbols] if self.tied else [net.symbols, net.head]
        betas = (self.beta1, self.beta2)
        adam = torch.optim.AdamW(vectors, self.adam_rate, betas, weight_decay=0.0, fused=True)
        starts = self._starts(len(text))
        turn = angles(torch.arange(self.block_size, device=device), self.n_embd // self.n_head)
        within = torch.arange(self.block_size + 1, device=device)
        net.train()
        for step, done in enumerate(points):
            batch, parts = self._shape(done)
            T = self.block_size // parts
            at = torch.tensor([next(starts) for _ in range(batch)]).to(device)[:, None] + within
            block = symbols[at].long()
            idx, target = block[:, :-1].reshape(-1, T), block[:, 1:].reshape(-1, T)
            rows = None
            if text_rows is not None:
                rows = text_rows[at[:, :-1]].reshape(*idx.shape, -1)
            sums = [None if s is None else s.requires_grad_() for s in lanes.sums(rows)]
            with torch.autocast(device.type, torch.bfloat16, enabled=self.bf16):
                logits = net.logits(net(idx, sums[0], turn[:, :T]), sums[1])
            loss = cross_entropy(logits.flatten(0, 1), target.flatten())
            loss.backward()
            rate = self._rate(done)
            muon.step(self.learning_rate * rate)
            for group in adam.param_groups:
                group["lr"] = self.adam_rate * rate
            adam.step()
            adam.zero_grad(set_to_none=True)
            table_rates = (self.stream_rate, self.logit_rate)
            for table, total, full in zip(lanes.tables, sums, table_rates, strict=True):
                if table is not None and total is not None and rows is not None:
                    assert total.grad is not None
                    table.learn(rows, total.grad * target.numel(), full * rate)
            if step % PROGRESS_EVERY == 0:
                yield Progress(step, len(points), loss.item(), lanes)
                net.train()
        net.eval()

    def _starts(self, length: int) -> Iterator[int]:
        """Where blocks begin: in each pass all that fit, from a random offset on, in random order."""
        rng = np.random.default_rng(self.spec.seed)
        size = self.block_size
        while True:
            offset = int(rng.integers(min(size, length - size)))
            yield from rng.permutation(np.arange(offset, length - size, size)).tolist()
