"""What happened in a 2-D slice of a space over time: as a still (PNG) and as a film (GIF).

Empty places are pale. Energy runs from dark (little) to yellow (much) on a logarithmic scale that the
whole film shares. A lineage has one colour through the whole film, from a set that the colour-blind can
tell apart: its hash names a colour, and of the twelve largest, which would share one, the smaller moves
on to the next.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import find_spec

import numpy as np

from algorithms.base import Refused

# Okabe and Ito's colours and five of Paul Tol's "muted", neighbours far apart.
HUES = (
    *("#E69F00", "#0072B2", "#882255", "#56B4E9", "#117733", "#CC79A7"),
    *("#F0E442", "#332288", "#D55E00", "#44AA99", "#999933", "#009E73"),
)
EMPTY_HUE = "#E4E4E0"
OTHERS_HUE = "#9A9A9A"
INK = "#24242A"
# Pictures are made of numbers of one palette: 16 steps from paper to ink, empty, hues, energy.
EMPTY = 16
HUE = 17
ENERGY = 32


@dataclass
class Frame:
    """A slice at one tick. energy: int [H, W], 0 where it is empty. lineage: uint32 [H, W], 0 for none.
    kind: uint8 [H, W], what sort of organism, where there are several."""

    tick: int
    energy: np.ndarray
    lineage: np.ndarray
    kind: np.ndarray | None = None

    @property
    def living(self) -> np.ndarray:
        """The lineage of every place that is not empty, as a list."""
        named = (self.energy > 0) & (self.lineage > 0)
        return np.asarray(self.lineage[named])


@dataclass
class Film:
    """Frames of one slice, in order of their ticks. rows, columns: names of its axes."""

    frames: list[Frame] = field(default_factory=list)

    def still(self, title: str, rows: str, columns: str) -> bytes:
        """A PNG: the last frame's maps beside curves over all ticks. Of a slice that is a line, the
        maps are all its frames, one beside the other."""
        from algorithms.hypercell.film_still import still

        return still(self.checked(), title, rows, columns)

    def moving(self, title: str, rows: str, columns: str) -> bytes:
        """An animated GIF: the maps of at most 120 frames, evenly thinned."""
        from algorithms.hypercell.film_moving import moving

        return moving(self.checked(), title, rows, columns)

    def checked(self) -> Film:
        """This film as it is now, if it can be drawn."""
        need()
        if not self.frames:
            raise ValueError("a film has at least one frame")
        shapes = {frame.energy.shape for frame in self.frames}
        shapes |= {frame.lineage.shape for frame in self.frames}
        shapes |= {frame.kind.shape for frame in self.frames if frame.kind is not None}
        if len(shapes) != 1 or self.frames[0].energy.ndim != 2 or not self.frames[0].energy.size:
            raise ValueError(f"the maps of a film are 2-D and of one shape, not {sorted(shapes)}")
        return Film(list(self.frames))  # what is found out about it is kept, and frames may follow

    @property
    def shape(self) -> tuple[int, int]:
        height, width = self.frames[0].energy.shape
        return height, width

    @cached_property
    def sizes(self) -> list[tuple[int, int]]:
        """Every lineage with the places that it held, summed over all frames; the largest first."""
        held: Counter[int] = Counter()
        for frame in self.frames:
            names, counts = np.unique(frame.living, return_counts=True)
            held.update(dict(zip(names.tolist(), counts.tolist(), strict=True)))
        return sorted(held.items(), key=lambda item: (-item[1], item[0]))

    @cached_property
    def hues(self) -> dict[int, int]:
        """The place in HUES of every lineage."""
        hues: dict[int, int] = {}
        free = set(range(len(HUES)))
        for lineage, _ in self.sizes:
            hue = hashed(lineage)
            if free:
                while hue not in free:
                    hue = (hue + 1) % len(HUES)
                free.remove(hue)
            hues[lineage] = hue
        return hues

    @cached_property
    def scale(self) -> tuple[int, int]:
        """Energy that is drawn darkest and brightest: all but a hundredth of any frame lies between."""
        ends = [np.percentile(e, [1, 99]) for f in self.frames if len(e := f.energy[f.energy > 0])]
        if not ends:
            return 1, 10
        low, high = min(low for low, _ in ends), max(high for _, high in ends)
        if high < 2 * low:  # next to no spread: in the middle of the colours
            low, high = low / 1.5, high * 1.5
        return max(1, math.floor(low)), max(2, math.ceil(high))

    def maps(self) -> dict[str, Callable[[Frame], np.ndarray]]:
        """By name, functions from a frame to uint8 [H, W] numbers of the palette."""
        maps: dict[str, Callable[[Frame], np.ndarray]] = {
            "energy": self.map_energy,
            "lineage": self.map_lineage,
        }
        if any(frame.kind is not None for frame in self.frames):
            maps["kind"] = map_kind
        return maps

    def map_energy(self, frame: Frame) -> np.ndarray:
        low, high = (math.log(end) for end in self.scale)
        place = (np.log(np.maximum(frame.energy, 1)) - low) / (high - low)
        levels = ENERGY + np.rint(np.clip(place, 0, 1) * (255 - ENERGY))
        return np.where(frame.energy > 0, levels, EMPTY).astype(np.uint8)

    def map_lineage(self, frame: Frame) -> np.ndarray:
        names, places = np.unique(frame.lineage, return_inverse=True)
        hues = [HUE + self.hues[name] if name in self.hues else EMPTY for name in names.tolist()]
        found = np.array(hues, np.uint8)[places].reshape(frame.lineage.shape)
        return np.where(frame.energy > 0, found, EMPTY).astype(np.uint8)

    def kinds(self) -> list[int]:
        """Every kind that lives in any frame."""
        found = [np.unique(f.kind[f.energy > 0]) for f in self.frames if f.kind is not None]
        return sorted({int(kind) for kinds in found for kind in kinds})

    @property
    def extinct(self) -> int | None:
        """The tick of the first of the empty frames at the end, if the last frame is empty."""
        empty = None
        for frame in reversed(self.frames):
            if (frame.energy > 0).any():
                break
            empty = frame.tick
        return empty


def map_kind(frame: Frame) -> np.ndarray:
    """The hues of a frame's kinds; empty where it does not say."""
    if frame.kind is None:
        return np.full(frame.energy.shape, EMPTY, np.uint8)
    return np.where(frame.energy > 0, HUE + frame.kind % len(HUES), EMPTY).astype(np.uint8)


