"""Space-time diagrams as PNG: a row of pixels for every step, time going down, a 1 being black."""

from __future__ import annotations

import struct
import zlib

import numpy as np

from tasks.automaton.rules import AutomatonError, check_bits

LARGEST = 1 << 26  # pixels
WHITE, GREY, BLACK = 255, 170, 0
GAP = 8  # pixels between two panels


def png(history: np.ndarray, scale: int = 2) -> bytes:
    """The picture of uint8 [steps + 1, width] of 0 and 1, each cell a square of scale x scale pixels."""
    return encoded(panel(history, scale))


def pair(left: np.ndarray, right: np.ndarray, scale: int = 2) -> bytes:
    """Two histories side by side, from the same top, with a grey stripe between them."""
    panels = [panel(left, scale), panel(right, scale)]
    high = max(len(p) for p in panels)
    grey = [np.full((high - len(p), p.shape[1]), GREY, np.uint8) for p in panels]
    columns = [np.concatenate(both) for both in zip(panels, grey, strict=True)]
    gap = np.full((high, GAP), GREY, np.uint8)
    return encoded(np.concatenate([columns[0], gap, columns[1]], axis=1))


def panel(history: np.ndarray, scale: int) -> np.ndarray:
    """Brightness of pixels, uint8 [scale * (steps + 1), scale * width]."""
    history = np.asarray(history)
    if history.ndim != 2 or not history.size:
        raise AutomatonError(
            f"a history has shape {list(history.shape)}; it must be [steps + 1, width]"
        )
    check_bits(history, "a history")
    if scale < 1 or history.size * scale**2 > LARGEST:
        raise AutomatonError(
            f"a diagram's scale is {scale}; it must be at least 1, and leave {history.shape[1]} x "
            f"{history.shape[0]} cells fewer than {LARGEST} pixels"
        )
    brightness = np.where(history != 0, BLACK, WHITE).astype(np.uint8)
    return brightness.repeat(scale, axis=0).repeat(scale, axis=1)


def encoded(brightness: np.ndarray) -> bytes:
    """A PNG of 8-bit greys of uint8 [height, width] (ISO/IEC 15948)."""
    height, width = brightness.shape
    lines = np.zeros((height, 1 + width), np.uint8)  # each line's first byte: not filtered
    lines[:, 1:] = brightness
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
