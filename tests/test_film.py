"""Films of a slice: pictures that decode, colours that stay, and the cases at the edge."""

from __future__ import annotations

import importlib.util
from io import BytesIO

import numpy as np
import pytest

from algorithms.base import Refused
from algorithms.hypercell.film import EMPTY, ENERGY, HUE, HUES, Film, Frame, hashed, need, palette

Image = pytest.importorskip("PIL.Image", reason="needs joulebench[meters]")
pytest.importorskip("matplotlib", reason="needs joulebench[meters]")


def spreading(height: int, width: int, ticks: int, founders: int = 6, end: int = 1 << 30) -> Film:
    """Lineages that copy themselves into places beside them, until all die at tick `end`."""
    rng = np.random.default_rng(1)
    energy = np.zeros((height, width), np.int64)
    lineage = np.zeros((height, width), np.uint32)
    for index in range(founders):
        y, x = rng.integers(height), rng.integers(width)
        energy[y, x], lineage[y, x] = 1024, 7919 * (index + 1)
    film = Film()
    for tick in range(ticks):
        film.frames.append(Frame(10 * tick, energy.copy(), lineage.copy()))
        shift, axis = int(rng.choice([-1, 1])), int(rng.integers(2))
        moved, born = np.roll(lineage, shift, axis), np.roll(energy, shift, axis) // 2
        free = (energy == 0) & (born > 0)
        energy, lineage = np.where(free, born, energy), np.where(free, moved, lineage)
        if tick + 1 >= end:
            energy, lineage = np.zeros_like(energy), np.zeros_like(lineage)
    return film


def decoded(picture: bytes, format: str) -> list[np.ndarray]:
    """Every frame as RGB."""
    image = Image.open(BytesIO(picture))
    assert image.format == format
    frames = []
    for index in range(getattr(image, "n_frames", 1)):
        image.seek(index)
        frames.append(np.asarray(image.convert("RGB")))
    return frames


CASES = {
    "slice": spreading(16, 32, 40),
    "row": spreading(1, 24, 20),
    "column": spreading(24, 1, 20),
    "place": spreading(1, 1, 5, founders=1),
    "tall": spreading(24, 5, 10),
    "band": spreading(2, 96, 10),
    "wider than a screen": spreading(6, 3000, 3),
    "extinct": spreading(8, 8, 20, end=9),
    "one frame": spreading(16, 32, 1),
    "never alive": Film([Frame(0, np.zeros((4, 8), int), np.zeros((4, 8), np.uint32))]),
}


@pytest.mark.parametrize("name", CASES)
def test_pictures_decode(name: str) -> None:
    film = CASES[name]
    (still,) = decoded(film.still("a title", "device", "warp"), "PNG")
    assert still.shape == (770, 1375, 3)
    frames = decoded(film.moving("a title", "device", "warp"), "GIF")
    assert len(frames) == len(film.frames)
    height, width, _ = frames[0].shape
    assert 100 < height < 700 and 400 < width < 1600
    assert {frame.shape for frame in frames} == {(height, width, 3)}
    for picture in (still, frames[-1]):
        assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 4  # not a blank page


def test_long_films_are_thinned_evenly_from_first_to_last() -> None:
    film = spreading(4, 8, 1000)
    frames = decoded(film.moving("", "device", "warp"), "GIF")
    assert len(frames) == 120
    ends = Film([film.frames[0], film.frames[-1]])
    # The same page, whatever else the film holds: first and last tick are in it.
    page = [decoded(Film([f]).moving("", "device", "warp"), "GIF")[0] for f in ends.frames]
    caption = slice(36, 56)
    assert (frames[0][caption] == page[0][caption]).all()
    assert (frames[-1][caption] == page[-1][caption]).all()


