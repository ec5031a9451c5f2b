"""Backpropagation on text: a small GPT, trained by nanoGPT's published recipe for a CPU.

The defaults are those of https://github.com/karpathy/nanoGPT, config/train_shakespeare_char.py with
the changes that its README makes for a CPU, where it states a validation loss of 1.88. torch is
imported only when it is needed, so that listing algorithms stays cheap.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from algorithms.base import Algorithm, Progress, Refused, Training
from tasks.sequence import FLOOR, VOCAB, SequenceSpec, only_bytes

if TYPE_CHECKING:
    from algorithms.gpt import GPT

NO_TORCH = "algo=backprop needs PyTorch: pip install 'joulebench[torch]'"
PROGRESS_EVERY = 50  # reading the loss waits for a GPU, so it is read seldom


class Lanes:
    """Predicts side by side with a cache of keys and values (a `tasks.sequence.Predictor`).

    The model sees at most block_size symbols. When these are full, the last `keep` move to
    positions 0 ... keep - 1 and are encoded anew, for with learned positions the old keys are of no
    use there; so a prediction rests on keep ... block_size symbols. Before the first symbol it
    predicts by the frequencies of the training text. Bytes that the text lacks have probability
    2**-16 each, and are read as its most frequent byte.

    counts: int64 [256], how often each byte occurs in the training text.
    """

    def __init__(self, model: GPT, counts: np.ndarray, keep: int) -> None:
        self.model, self.keep = model, keep
        self.seen = np.flatnonzero(counts)
        self.ids = np.full(VOCAB, np.searchsorted(self.seen, counts.argmax()), np.uint8)
        self.ids[self.seen] = np.arange(len(self.seen))
        self.rest = math.log1p(-(VOCAB - len(self.seen)) * FLOOR)  # what unseen bytes leave
        self.first = self._spread(np.log(counts[None, self.seen] / counts.sum()))

    def reset(self, lanes: int) -> None:
        import torch

        self.model.eval()
        self.cache = self.model.new_cache(lanes)
        self.window = torch.zeros((lanes, self.model.block_size), dtype=torch.long)
        self.window = self.window.to(self.cache.device)
        self.length = 0
        self.logp = np.repeat(self.first, lanes, axis=0)

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
            logits = self.model(self.window[:, start:end], self.cache, start, last=True)
            self.logp = self._spread(logits[:, 0].log_softmax(-1).cpu().numpy())
        self.length = end

    def _spread(self, logp: np.ndarray) -> np.ndarray:
        """Log-probabilities [lanes, bytes seen] -> float32 [lanes, 256]."""
        out = np.full((len(logp), VOCAB), math.log(FLOOR), np.float32)
        out[:, self.seen] = logp + self.rest
        return out


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

    def __post_init__(self) -> None:
        for name in ("n_layer", "n_head", "n_embd", "block_size", "batch_size", "max_iters"):
            self._demand(name, "a whole number of at least 1", lambda v: v >= 1, int)
        for name in ("warmup_iters", "keep"):
            self._demand(name, "a whole number of at least 0", lambda v: v >= 0, int)
        for name in ("learning_rate", "min_lr", "weight_decay", "grad_clip"):
            self._demand(name, "a number of at least 0", lambda v: 0 <= v < math.inf)
        for name in ("dropout", "beta1", "beta2"):
            self._demand(name, "a number from 0 to below 1", lambda v: 0 <= v < 1)
        divides = f"divisible by algo.n_head={self.n_head}"
        self._demand("n_embd", divides, lambda v: v % self.n_head == 0, int)
        within = f"at most algo.block_size={self.block_size}"
        self._demand("keep", within, lambda v: v <= self.block_size, int)
        if self.device not in ("auto", "cpu", "cuda"):
            raise Refused(f"algo.device={self.device}: must be auto, cpu or cuda")
        if not isinstance(self.compile, bool):
            raise Refused(f"algo.compile={self.compile}: must be true or false")

    def _demand(self, name: str, what: str, holds: Callable[[Any], bool], *kinds: type) -> None:
        value = getattr(self, name)
        right = isinstance(value, kinds or (int, float)) and not isinstance(value, bool)
        if not (right and holds(value)):
            raise Refused(f"algo.{name}={value}: must be {what}")

    def prepare(self, spec: SequenceSpec) -> None:
        """Loads torch and its kernels by two steps on a made-up text of all 256 bytes."""
        if unfit := only_bytes(spec, "algo=backprop"):
            raise Refused(unfit)
        super().prepare(spec)
        # Threads that wait for one another spin, by default for long: on a machine with other work
        # that cost six times the CPU seconds. OpenMP reads this as torch is loaded, never again.
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")
        try:
            import torch
        except ImportError as error:
            raise Refused(NO_TORCH) from error
        cuda = torch.cuda.is_available()
        if self.device == "cuda" and not cuda:
            raise Refused("algo.device=cuda: torch sees no CUDA device here; use algo.device=cpu")
        self._device = torch.device("cuda" if cuda and self.device != "cpu" else "cpu")
        if self._device.type == "cuda":
            torch.set_float32_matmul_precision("high")  # TF32, as nanoGPT has it
        made_up = (np.arange(VOCAB + 2 * self.block_size) % VOCAB).astype(np.uint8)
        predictor = Lanes(self._new_model(VOCAB), np.bincount(made_up, minlength=VOCAB), self._keep)
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
        counts = np.bincount(text, minlength=VOCAB)
        predictor = Lanes(self._new_model(int(np.count_nonzero(counts))), counts, self._keep)
        yield from self._fit(predictor, text, self.max_iters)
        return predictor

    @property
    def _keep(self) -> int:
        return self.keep or max(1, self.block_size // 2)

    def _new_model(self, vocab: int) -> GPT:
        """An untrained model; this also seeds torch, for the initial weights and for dropout."""
        import torch

        from algorithms.gpt import GPT

        torch.manual_seed(self.spec.seed)
        size = (self.block_size, self.n_layer, self.n_head, self.n_embd, self.dropout)
        model = GPT(vocab, *size).to(self._device)
        if self.compile:  # the part that does not depend on vocab, so that `prepare` compiles it
            model.trunk = torch.compile(model.trunk)  # type: ignore[method-assign]
        return model

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
        """Learning rate: a linear warm-up, then half a cosine down to min_lr at max_iters."""
        if step < self.warmup_iters:
            return self.learning_rate * (step + 1) / (self.warmup_iters + 1)
        done = (step - self.warmup_iters) / max(1, self.max_iters - self.warmup_iters)
        fall = (1 + math.cos(math.pi * done)) / 2
        return self.min_lr + fall * (self.learning_rate - self.min_lr)
