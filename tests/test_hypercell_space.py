"""The shape of space: what geometries there are, and what is refused with the way out."""

from __future__ import annotations

from importlib import resources
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from algorithms.base import Refused
from algorithms.hypercell import parity
from algorithms.hypercell.layout import Layout
from algorithms.hypercell.space import NAMES, TILE, Axis, build, geometry
from tests.biologies.messenger import MESSENGER

SHELF = resources.files("configs") / "geometry"
KNOWN = sorted(entry.name[:-5] for entry in SHELF.iterdir() if entry.name.endswith(".yaml"))


@pytest.mark.parametrize("name", KNOWN)
class TestNamedGeometries:
    """Every yaml in configs/geometry joins by being there."""

    def test_it_is_a_space(self, name: str) -> None:
        shape = geometry(name)
        assert shape.name == name and shape.locations > 1
        assert shape.describe().startswith(f"{name} (")
        assert (
            (SHELF / f"{name}.yaml").read_text().startswith("# ")
        )  # it says what it is shaped like

    def test_what_is_further_out_is_slower_and_dearer(self, name: str) -> None:
        axes = [axis for axis in geometry(name).axes if axis.length > 1]
        for outer, inner in pairwise(axes):
            assert outer.stretch > inner.stretch and outer.toll > inner.toll
        assert all(axis.toll >= 1 for axis in axes)  # nothing that crosses is for free

    def test_its_tiles_are_whole_and_small(self, name: str) -> None:
        shape = geometry(name)
        for tile in (1, 32, TILE):
            outer = shape.outer(tile)
            size = shape.strides[outer] * shape.lengths[outer]
            assert shape.locations % size == 0
            assert size <= max(tile, shape.lengths[-1])


def test_the_smallest_is_the_one_that_errors_recommend() -> None:
    assert geometry("laptop").locations == 8
    assert KNOWN == ["cluster", "h200", "laptop", "pond", "torus"]


def test_axes_that_are_not_named_have_length_1() -> None:
    shape = build("mine", {"sm": {"length": 3, "ring": True}, "warp": {"length": 2, "stretch": 5}})
    assert shape.lengths == (1, 1, 1, 1, 1, 3, 2)
    assert shape.axes[5] == Axis(3, True, 1, 1) and shape.axes[6] == Axis(2, False, 5, 1)
    assert shape.strides[5:] == (2, 1) and shape.slots == (-1, -1, -1, -1, -1, 0, 1)
    assert shape.describe() == "mine (sm 3 in a ring, warp 2)"
    assert build("dot", {}).describe() == "dot (one location)"


REFUSED: list[tuple[dict[Any, Any], str]] = [
    (
        {"warp": {"length": 0}},
        r"^geometry mine: warp\.length=0: must be a whole number of at least 1$",
    ),
    ({"warp": {"length": -3}}, r"warp\.length=-3: must be a whole number of at least 1"),
    ({"warp": {"length": 2.0}}, r"warp\.length=2\.0: must be a whole number"),
    ({"warp": {"length": True}}, r"warp\.length=True: must be a whole number"),
    ({"warp": {"length": "four"}}, r"warp\.length='four': must be a whole number"),
    ({"warp": {"length": None}}, r"warp\.length=None: must be a whole number"),
    ({"warp": {"length": 1 << 30}}, r"warp\.length=\d+: must be .* at least 1 and below 2\*\*30$"),
    ({"sm": {"length": 4, "stretch": 0}}, r"sm\.stretch=0: must be a whole number of at least 1"),
    ({"sm": {"length": 4, "stretch": 0.5}}, r"sm\.stretch=0\.5: must be a whole number"),
    ({"sm": {"length": 4, "toll": -1}}, r"sm\.toll=-1: must be a whole number of at least 0"),
    ({"row": {"length": 1, "ring": True}}, r"row: a ring of 1 would be its own neighbour; make it"),
    ({"row": {"ring": True}}, r"row: a ring of 1 would be its own neighbour"),
    (
        {"row": {"length": 3, "ring": "yes please"}},
        r"row\.ring='yes please': must be true or false",
    ),
    ({"row": {"length": 3, "ring": 1}}, r"row\.ring=1: must be true or false"),
    ({"lane": {"length": 3}}, rf"no axis is called lane; they are {', '.join(NAMES)}"),
    ({7: {"length": 3}}, r"no axis is called 7"),
    ({"warp": {"lenght": 3}}, r"warp has no lenght; there are length, ring, stretch, toll"),
    ({"warp": {1: 3, "a": 4}}, r"warp has no 1; there are"),
    ({"warp": 4}, r"warp: 4: must be a mapping of length, ring, stretch, toll"),
    ({"warp": [4]}, r"warp: \[4\]: must be a mapping"),
    ({"warp": None}, r"warp: None: must be a mapping"),
]


@pytest.mark.parametrize(("axes", "message"), REFUSED, ids=lambda value: str(value)[:30])
def test_bad_axes_are_refused_by_name(axes: dict[Any, Any], message: str) -> None:
    with pytest.raises(Refused, match=message):
        build("mine", axes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("axes: [", r"not a yaml"),
        ("\xff\xfe: [", r"not a yaml"),
        ("", r"needs `axes:`, a mapping of row, rack, host, device, cluster, sm, warp"),
        ("length: 4", r"needs `axes:`"),
        ("axes: 4", r"needs `axes:`"),
        ("axes: {warp: {length: 0}}", r"^geometry mine: warp\.length=0"),
    ],
)
def test_bad_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(Refused, match=message):
        geometry(str(path))


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("axes: {warp: {length: 3, stretch: 2}}")
    assert geometry(str(path)) == build("mine", {"warp": {"length": 3, "stretch": 2}})


def test_what_is_not_there_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        Refused, match=r"geometry=desktop: .*known are cluster, h200, laptop, pond, torus, or give"
    ):
        geometry("desktop")
    with pytest.raises(Refused, match=r"no such file; give its absolute path"):
        geometry(str(tmp_path / "mine.yaml"))
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text("axes: {}")
    with pytest.raises(Refused, match=r"mine\.yaml: no such file; give its absolute path, since"):
        geometry("mine.yaml")
    Path("folder.yaml").mkdir()
    with pytest.raises(Refused, match=r"no such file"):
        geometry(str(tmp_path / "folder.yaml"))


def test_a_space_beyond_memory_is_refused_before_it_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=10**9))
    with pytest.raises(Refused) as error:
        Layout(geometry("cluster"), parity.biology(20))
    said = str(error.value)
    assert "cluster (row 2, rack 4, host 8, device 8 in a ring, cluster 12, sm 11, warp 32)" in said
    assert "has 2,162,688 locations of " in said and " GB; 1 GB are free. Choose a smaller" in said
    needed = float(said.split("needs ")[1].split(" GB")[0])
    each = float(said.split("locations of ")[1].split(" bytes")[0].replace(",", ""))
    assert needed == pytest.approx(2_162_688 * each / 1e9, rel=0.01)


def test_no_space_is_too_large_to_be_refused() -> None:
    """Sizes beyond 64 bits are estimated as well, on a machine of any size."""
    huge = build("huge", {name: {"length": (1 << 30) - 1} for name in NAMES})
    with pytest.raises(Refused, match=r"^the space huge .* needs \S+e\+\d+ GB"):
        Layout(huge, MESSENGER)
