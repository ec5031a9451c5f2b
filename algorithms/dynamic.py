"""What torch's text models share: bytes as symbols, and learning within a segment.

Dynamic evaluation (Mikolov et al. 2010, Krause et al. 2018) descends on what was just predicted. Here
every lane has its own table of weights from contexts to logits, zero in the trained state, which adds
to the model's logits. Their gradient is the probabilities less the symbol that came, so that a step
takes no backward pass. For a small `transformer` on tinyshakespeare, copies of the head gained 0.005
nats, copies of all weights (updated every 32 bytes, by backpropagation) 0.012, this table 0.049.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from algorithms.base import Refused
from tasks.sequence import FLOOR, VOCAB

if TYPE_CHECKING:
    import torch
    from torch import Tensor

REACH = 64  # no context is longer
LONGEST, WORDS = 6, 3  # contexts of dynamic evaluation


class Alphabet:
    """Bytes that the training text has are the model's symbols, 0, 1, ... in the bytes' order.

    The others have probability 2**-16 each, and are read as the most frequent byte.

    counts: int64 [256], how often each byte occurs in the training text.
    """

    def __init__(self, counts: np.ndarray) -> None:
        self.seen = np.flatnonzero(counts)
        self.ids = np.full(VOCAB, np.searchsorted(self.seen, counts.argmax()), np.uint8)
        self.ids[self.seen] = np.arange(len(self.seen))
        self.rest = math.log1p(-(VOCAB - len(self.seen)) * FLOOR)  # what unseen bytes leave
        self.first = self._spread(np.log(counts[None, self.seen] / counts.sum()))

    def _spread(self, logp: np.ndarray) -> np.ndarray:
        """Log-probabilities [lanes, bytes seen] -> float32 [lanes, 256]."""
        out = np.full((len(logp), VOCAB), math.log(FLOOR), np.float32)
        out[:, self.seen] = logp + self.rest
        return out


class Contexts:
    """Hashes of what precedes a position: the last `shortest` ... `longest` bytes, and words.

    words: 1 for the word's beginning, 2 for that and the word before it, and so on.
    """

    IN_WORD = np.array([c >= 128 or chr(c).isalpha() for c in range(VOCAB)])

    def __init__(self, shortest: int, longest: int, words: int) -> None:
        self.lengths, self.words = range(shortest, longest + 1), words
        self.kinds = len(self.lengths) + words

    def hashes(self, text: np.ndarray) -> Iterator[np.ndarray]:
        """Of the contexts that end at each position of uint8 [..., T], kind by kind: uint64 [..., T].

        A polynomial in an odd number modulo 2**64, as differences of running sums; kinds differ.
        The upper bits are the better ones.
        """
        T = text.shape[-1]
        odd, inverse = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xF1DE83E19937733D)
        up, down = (np.cumprod(np.full(T, factor)) for factor in (odd, inverse))
        sums = np.zeros((*text.shape[:-1], T + 1), np.uint64)
        np.cumsum((text + np.uint64(1)) * down, -1, out=sums[..., 1:])
        least = np.maximum(np.arange(T) - (REACH - 1), 0)
        for kind, start in enumerate(self._starts(text)):
            before = np.take_along_axis(sums, np.maximum(start, least), -1)
            key = (sums[..., 1:] - before) * up * (odd + np.uint64(2 * kind))
            key ^= key >> np.uint64(32)
            yield key * odd

    def _starts(self, text: np.ndarray) -> Iterator[np.ndarray]:
        """Where the contexts that end at each position begin, kind by kind."""
        at = np.arange(text.shape[-1])
        for n in self.lengths:
            yield np.broadcast_to(at - (n - 1), text.shape)
        if not self.words:
            return
        inside = self.IN_WORD[text]
        last = np.maximum.accumulate(np.where(inside, at, -1), -1)
        start = first = np.maximum.accumulate(np.where(inside, -1, at), -1) + 1
        for _ in range(self.words):
            yield start
            before = np.take_along_axis(last, np.maximum(start - 1, 0), -1)
            start = np.take_along_axis(first, np.maximum(before, 0), -1)
            start = np.where(before < 0, 0, start)


class Recent:
    """The last REACH bytes of every lane."""

    def __init__(self, lanes: int) -> None:
        self.bytes = np.zeros((lanes, 0), np.uint8)

    def add(self, symbols: np.ndarray) -> None:
        self.bytes = np.concatenate([self.bytes[:, 1 - REACH :], symbols[:, None]], axis=1)


class Dynamic:
    """Weights from contexts to logits, of every lane its own.

    A context gets its row when a lane first meets it, so that memory grows with what has been seen: at
    most 4 * vocab bytes for each byte, kind and lane. rate: of the descent. every: bytes between two
    updates. segment: bytes that a lane will see; contexts new after that share a row.
    """

    def __init__(self, rate: float, every: int, segment: int) -> None:
        self.rate, self.every, self.segment = rate, every, segment
        self.contexts = Contexts(1, LONGEST, WORDS)
        self.bits = max(8, (8 * segment - 1).bit_length())  # of a lane's slots for one kind

    def reset(self, lanes: int, vocab: int, device: torch.device) -> None:
        import torch

        kinds = self.contexts.kinds
        self.most = kinds * self.segment
        self.lane, self.kind = np.ogrid[:lanes, :kinds]
        self.row_of = np.full((lanes, kinds, 1 << self.bits), -1, np.int32)
        self.rows = np.zeros(lanes, np.int64)  # how many each lane has
        self.weights = torch.zeros(lanes * (self.most + 1), vocab, device=device)
        self.waiting: list[tuple[Tensor, Tensor]] = []
        self.used: Tensor | None = None

    def logp(self, logits: Tensor, recent: np.ndarray) -> Tensor:
        """Log-probabilities float32 [lanes, vocab] of the model's logits; recent: uint8 [lanes, T]."""
        import torch

        shift = np.uint64(64 - self.bits)
        slots = np.stack([h[:, -1] >> shift for h in self.contexts.hashes(recent)], 1)
        row = self.row_of[self.lane, self.kind, slots.astype(np.int64)]
        new = row < 0
        row = np.where(new, np.minimum(self.rows[:, None] + new.cumsum(1) - 1, self.most), row)
        self.row_of[self.lane, self.kind, slots.astype(np.int64)] = row
        self.rows += new.sum(1)
        self.used = torch.from_numpy(self.lane * (self.most + 1) + row).to(logits.device)
        self.probable = (logits + self.weights[self.used].sum(1)).log_softmax(-1)
        return self.probable

    def learn(self, came: Tensor) -> None:
        """came: int64 [lanes], the model's symbols, after `logp` has predicted them."""
        import torch

        if self.used is None:  # nothing has been predicted by a context yet
            return
        descent = self.probable.exp().neg_()
        descent.scatter_add_(1, came[:, None], torch.ones_like(descent[:, :1]))
        self.waiting.append((self.used, self.rate * descent))
        if len(self.waiting) == self.every:
            for used, step in self.waiting:
                self.weights[used] += step[:, None]  # no row twice: each has its lane and kind
            self.waiting.clear()


