"""Two-dimensional automata on a torus: a cell sees the square of nine cells around it.

Tori are uint8 [m, width, width] of 0 and 1; a table is uint8 [512]. Its index is the nine cells read
row by row, the top left one as the high bit, so the cell itself counts 16.
"""

from __future__ import annotations

import numpy as np

ENTRIES = 512
CENTRE = 16


def neighbourhoods(cells: np.ndarray) -> np.ndarray:
    """What every cell sees, as an index of the table: int16 [m, width, width]."""
    index = np.zeros(cells.shape, np.int16)
    wide = cells.astype(np.int16)
    for row in (-1, 0, 1):
        for column in (-1, 0, 1):
            index *= 2
            index += np.roll(wide, (-row, -column), axis=(1, 2))
    return index


def step(table: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """The tori one step later, uint8 [m, width, width]."""
    return table.astype(np.uint8)[neighbourhoods(cells)]


def outer_totalistic(born: np.ndarray, survives: np.ndarray) -> np.ndarray:
    """The table of a rule that looks at the cell and at how many of its eight neighbours are 1.

    born, survives: [9] of 0 and 1, the next state of a 0 and of a 1 with so many neighbours. Conway's
    Life has born[3] = survives[2] = survives[3] = 1 and 0 elsewhere.
    """
    index = np.arange(ENTRIES)
    centre = index // CENTRE % 2
    around = np.array([i.bit_count() for i in range(ENTRIES)]) - centre
    return np.where(centre == 1, np.asarray(survives)[around], np.asarray(born)[around]).astype(
        np.uint8
    )
