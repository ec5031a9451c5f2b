"""Memory that compiled code works on."""

from __future__ import annotations

import numpy as np


def aligned(size: int) -> np.ndarray:
    """Zeros, uint8 [size], at an address that is a multiple of 64: a cache line, a vector."""
    room = np.zeros(size + 64, np.uint8)
    start = -room.ctypes.data % 64
    return room[start : start + size]
