"""What every algorithm that finds a parity's secret ends with."""

from __future__ import annotations

import numpy as np


class Parity:
    """Predicts the product of the columns in `mask` (bit j: input j)."""

    def __init__(self, mask: int) -> None:
        self.columns = []
        while mask:
            low = mask & -mask
            self.columns.append(low.bit_length() - 1)
            mask ^= low

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Labels int64 [m] of x int8 [m, n]."""
        if not self.columns:
            return np.ones(len(x), np.int64)
        product = x[:, self.columns[0]]
        for i in self.columns[1:]:
            product = product * x[:, i]
        return product.astype(np.int64)