def hashed(lineage: int) -> int:
    """A place in HUES, evenly spread and the same in every film (Fibonacci hashing)."""
    return ((lineage * 0x9E3779B1) % 2**32 * len(HUES)) >> 32


def palette() -> np.ndarray:
    """uint8 [256, 3]: the colour of every number."""
    from matplotlib import colormaps
    from matplotlib.colors import to_rgb

    colours = np.ones((256, 3))
    colours[:EMPTY] = np.linspace(to_rgb("white"), to_rgb(INK), EMPTY)
    colours[EMPTY] = to_rgb(EMPTY_HUE)
    colours[HUE : HUE + len(HUES)] = [to_rgb(hue) for hue in HUES]
    colours[ENERGY:] = colormaps["viridis"](np.linspace(0, 1, 256 - ENERGY))[:, :3]
    return np.rint(255 * colours).astype(np.uint8)


def short(value: float) -> str:
    """An energy in a few letters: 12, 3.4k, 1.2M."""
    for letter, unit in (("M", 1e6), ("k", 1e3)):
        if value >= unit:
            return f"{value / unit:.3g}{letter}"
    return f"{value:.3g}"


def need() -> None:
    """Raises Refused where films cannot be drawn; imports nothing, so that it costs nothing to ask."""
    if any(find_spec(package) is None for package in ("matplotlib", "PIL")):
        raise Refused("algo.film=true needs matplotlib: pip install 'joulebench[meters]'")
