"""A transformer over a small alphabet, with tables of contexts. Imports torch: import this module late.

Rotary positions, norms without weights (also of queries and keys), squared ReLU, residual projections
that begin at zero. What several layers have of one shape lies in one tensor, for Muon's sake. A table
has a row per context (n-gram, or words) of the training text; the rows of a position's contexts, of
all kinds, are added to what enters the first layer and to the logits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import embedding_bag, layer_norm, linear, scaled_dot_product_attention

from algorithms.dynamic import Contexts

ROTARY_BASE = 1024.0


def norm(x: Tensor) -> Tensor:
    """To mean 0 and variance 1, without weights: on a CPU 2/3 of the time of torch's rms_norm."""
    return layer_norm(x, (x.shape[-1],))


def angles(positions: Tensor, width: int) -> Tensor:
    """cos and sin of rotary positions: [2, len(positions), width / 2]."""
    rates = ROTARY_BASE ** -torch.linspace(0, 1, width // 2, device=positions.device)
    turn = positions[:, None].float() * rates
    return torch.stack([turn.cos(), turn.sin()])


def rotated(x: Tensor, turn: Tensor) -> Tensor:
    """x [..., T, width] by `angles` [2, T, width / 2]."""
    a, b = x.chunk(2, -1)
    cos, sin = turn[0], turn[1]
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)


