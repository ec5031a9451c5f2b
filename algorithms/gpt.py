"""A GPT over a small alphabet, in nanoGPT's architecture. Imports torch: import this module late.

Learned positions, LayerNorm before each sub-layer, GELU, no biases, and one matrix for reading
symbols in and for writing logits out (https://github.com/karpathy/nanoGPT, model.py; the residual
projections' smaller initial scale is GPT-2's, Radford et al. 2019). With a cache the same forward
pass serves generation: keys and values of what was seen are kept and only new symbols are encoded.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, linear, scaled_dot_product_attention

STD = 0.02


class Attention(nn.Module):
    """Causal self-attention: x float [B, T, C] -> [B, T, C]."""

    def __init__(self, n_embd: int, n_head: int, dropout: float) -> None:
        super().__init__()
        self.n_head, self.dropout = n_head, dropout
        self.qkv = nn.Linear(n_embd, 3 * n_embd, bias=False)
        self.out = nn.Linear(n_embd, n_embd, bias=False)

    def forward(self, x: Tensor, cache: Tensor | None = None, start: int = 0) -> Tensor:
        B, T, C = x.shape
        q, k, v = self.qkv(x).view(B, T, 3, self.n_head, C // self.n_head).unbind(2)
        q, k, v = (
            q.transpose(1, 2),
            k.transpose(1, 2),
            v.transpose(1, 2),
        )  # [B, heads, T, C / heads]
        if cache is not None:
            cache[0, :, :, start : start + T] = k
            cache[1, :, :, start : start + T] = v
            k, v = cache[:, :, :, : start + T].unbind(0)
        p = self.dropout if self.training else 0.0
        y = scaled_dot_product_attention(q, k, v, dropout_p=p, is_causal=T > 1)
        return self.out(y.transpose(1, 2).reshape(B, T, C))


class Block(nn.Module):
    """Attention, then a two-layer perceptron four times as wide, each added to its input."""

    def __init__(self, n_embd: int, n_head: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(n_embd, bias=False)
        self.attention = Attention(n_embd, n_head, dropout)
        self.norm2 = nn.LayerNorm(n_embd, bias=False)
        self.up = nn.Linear(n_embd, 4 * n_embd, bias=False)
        self.down = nn.Linear(4 * n_embd, n_embd, bias=False)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor, cache: Tensor | None = None, start: int = 0) -> Tensor:
        x = x + self.drop(self.attention(self.norm1(x), cache, start))
        return x + self.drop(self.down(gelu(self.up(self.norm2(x)))))


class GPT(nn.Module):
    """Symbols int64 [B, T] with T <= block_size -> float32 logits [B, T, vocab]."""

    def __init__(
        self, vocab: int, block_size: int, n_layer: int, n_head: int, n_embd: int, dropout: float
    ) -> None:
        super().__init__()
        self.block_size, self.n_head = block_size, n_head
        self.symbols = nn.Embedding(vocab, n_embd)
        self.positions = nn.Embedding(block_size, n_embd)
        self.drop = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(Block(n_embd, n_head, dropout) for _ in range(n_layer))
        self.norm = nn.LayerNorm(n_embd, bias=False)
        for name, p in self.named_parameters():
            if p.dim() == 2:  # the residual stream sums 2 * n_layer outputs, so those start smaller
                residual = name.endswith(("out.weight", "down.weight"))
                nn.init.normal_(p, std=STD / math.sqrt(2 * n_layer) if residual else STD)

    def forward(
        self, idx: Tensor, cache: Tensor | None = None, start: int = 0, last: bool = False
    ) -> Tensor:
        """With a cache (see `new_cache`), idx stands at positions start ... start + T - 1; T > 1
        needs start = 0, for the causal mask is aligned there. last: logits of the last position."""
        T = idx.shape[1]
        assert T == 1 or start == 0
        x = self.drop(self.symbols(idx) + self.positions.weight[start : start + T])
        if cache is None:
            x = self.trunk(x)
        else:
            for block, layer in zip(self.blocks, cache, strict=True):
                x = block(x, layer, start)
        return linear(self.norm(x[:, -1:] if last else x), self.symbols.weight)

    def trunk(self, x: Tensor) -> Tensor:
        """All blocks, without a cache. Its shapes do not depend on the vocabulary."""
        for block in self.blocks:
            x = block(x)
        return x

    def new_cache(self, lanes: int) -> Tensor:
        """Room for keys and values: float32 [n_layer, 2, lanes, n_head, block_size, C / n_head]."""
        width = self.symbols.weight.shape[1] // self.n_head
        shape = (len(self.blocks), 2, lanes, self.n_head, self.block_size, width)
        return torch.zeros(shape, device=self.symbols.weight.device)

    def count(self) -> int:
        """Parameters as nanoGPT counts them: the tied matrix once, positions not at all."""
        return sum(p.numel() for p in self.parameters()) - self.positions.weight.numel()