def test_a_lineage_keeps_its_colour() -> None:
    """Whatever becomes of it and wherever it goes; and the twelve largest share none."""
    film = spreading(16, 32, 60, founders=10)
    colours: dict[int, set[int]] = {}
    for frame in film.frames:
        numbers = film.map_lineage(frame)
        assert ((numbers == EMPTY) == (frame.energy == 0)).all()
        for lineage in np.unique(frame.living).tolist():
            colours.setdefault(lineage, set()).update(numbers[frame.lineage == lineage].tolist())
    assert len(colours) > 5 and all(len(seen) == 1 for seen in colours.values())
    assert len({min(seen) for seen in colours.values()}) == len(colours)
    # It is there in the GIF, to the letter.
    frames = decoded(film.moving("", "device", "warp"), "GIF")
    for lineage in np.unique(film.frames[-1].living).tolist():
        colour = palette()[min(colours[lineage])]
        assert all((frame == colour).all(2).any() for frame in frames)


def test_more_lineages_than_colours_are_coloured_by_their_hash() -> None:
    lineage = np.arange(1, 3001, dtype=np.uint32).reshape(50, 60)
    frame = Frame(0, np.ones((50, 60), int), lineage)
    numbers = Film([frame]).map_lineage(frame)
    expected = [HUE + hashed(name) for name in range(1, 3001)]
    assert (numbers.ravel() == expected)[len(HUES) :].all()
    counts = np.bincount(numbers.ravel() - HUE, minlength=len(HUES))
    assert counts.min() > 200  # evenly spread
    assert hashed(2**32 - 1) in range(len(HUES))


def test_empty_is_apart_from_little_energy_and_from_every_lineage() -> None:
    colours = palette().astype(int)
    used = np.vstack([colours[HUE : HUE + len(HUES)], colours[ENERGY:]])
    assert np.abs(used - colours[EMPTY]).sum(1).min() > 120
    energy = np.array([[0, 1, 2**24]])
    film = Film([Frame(0, energy, np.array([[0, 1, 2]], np.uint32))])
    empty, little, much = film.map_energy(film.frames[0])[0]
    assert empty == EMPTY and little < ENERGY + 5 and much > 250


def test_kinds_have_a_map_of_their_own() -> None:
    film = spreading(6, 9, 5)
    assert list(film.maps()) == ["energy", "lineage"]
    plain = decoded(film.moving("", "device", "warp"), "GIF")[0]
    for frame in film.frames[1:]:
        frame.kind = (frame.lineage % 3).astype(np.uint8)
    assert list(film.maps()) == ["energy", "lineage", "kind"]
    assert set(film.kinds()) <= {0, 1, 2}
    assert decoded(film.moving("", "device", "warp"), "GIF")[0].shape[1] > plain.shape[1]
    assert decoded(film.still("", "device", "warp"), "PNG")


def test_drawing_twice_gives_the_same_bytes_and_frames_may_follow() -> None:
    film = spreading(4, 6, 8)
    assert film.still("a", "b", "c") == film.still("a", "b", "c")
    before = film.moving("a", "b", "c")
    assert before == film.moving("a", "b", "c")
    film.frames.append(Frame(99, np.full((4, 6), 5), np.full((4, 6), 123456, np.uint32)))
    assert len(decoded(film.moving("a", "b", "c"), "GIF")) == 9


def test_what_is_no_film_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one frame"):
        Film().still("", "a", "b")
    frames = [Frame(t, np.ones((2, 2 + t), int), np.ones((2, 2 + t), np.uint32)) for t in (0, 1)]
    with pytest.raises(ValueError, match="of one shape"):
        Film(frames).moving("", "a", "b")


def test_without_matplotlib_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    need()
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "algorithms.hypercell.film.find_spec", lambda n: None if n == "matplotlib" else find(n)
    )
    for ask in (need, lambda: spreading(2, 2, 2).still("", "a", "b")):
        with pytest.raises(Refused, match=r"algo\.film=true needs matplotlib: pip install"):
            ask()
