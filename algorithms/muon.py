"""Muon: momentum whose matrices are replaced by the nearest semi-orthogonal ones (Jordan et al. 2024).

torch.optim.Muon goes through matrices one at a time; here matrices of one shape lie in one tensor and
take each Newton-Schulz step as one batched product, in float32, which on small matrices is several
times cheaper.
"""

from __future__ import annotations

import torch
from torch import Tensor

# Quintic steps that take the singular values 0.003 ... 1 to about 1 fastest (Polar Express,
# Amsel et al. 2025): the first are for small values, the last is repeated.
STEPS = (
    (8.2051, -22.9019, 16.4607),
    (4.0664, -2.8612, 0.5184),
    (3.9096, -2.8234, 0.5250),
    (3.2856, -2.4153, 0.4853),
    (2.2779, -1.6198, 0.3985),
    (1.8726, -1.2307, 0.3585),
)


def orthogonal(x: Tensor, steps: int) -> Tensor:
    """x [..., rows >= columns, columns] -> U V' of each matrix's U S V', about."""
    x = x / (1.01 * x.norm(dim=(-2, -1), keepdim=True) + 1e-20)
    for i in range(steps):
        a, b, c = STEPS[min(i, len(STEPS) - 1)]
        gram = x.mT @ x
        x = a * x + x @ (b * gram + c * (gram @ gram))
    return x


class Muon:
    """parameters: each [..., rows >= columns, columns], a stack of matrices.

    A step's root mean square is lr / sqrt(columns), whatever the gradient's size.
    """

    def __init__(
        self, parameters: list[Tensor], momentum: float, weight_decay: float, steps: int
    ) -> None:
        self.parameters, self.momentum = parameters, momentum
        self.weight_decay, self.steps = weight_decay, steps
        self.memory = [torch.zeros_like(p) for p in parameters]

    @torch.no_grad()
    def step(self, lr: float) -> None:
        for p, memory in zip(self.parameters, self.memory, strict=True):
            assert p.grad is not None
            memory.lerp_(p.grad, 1 - self.momentum)
            nesterov = p.grad.lerp(memory, self.momentum)
            p.mul_(1 - lr * self.weight_decay)
            scale = (p.shape[-2] / p.shape[-1]) ** 0.5
            p.sub_(orthogonal(nesterov, self.steps), alpha=lr * scale)
            p.grad = None
