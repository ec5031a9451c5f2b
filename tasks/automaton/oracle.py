"""What is right: the automaton by its definition, in numpy, one table look-up per cell."""

from __future__ import annotations

import numpy as np

from tasks.automaton.rules import (
    check_bits,
    check_steps,
    check_table,
    check_width,
    radius_of,
)


def run(table: np.ndarray, cells: np.ndarray, steps: int) -> np.ndarray:
    """Configurations uint8 [m, width] after `steps` steps of a rule table, on a ring."""
    table = check_table(table)
    radius = radius_of(table)
    check_width(cells.shape[1], radius)
    check_bits(cells, "a configuration")
    cells = cells.astype(np.uint8)
    for _ in range(check_steps(steps)):
        neighbourhood = np.zeros(cells.shape, np.intp)
        for offset in range(-radius, radius + 1):  # from the leftmost cell, the high bit
            neighbourhood = 2 * neighbourhood + np.roll(cells, -offset, axis=1)
        cells = table[neighbourhood]
    return cells


def history(table: np.ndarray, cells: np.ndarray, steps: int) -> np.ndarray:
    """One configuration's rows, uint8 [steps + 1, width], the first being `cells` [width] itself."""
    rows = [np.asarray(cells, np.uint8)[None]]
    for _ in range(check_steps(steps)):
        rows.append(run(table, rows[-1], 1))
    return np.concatenate(rows)
