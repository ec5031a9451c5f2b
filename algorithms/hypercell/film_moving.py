"""A film as an animated GIF, drawn in the numbers of one palette: every colour comes out as it is meant."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from algorithms.hypercell.film import EMPTY, ENERGY, HUE, HUES, Film, Frame, palette, short

MOST_FRAMES = 120
LASTS_MS = 12_000  # all frames together, if that is neither hasty nor a crawl for each
LAST_FRAME_MS = 2_000
MARGIN = 16
LINE = 20
SIDE = 360  # the longer side of a map, about; of a map that is a band, twice that
MOST_PLACES = 512  # shown along either side of a map; of more, every second, third, ...
BAND = 4  # from this ratio of its sides on


def moving(film: Film, title: str, rows: str, columns: str) -> bytes:
    """See Film.moving."""
    from PIL import Image

    count = len(film.frames)
    chosen = np.linspace(0, count - 1, min(count, MOST_FRAMES)).round().astype(int)
    page = Page(film, title, rows, columns)
    colours = palette().tobytes()
    pictures = []
    for index in chosen:
        picture = Image.fromarray(page.draw(film.frames[index]))
        picture.putpalette(colours)
        pictures.append(picture)
    each_ms = int(np.clip(LASTS_MS / len(chosen), 60, 500)) // 10 * 10  # GIF counts hundredths
    file = BytesIO()
    pictures[0].save(
        file,
        format="GIF",
        save_all=True,
        append_images=pictures[1:],
        duration=[*[each_ms] * (len(pictures) - 1), LAST_FRAME_MS],
        loop=0,
        optimize=False,  # it would renumber the palette
    )
    return file.getvalue()


class Page:
    """Where everything stands: what stays the same is drawn once, and frames are drawn onto it."""

    def __init__(self, film: Film, title: str, rows: str, columns: str) -> None:
        self.film = film
        self.maps = film.maps()
        self.every = -(-max(film.shape) // MOST_PLACES)
        height, width = (-(-length // self.every) for length in film.shape)
        band = width >= BAND * height  # bands stand above each other, all else side by side
        self.cell = cell_size(height, width, 2 * SIDE if band else SIDE)
        high, wide = height * self.cell[0], width * self.cell[1]
        left, top = MARGIN + LINE, MARGIN + 2 * LINE + 8
        keys = 90 + 30 * len(film.kinds()[: len(HUES)])
        broad = max(wide, keys, 170)  # what stands above a narrow map is wider than the map
        step_y, step_x = (high + 2 * LINE + 12, 0) if band else (0, broad + 24)
        self.corners = [(top + LINE + i * step_y, left + i * step_x) for i in range(len(self.maps))]
        last_y, last_x = self.corners[-1]
        across = max(last_x + broad, MARGIN + round(font(15).getlength(title)), 420)
        self.shape = (last_y + high + LINE + MARGIN, across + MARGIN)
        ink = self._canvas()
        write(ink, (MARGIN, MARGIN - 4), title, 15)
        self.bars: list[tuple[int, int, np.ndarray]] = []
        for name, (y, x) in zip(self.maps, self.corners, strict=True):
            end = write(ink, (x, y - LINE), name, 12) + 10
            if name != "lineage":
                self._key(ink, name, y - LINE, end)
            write(ink, (x, y + high + 2), labelled(columns, film.shape[1]), 12)
            if x == left:
                write_upright(ink, (y, MARGIN - 4), labelled(rows, film.shape[0]), high)
        self.base = inked(ink)

    def draw(self, frame: Frame) -> np.ndarray:
        """One frame as numbers of the palette."""
        ink = self._canvas()
        alive = frame.energy > 0
        lineages = len(np.unique(frame.living))
        state = f"{100 * alive.mean():.0f} % occupied · {lineages} lineage{'s' * (lineages != 1)}"
        if not alive.any():
            state = "nothing lives"
        write(ink, (MARGIN, MARGIN + LINE), f"tick {frame.tick} · {state}", 12)
        page = np.maximum(self.base, inked(ink))
        for y, x, bar in self.bars:
            page[y : y + bar.shape[0], x : x + bar.shape[1]] = bar
        for draw, (y, x) in zip(self.maps.values(), self.corners, strict=True):
            cells = enlarged(draw(frame)[:: self.every, :: self.every], *self.cell)
            page[y : y + cells.shape[0], x : x + cells.shape[1]] = cells
        return page

    def _key(self, ink: Any, name: str, y: int, x: int) -> None:
        """What the colours of a map mean, beside its name: a ramp, or a patch for each kind."""
        if name == "energy":
            low, high = self.film.scale
            x = write(ink, (x, y), short(low), 12) + 4
            ramp = np.linspace(ENERGY, 255, 64).astype(np.uint8)
            self.bars.append((y + 4, x, np.tile(ramp, (9, 1))))
            write(ink, (x + 68, y), short(high), 12)
            return
        for kind in self.film.kinds()[: len(HUES)]:
            self.bars.append((y + 4, x, np.full((9, 9), HUE + kind % len(HUES), np.uint8)))
            x = write(ink, (x + 12, y), str(kind), 12) + 8

    def _canvas(self) -> Any:
        from PIL import Image

        return Image.new("L", (self.shape[1], self.shape[0]), 0)


def cell_size(height: int, width: int, side: int) -> tuple[int, int]:
    """Pixels of a place, downwards and across: square unless that would leave a thread."""
    across = down = max(2, side // max(height, width))
    if height * down < 40:
        down = 40 // height
    if width * across < 40:
        across = 40 // width
    return down, across


def enlarged(cells: np.ndarray, down: int, across: int) -> np.ndarray:
    """Every place as a patch; where patches are large enough, with a line of paper between them."""
    patches = cells.repeat(down, 0).repeat(across, 1)
    if min(down, across) >= 6:
        patches[down - 1 :: down] = 0
        patches[:, across - 1 :: across] = 0
    return patches


def labelled(axis: str, length: int) -> str:
    """An axis with its range."""
    return f"{axis} 0…{length - 1}" if length > 1 else axis


def inked(ink: Any) -> np.ndarray:
    """A canvas of ink (0 to 255) in the palette's steps from paper to ink."""
    return (np.asarray(ink, np.uint16) * (EMPTY - 1) // 255).astype(np.uint8)


def write(ink: Any, corner: tuple[int, int], text: str, size: int) -> int:
    """Writes at (x, y); returns the x at which the text ends."""
    from PIL import ImageDraw

    letters = font(size)
    ImageDraw.Draw(ink).text(corner, text, fill=255, font=letters)
    return corner[0] + round(letters.getlength(text))


def write_upright(ink: Any, corner: tuple[int, int], text: str, high: int) -> None:
    """Writes from bottom to top beside something from y on that is `high` pixels high, in its middle."""
    from PIL import Image

    y, x = corner
    wide = round(font(12).getlength(text)) + 2
    strip = Image.new("L", (wide, LINE), 0)
    write(strip, (0, 0), text, 12)
    ink.paste(strip.rotate(90, expand=True), (x, max(0, y + (high - wide) // 2)))


def font(size: int) -> Any:
    """The letters that matplotlib brings along, so that every machine has the same."""
    import matplotlib
    from PIL import ImageFont

    return ImageFont.truetype(
        str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), size
    )
