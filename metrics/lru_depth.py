"""Depths in an LRU stack, for a whole trace at once.

Every time that a value comes to the top it takes a new slot, and slots are numbered in that order. A
read of slot s finds above it the slots that are younger and still taken:

    depth = slots so far - s - (younger slots that were freed before)

The last term is the count that a Fenwick tree over access times keeps up to date read by read. Since
the trace is complete, all counts are had together: they are the inversions of the order in which slots
are freed, counted level by level as in a wavelet tree, O(n log n) in numpy.
"""

from __future__ import annotations

import numpy as np


def depths(
    bottom_to_top: np.ndarray, reads: np.ndarray, arity: np.ndarray, kept: np.ndarray
) -> np.ndarray:
    """int64 [reads]: depth of every read, 1 on top, all of an instruction priced before any is moved.

    bottom_to_top: values 0 … arguments - 1 as they lie at first. reads: operands, instruction by
    instruction. arity [instructions]: operands of each; instruction t makes value arguments + t.
    kept: values that stay after their last read.
    """
    arguments, instructions, n = len(bottom_to_top), len(arity), len(reads)
    if not n:
        return np.empty(0, np.int64)
    ends = np.cumsum(arity, dtype=np.int64)
    when = np.repeat(np.arange(instructions), arity)
    # The reads of one value side by side, in time. A value read twice by one instruction moves once.
    order = np.argsort(reads, kind="stable")
    value, time = reads[order], when[order]
    same = np.zeros(n, bool)
    same[1:] = value[1:] == value[:-1]
    again = same.copy()
    again[1:] &= time[1:] == time[:-1]
    moves = np.flatnonzero(~again)
    value, time, first = value[moves], time[moves], ~same[moves]
    last = np.append(first[1:], True)
    stays = ~last
    stays[last] = np.isin(value[last], kept)
    # Who takes a slot, in time: operands of an instruction that stay, then its result.
    takes = np.zeros(n + instructions, bool)
    place = order[moves] + time
    takes[place[stays]] = True
    takes[ends + np.arange(instructions)] = True
    slots_before = np.concatenate(([arguments], arguments + np.cumsum(takes)))
    born = np.empty(arguments + instructions, np.int64)  # slot that a value takes when it is made
    born[bottom_to_top] = np.arange(arguments)
    born[arguments:] = slots_before[ends + np.arange(instructions)]
    taken = slots_before[place]
    slot = np.where(first, born[value], np.concatenate(([0], taken[:-1])))
    freed = np.full(slots_before[-1], instructions, np.int64)
    freed[slot] = time
    starts = ends - arity
    so_far = slots_before[starts + np.arange(instructions)]
    depth = so_far[time] - slot - freed_above(freed)[slot]
    result = np.empty(n, np.int64)
    result[order] = depth[np.cumsum(~again) - 1]
    return result


def freed_above(freed: np.ndarray) -> np.ndarray:
    """For every i, how many j > i there are with freed[j] < freed[i].

    freed [n] is ranked (ties by index, so that they do not count), then ranks are sorted bit by bit
    from the top. Among numbers that agree in all higher bits, those that have the bit are larger than
    those that lack it; so each counts the latter behind it.
    """
    n = len(freed)
    rank = np.empty(n, np.int32)
    rank[np.argsort(freed, kind="stable")] = np.arange(n, dtype=np.int32)
    now, count = rank, np.zeros(n, np.int32)
    position = np.arange(n, dtype=np.int32)
    for bit in reversed(range(max(n - 1, 1).bit_length())):
        low = (now >> bit) & 1 == 0
        zeros = np.zeros(n + 1, np.int32)  # before each position
        np.cumsum(low, out=zeros[1:])
        group = (now >> (bit + 1)) << (bit + 1)  # where numbers with these higher bits start
        before = zeros[:-1] - (group >> 1)  # zeros of the group before this: groups before are full
        all_of_it = np.minimum(group + (1 << bit), n) - group
        count += np.where(low, 0, all_of_it - before)
        to = np.where(low, group + before, position - before + all_of_it)
        moved, counted = np.empty_like(now), np.empty_like(count)
        moved[to], counted[to] = now, count
        now, count = moved, counted
    return count[rank].astype(np.int64)


def price(trace: np.ndarray, bytes_per_scalar: int = 1) -> int:
    """Sum over reads at depth d (in scalars) and j from (d-1)B+1 to dB of ceil(sqrt(j))."""
    depth, times = np.unique(trace, return_counts=True)
    ends = _sum_of_roots(depth * bytes_per_scalar)
    starts = _sum_of_roots((depth - 1) * bytes_per_scalar)
    return int(((ends - starts) * times).sum())


def _sum_of_roots(n: np.ndarray) -> np.ndarray:
    """Sum over j = 1 … n of ceil(sqrt(j)): m = ceil(sqrt(n)) occurs n - (m-1)² times, and every k below
    it 2k - 1 times, so it is m (6n - 2m² + 3m - 1) / 6. Exact in int64 and float64 to n = 1e12."""
    m = np.ceil(np.sqrt(n)).astype(np.int64)
    return m * (6 * n - 2 * m * m + 3 * m - 1) // 6