def demand(
    algorithm: Any, name: str, what: str, holds: Callable[[Any], bool], *kinds: type
) -> None:
    """Refuses a field that is not of these kinds (int or float, unless said) or does not hold."""
    value = getattr(algorithm, name)
    right = isinstance(value, kinds or (int, float)) and isinstance(value, bool) == (bool in kinds)
    if not (right and holds(value)):
        raise Refused(f"algo.{name}={value}: must be {what}")


def demand_dynamic(algorithm: Any) -> None:
    """Checks the fields of dynamic evaluation."""
    demand(algorithm, "adapt", "true or false", lambda v: True, bool)
    demand(algorithm, "adapt_rate", "a number above 0", lambda v: 0 < v < math.inf)
    demand(algorithm, "adapt_every", "a whole number of at least 1", lambda v: v >= 1, int)


def torch_device(who: str, asked: str) -> torch.device:
    """The device of asked (auto, cpu or cuda), with torch loaded and set up for it."""
    # Threads that wait for one another spin, by default for long: on a machine with other work
    # that cost six times the CPU seconds. OpenMP reads this as torch is loaded, never again.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    try:
        import torch
    except ImportError as error:
        raise Refused(f"algo={who} needs PyTorch: pip install 'joulebench[torch]'") from error
    cuda = torch.cuda.is_available()
    if asked == "cuda" and not cuda:
        raise Refused("algo.device=cuda: torch sees no CUDA device here; use algo.device=cpu")
    device = torch.device("cuda" if cuda and asked != "cpu" else "cpu")
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")  # TF32, as nanoGPT has it
    return device
