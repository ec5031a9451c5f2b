"""Takes pictures of a world while it runs: of the slice through its two longest axes."""

from __future__ import annotations

import numpy as np

from algorithms.hypercell.film import Film, Frame
from algorithms.hypercell.space import NAMES
from algorithms.hypercell.world import World


class Camera:
    """Runs a world and looks at it every `stride` ticks; looking changes nothing."""

    def __init__(self, world: World, stride: int) -> None:
        self.world, self.stride = world, stride
        lengths = world.geometry.lengths
        longest = sorted(range(len(NAMES)), key=lambda a: (-lengths[a], -a))[:2]
        self.axes = sorted(longest)
        self.film = Film()

    def run(self, until: int, threads: int = 1) -> None:
        """Brings the world to tick `until`."""
        while self.world.tick < until:
            if self.world.tick % self.stride == 0:
                self.shoot()
            stop = (self.world.tick // self.stride + 1) * self.stride
            self.world.run(min(until, stop), threads)

    def shoot(self) -> None:
        """One frame: energy, lineage, and the first word of the genome as the kind."""
        arrays, lengths = self.world.arrays, self.world.geometry.lengths
        plane = tuple(slice(None) if a in self.axes else 0 for a in range(len(NAMES)))
        body = arrays["body"].reshape(*lengths, -1)[plane]
        self.film.frames.append(
            Frame(
                tick=self.world.tick,
                energy=arrays["energy"].reshape(lengths)[plane].copy(),
                lineage=body[..., 0].copy(),
                kind=body[..., 4].astype(np.uint8),
            )
        )

    def pictures(self, title: str) -> dict[str, bytes]:
        """A still and a film of all frames, the world of now as the last."""
        self.shoot()
        rows, columns = (NAMES[a] for a in self.axes)
        return {
            "hypercell.png": self.film.still(title, rows, columns),
            "hypercell.gif": self.film.moving(title, rows, columns),
        }
