"""Backpropagation on text: a small GPT, trained by nanoGPT's published recipe for a CPU.

The defaults are those of https://github.com/karpathy/nanoGPT, config/train_shakespeare_char.py with
the changes that its README makes for a CPU, where it states a validation loss of 1.88. torch is
imported only when it is needed, so that listing algorithms stays cheap.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from algorithms.base import Algorithm, Progress, Refused, Training
from algorithms.dynamic import Alphabet, Dynamic, Recent, demand, demand_dynamic, torch_device
from tasks.sequence import VOCAB, SequenceSpec, only_bytes

if TYPE_CHECKING:
    from algorithms.gpt import GPT

PROGRESS_EVERY = 50  # reading the loss waits for a GPU, so it is read seldom


class Lanes(Alphabet):
    """Predicts side by side with a cache of keys and values (a `tasks.sequence.Predictor`).

    The model sees at most block_size symbols. When these are full, the last `keep` move to
    positions 0 ... keep - 1 and are encoded anew, for with learned positions the old keys are of no
    use there; so a prediction rests on keep ... block_size symbols. Before the first symbol it
    predicts by the frequencies of the training text.

    counts: int64 [256], how often each byte occurs in the training text.
    """

    def __init__(
        self, model: GPT, counts: np.ndarray, keep: int, dynamic: Dynamic | None = None
    ) -> None:
        super().__init__(counts)
        self.model, self.keep, self.dynamic = model, keep, dynamic

    def reset(self, lanes: int) -> None:
        import torch

        self.model.eval()
        self.cache = self.model.new_cache(lanes)
        self.window = torch.zeros((lanes, self.model.block_size), dtype=torch.long)
        self.window = self.window.to(self.cache.device)
        self.length = 0
        self.logp = np.repeat(self.first, lanes, axis=0)
        self.recent = Recent(lanes)
        if self.dynamic:
            self.dynamic.reset(lanes, len(self.seen), self.cache.device)

    def predict(self) -> np.ndarray:
        return self.logp

    def observe(self, symbols: np.ndarray) -> None:
        import torch

        start, end = self.length, self.length + 1
        with torch.inference_mode():
            if start == self.model.block_size:
                start, end = 0, self.keep
                self.window[:, : end - 1] = self.window[:, self.length - end + 1 :].clone()
            self.window[:, end - 1] = torch.from_numpy(self.ids[symbols])
            logits = self.model(self.window[:, start:end], self.cache, start, last=True)[:, 0]
            if self.dynamic:
                self.recent.add(symbols)
                self.dynamic.learn(self.window[:, end - 1])
                logp = self.dynamic.logp(logits, self.recent.bytes)
            else:
                logp = logits.log_softmax(-1)
            self.logp = self._spread(logp.cpu().numpy())
        self.length = end


@dataclass
class BackpropGPT(Algorithm):
    """Fields are nanoGPT's, by its names; configs/algo/backprop/sequence.yaml explains each.

    Training depends on the text, the spec's seed and, in the last digits, the number of threads; on
    a GPU some additions have no fixed order, so that runs differ.
    """

    n_layer: int = 4
    n_head: int = 4
    n_embd: int = 128
    block_size: int = 64
    dropout: float = 0.0
    batch_size: int = 12
    max_iters: int = 2000
    lr_decay_iters: int = 0
    learning_rate: float = 1e-3
    min_lr: float = 1e-4
    warmup_iters: int = 100
    beta1: float = 0.9
    beta2: float = 0.99
    weight_decay: float = 0.1
    grad_clip: float = 1.0
    keep: int = 0
    device: str = "auto"
    compile: bool = False
    dtype: str = "float32"
    adapt: bool = False
    adapt_rate: float = 0.2
    adapt_every: int = 1

    def __post_init__(self) -> None:
        self.adapts = self.adapt
        for name in ("n_layer", "n_head", "n_embd", "block_size", "batch_size", "max_iters"):
            demand(self, name, "a whole number of at least 1", lambda v: v >= 1, int)
        for name in ("warmup_iters", "lr_decay_iters", "keep"):
            demand(self, name, "a whole number of at least 0", lambda v: v >= 0, int)
        for name in ("learning_rate", "min_lr", "weight_decay", "grad_clip"):
            demand(self, name, "a number of at least 0", lambda v: 0 <= v < math.inf)
        for name in ("dropout", "beta1", "beta2"):
            demand(self, name, "a number from 0 to below 1", lambda v: 0 <= v < 1)
        divides = f"divisible by algo.n_head={self.n_head}"
        demand(self, "n_embd", divides, lambda v: v % self.n_head == 0, int)
        within = f"at most algo.block_size={self.block_size}"
        demand(self, "keep", within, lambda v: v <= self.block_size, int)
        demand(self, "device", "auto, cpu or cuda", lambda v: v in ("auto", "cpu", "cuda"), str)
        demand(self, "compile", "true or false", lambda v: True, bool)
        kinds = ("float32", "bfloat16")
        demand(self, "dtype", " or ".join(kinds), lambda v: v in kinds, str)
        demand_dynamic(self)

    def prepare(self, spec: SequenceSpec) -> None:
        """Loads torch and its kernels by two steps on a made-up text of all 256 bytes."""
        if unfit := only_bytes(spec, "algo=backprop"):
            raise Refused(unfit)
        super().prepare(spec)
        self._device = torch_device("backprop", self.device)
        made_up = (np.arange(VOCAB + 2 * self.block_size) % VOCAB).astype(np.uint8)
        predictor = self._new(np.bincount(made_up, minlength=VOCAB))
        for _ in self._fit(predictor, made_up, iters=2):
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
        predictor = self._new(np.bincount(text, minlength=VOCAB))
        yield from self._fit(predictor, text, self.max_iters)
        return predictor

    @property
    def _keep(self) -> int:
        return self.keep or max(1, self.block_size // 2)

    def _new(self, counts: np.ndarray) -> Lanes:
        """An untrained predictor; this also seeds torch, for the initial weights and for dropout."""
        import torch

        from algorithms.gpt import GPT

        torch.manual_seed(self.spec.seed)
        size = (self.block_size, self.n_layer, self.n_head, self.n_embd, self.dropout)
        model = GPT(int(np.count_nonzero(counts)), *size).to(self._device)
        if self.compile:  # the part that does not depend on vocab, so that `prepare` compiles it
            model.trunk = torch.compile(model.trunk)  # type: ignore[method-assign]
        dynamic = None
        if self.adapt:
            dynamic = Dynamic(self.adapt_rate, self.adapt_every, self.spec.segment)
        return Lanes(model, counts, self._keep, dynamic)

    def _fit(self, predictor: Lanes, text: np.ndarray, iters: int) -> Iterator[Progress]:
        """Trains the predictor's model on random blocks of uint8 text [bytes]."""
        import torch
        from torch.nn.functional import cross_entropy

        model = predictor.model
        symbols = torch.from_numpy(predictor.ids[text]).to(self._device)
        order = torch.Generator().manual_seed(self.spec.seed)
        shape = (iters, self.batch_size, 1)
        starts = torch.randint(len(text) - self.block_size, shape, generator=order)
        starts = starts.to(self._device)
        within = torch.arange(self.block_size + 1, device=self._device)
        parameters = list(model.parameters())
        groups = [
            {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": self.weight_decay},
            {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
        ]
        betas = (self.beta1, self.beta2)
        optimizer = torch.optim.AdamW(groups, lr=self.learning_rate, betas=betas, fused=True)
        model.train()
        for step in range(iters):
            for group in optimizer.param_groups:
                group["lr"] = self._rate(step)
            block = symbols[starts[step] + within].long()  # [batch, block_size + 1]
            with torch.autocast(self._device.type, torch.bfloat16, self.dtype == "bfloat16"):
                logits = model(block[:, :-1])
                loss = cross_entropy(logits.flatten(0, 1), block[:, 1:].flatten())
            loss.backward()
            if self.grad_clip:
                torch.nn.utils.clip_grad_norm_(parameters, self.grad_clip)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            if step % PROGRESS_EVERY == 0:
                yield Progress(step, iters, loss.item(), predictor)
                model.train()
        model.eval()

    def _rate(self, step: int) -> float:
        """Learning rate: a linear warm-up, then half a cosine down to min_lr at lr_decay_iters."""
        if step < self.warmup_iters:
            return self.learning_rate * (step + 1) / (self.warmup_iters + 1)
        span = (self.lr_decay_iters or self.max_iters) - self.warmup_iters
        done = (step - self.warmup_iters) / max(1, span)
        fall = (1 + math.cos(math.pi * min(1.0, done))) / 2
        return self.min_lr + fall * (self.learning_rate - self.min_lr)
