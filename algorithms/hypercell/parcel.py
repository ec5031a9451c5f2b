"""Messages packed: only those that were sent, and of them only the words that count.

A parcel holds what one axis' outbox says for one direction, one opening and a run of locations. It is
what a snapshot keeps of messages, and what a process sends to its neighbour.
"""

from __future__ import annotations

import numpy as np

from algorithms.hypercell.world import World

MIGRANT, SPOKEN = 1, 4  # bits of an outbox, as in kernel/space.h; UP is direction 0, DOWN is 1
UP, DOWN = 0, 1


def pack(world: World, slot: int, direction: int, opening: int, span: slice) -> bytes:
    """The parcel of an axis' slot. opening: 0 or 1, which of the two outboxes. span: of locations."""
    box = world.arrays["outbox"][slot, opening, span] >> direction & (MIGRANT | SPOKEN)
    where = np.flatnonzero(box)
    bits = box[where]
    words = world.arrays["messages"][slot, direction, opening, span][where]
    signal, carry = _parts(world)
    words[bits & MIGRANT == 0, :signal] = 0  # what an earlier message left there
    words[bits & SPOKEN == 0, signal:carry] = 0
    taken = np.arange(world.biology.carry) < words[:, 1:2]
    parts = (np.array([len(where)]), where, words[:, :carry], words[:, carry:][taken])
    return b"".join([*(part.astype("<u4").tobytes() for part in parts), bits.tobytes()])


def unpack(
    world: World, slot: int, direction: int, opening: int, span: slice, data: memoryview
) -> int:
    """Puts a parcel in its place, and says how many bytes it had.

    Raises ValueError, with nothing changed, for bytes that are no parcel for this place.
    """
    carry = _parts(world)[1]
    count = int(np.frombuffer(data, "<u4", 1)[0])
    where = np.frombuffer(data, "<u4", count, 4)
    heads = np.frombuffer(data, "<u4", count * carry, 4 + 4 * count).reshape(count, carry)
    at = 4 + 4 * count + heads.nbytes
    carried = heads[:, 1].astype(np.int64)
    box = world.arrays["outbox"][slot, opening, span]
    if count and (where[-1] >= len(box) or carried.max() > world.biology.carry):
        raise ValueError("a parcel for another space")
    if (np.diff(where.astype(np.int64)) <= 0).any():
        raise ValueError("a parcel in disorder")
    rest = np.frombuffer(data, "<u4", int(carried.sum()), at)
    bits = np.frombuffer(data, "u1", count, at + rest.nbytes)
    if (bits & ~np.uint8(MIGRANT | SPOKEN)).any():
        raise ValueError("a parcel with unknown bits")
    box &= np.uint8(~((MIGRANT | SPOKEN) << direction) & 255)
    box[where] |= bits << direction
    messages = world.arrays["messages"][slot, direction, opening, span]
    messages[where, :carry] = heads
    messages[np.repeat(where, carried), carry + _counting(carried)] = rest
    return at + rest.nbytes + bits.nbytes


def _parts(world: World) -> tuple[int, int]:
    """Where in a message the signal begins, and where the carried words do."""
    signal = 2 + world.biology.body
    return signal, signal + world.biology.signal


def _counting(counts: np.ndarray) -> np.ndarray:
    """0, 1, ... below every count in turn."""
    ends = np.cumsum(counts)
    return np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - counts, counts)