class Cache:
    """A ring of the last `window` positions' keys and values, of every layer and lane."""

    def __init__(self, net: Net, lanes: int, window: int) -> None:
        shape = (len(net.square), 2, lanes, net.n_head, window, net.n_embd // net.n_head)
        self.ring = torch.zeros(shape, device=net.square.device)
        self.window, self.length = window, 0  # positions that are complete

    def add(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Overwrites the oldest position; returns all, in no particular order."""
        slot = self.length % self.window
        self.ring[layer, 0, :, :, slot], self.ring[layer, 1, :, :, slot] = k[:, :, 0], v[:, :, 0]
        k, v = self.ring[layer, :, :, :, : self.length + 1].to(k.dtype).unbind(0)
        return k, v


class Net(nn.Module):
    """Symbols int64 [B, T] and rows of contexts -> hidden states [B, T, n_embd], logits by `logits`."""

    def __init__(
        self, vocab: int, n_layer: int, n_head: int, n_embd: int, widen: int, tied: bool
    ) -> None:
        super().__init__()
        self.n_head, self.n_embd = n_head, n_embd
        self.compiled: Callable[[Tensor, Tensor], Tensor] | None = None  # a compiled `trunk`
        self.symbols = nn.Parameter(torch.randn(vocab, n_embd) * (0.1 if tied else 1.0))
        self.head = self.symbols if tied else nn.Parameter(torch.zeros(vocab, n_embd))
        square = torch.randn(n_layer, 4, n_embd, n_embd) * (0.6 * n_embd**-0.5)
        square[:, 3] = 0  # query, key, value, and what adds to the residual stream
        wide = torch.randn(n_layer, 2, widen * n_embd, n_embd) * (0.6 * n_embd**-0.5)
        wide[:, 1] = 0  # up, and down transposed
        self.square, self.wide = nn.Parameter(square), nn.Parameter(wide)

    def forward(
        self, idx: Tensor, rows: Tensor | None, turn: Tensor, cache: Cache | None = None
    ) -> Tensor:
        """rows: [B, T, n_embd] to be added, or None. turn: `angles` of the T positions.

        With a cache T is 1, and attention is over what the cache holds as well.
        """
        x = self.symbols[idx]
        x = x if rows is None else x + rows
        if cache is None and self.compiled is not None:
            return self.compiled(x, turn)
        return self.trunk(x, turn, cache)

    def trunk(self, x: Tensor, turn: Tensor, cache: Cache | None = None) -> Tensor:
        """All layers. Its shapes do not depend on the vocabulary."""
        x = norm(x)
        layers = zip(self.square.unbind(0), self.wide.unbind(0), strict=True)
        for i, (square, wide) in enumerate(layers):
            q, k, v = self._qkv(x, square, turn)
            if cache is not None:
                k, v = cache.add(i, k, v)
            y = scaled_dot_product_attention(q, k, v, is_causal=cache is None)
            x = x + linear(y.transpose(1, 2).flatten(2), square[3])
            up = linear(norm(x), wide[0]).relu()
            x = x + (up * up) @ wide[1]  # a product: the gradient of a square is dearer
        return norm(x)

    def _qkv(self, x: Tensor, square: Tensor, turn: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Each [B, heads, T, n_embd / heads]."""
        B, T = x.shape[:2]
        three = linear(norm(x), square[:3].flatten(0, 1)).view(B, T, 3, self.n_head, -1)
        q, k, v = three.transpose(1, 3).unbind(2)
        # Under autocast what is normed is float32 again.
        return rotated(norm(q), turn).to(v.dtype), rotated(norm(k), turn).to(v.dtype), v

    def logits(self, hidden: Tensor, rows: Tensor | None) -> Tensor:
        out = linear(hidden, self.head).float()
        return out if rows is None else out + rows


class Grams:
    """Which contexts have a row of a table.

    A context's hash names a slot, a slot its row; slots that the text touches fewer than `least` times
    have the row of all rare contexts of that kind, 0 ... kinds - 1.
    """

    def __init__(self, text: np.ndarray, contexts: Contexts, least: int, bits: int) -> None:
        self.contexts, self.shift = contexts, np.uint64(64 - bits)
        self.total = contexts.kinds
        self.row_of: list[np.ndarray] = []
        rows = np.empty((len(text), contexts.kinds), np.int32)
        for kind, slots in enumerate(self._slots(text)):
            kept = np.bincount(slots, minlength=1 << bits) >= least
            row_of = np.full(1 << bits, kind, np.int32)
            found = int(np.count_nonzero(kept))
            row_of[kept] = np.arange(self.total, self.total + found, dtype=np.int32)
            rows[:, kind] = row_of[slots]
            self.row_of.append(row_of)
            self.total += found
        self.text_rows = rows

    def _slots(self, text: np.ndarray) -> Iterator[np.ndarray]:
        return ((h >> self.shift).astype(np.int64) for h in self.contexts.hashes(text))

    def last_rows(self, recent: np.ndarray) -> np.ndarray:
        """int32 [lanes, 1, kinds] of what follows uint8 [lanes, T]."""
        slots = self._slots(recent)
        rows = [row_of[s[:, -1]] for row_of, s in zip(self.row_of, slots, strict=True)]
        return np.stack(rows, -1)[:, None]


class Table:
    """Rows that are summed, and learn by Adagrad with one rate per row, only where they were used.

    The gradient of a sum is that of each of its rows, so that autograd sees the sum alone.
    """

    def __init__(self, rows: int, width: int, initial: float, device: torch.device) -> None:
        self.weight = torch.zeros(rows, width, device=device)
        self.squares = torch.full((rows,), initial, device=device)

    def sums(self, rows: Tensor) -> Tensor:
        """rows int64 [B, T, lengths] -> [B, T, width]."""
        return embedding_bag(rows.flatten(0, 1), self.weight, mode="sum").unflatten(
            0, rows.shape[:2]
        )

    @torch.no_grad()
    def learn(self, rows: Tensor, gradient: Tensor, lr: float) -> None:
        """gradient [B, T, width] of the loss summed over B and T."""
        gradient = gradient.flatten(0, 1)
        square = gradient.square().mean(1)
        for used in rows.flatten(0, 1).unbind(1):
            self.squares.index_add_(0, used, square)
            rate = self.squares.index_select(0, used).rsqrt_().mul_(-lr)
            self.weight.index_add_(0, used, gradient * rate[:, None])
