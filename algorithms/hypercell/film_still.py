"""A film on one page: maps beside curves over its ticks."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np

from algorithms.hypercell.film import HUES, INK, OTHERS_HUE, Film, palette, short
from algorithms.hypercell.film_moving import labelled

LARGEST = len(HUES)  # lineages that are named: those that share no colour
BAND = 8  # from this ratio of its sides on, the places of a map are not square
WHOLE: dict[str, Any] = {"integer": True, "min_n_ticks": 1, "steps": [1, 2, 5, 10]}  # of axes
MOST_COLUMNS = 1000  # of a line's frames beside each other


def still(film: Film, title: str, rows: str, columns: str) -> bytes:
    """See Film.still."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12.5, 7), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=[1.05, 1])[0]
    draw_maps(film, left, rows, columns)
    draw_curves(film, right)
    figure.suptitle(title, fontsize=13, color=INK)
    file = BytesIO()
    figure.savefig(file, format="png", dpi=110, metadata={"Software": None})
    return file.getvalue()


def draw_maps(film: Film, page: Any, rows: str, columns: str) -> None:
    """The last frame; of a line, all frames as columns of one picture over the ticks."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm
    from matplotlib.patches import Patch
    from matplotlib.ticker import MaxNLocator, NullFormatter

    height, width = film.shape
    line = min(height, width) == 1
    maps, colours = film.maps(), palette()
    upright = height > width and not line
    grid = (1, len(maps)) if upright else (len(maps), 1)
    axes = page.subplots(*grid, squeeze=False).ravel()
    first, last = film.frames[0].tick, film.frames[-1].tick
    for axis, (name, draw) in zip(axes, maps.items(), strict=True):
        if line:
            cells = np.stack([draw(film.frames[i]).ravel() for i in even(film)], axis=1)
            across, along = (columns, width) if height == 1 else (rows, height)
            box = (*span(first, last), along - 0.5, -0.5)
            axis.imshow(colours[cells], interpolation="nearest", aspect="auto", extent=box)
            axis.set(title=f"{name} over time", xlabel="tick", ylabel=across)
        else:
            band = max(height, width) >= BAND * min(height, width)
            shown = colours[draw(film.frames[-1])]
            axis.imshow(shown, interpolation="nearest", aspect="auto" if band else "equal")
            axis.set_title(f"{name} at tick {last}")
            axis.set(xlabel=labelled(columns, width), ylabel=labelled(rows, height))
            separate(axis, height, width)
            if film.extinct is not None:
                middle = {"transform": axis.transAxes, "ha": "center", "va": "center"}
                axis.text(0.5, 0.5, f"nothing lives\nsince tick {film.extinct}", **middle)
        axis.tick_params(length=0, labelsize=8)
        axis.spines[:].set_visible(False)
        for side in (axis.xaxis, axis.yaxis):
            side.set_major_locator(MaxNLocator(8, **WHOLE))
        if name == "energy":
            bar = ScalarMappable(LogNorm(*film.scale), "viridis")
            # Set into the map's own margin, so that all maps are equally wide.
            beside = axis.inset_axes((1.03, 0.05, 0.1 if upright else 0.025, 0.9))
            page.colorbar(bar, cax=beside, extend="both").ax.tick_params(which="both", labelsize=8)
            few = film.scale[1] < 10 * film.scale[0]
            beside.yaxis.set_major_formatter(energies)
            beside.yaxis.set_minor_formatter(energies if few else NullFormatter())
        elif name == "kind":
            hues = {kind: HUES[kind % len(HUES)] for kind in film.kinds()[: len(HUES)]}
            patches = [Patch(color=hue, label=str(kind)) for kind, hue in hues.items()]
            place = {"loc": "center left", "bbox_to_anchor": (1, 0.5)}
            axis.legend(handles=patches, **place, frameon=False, fontsize=8, handlelength=1)


def draw_curves(film: Film, page: Any) -> None:
    """Occupied share, energy, lineages and the shares of the largest, over ticks."""
    from matplotlib.ticker import MaxNLocator

    ticks = np.array([frame.tick for frame in film.frames], float)
    occupied = np.array([100 * (frame.energy > 0).mean() for frame in film.frames])
    energy = np.array([frame.energy.clip(0).sum(dtype=float) for frame in film.frames])
    named = [np.unique(frame.living, return_counts=True) for frame in film.frames]
    lineages = np.array([len(names) for names, _ in named], float)
    largest = [lineage for lineage, _ in film.sizes[:LARGEST]]
    shares = np.zeros((len(largest) + 1, len(ticks)))
    for t, (names, counts) in enumerate(named):
        held = dict(zip(names.tolist(), counts.tolist(), strict=True))
        for place, lineage in enumerate(largest):
            shares[place, t] = held.pop(lineage, 0)
        shares[-1, t] = sum(held.values())
    shares *= 100 / np.maximum(shares.sum(0), 1)
    if len(ticks) == 1:  # a point would not be seen: a short level line is
        ticks = np.array(span(ticks[0], ticks[0]))
        occupied, energy, lineages = (np.repeat(v, 2) for v in (occupied, energy, lineages))
        shares = shares.repeat(2, axis=1)
    axes = page.subplots(4, 1, sharex=True, height_ratios=[1, 1, 1, 2])
    curves = {"occupied (%)": occupied, "energy": energy, "lineages": lineages}
    for axis, (label, values) in zip(axes, curves.items(), strict=False):
        axis.plot(ticks, values, color=INK, linewidth=1.4)
        axis.set_ylabel(label)
        axis.set_ylim(0, 100 if label.startswith("occupied") else 1.08 * max(1.0, values.max()))
    axes[1].yaxis.set_major_formatter(energies)
    axes[2].yaxis.set_major_locator(MaxNLocator(4, **WHOLE))
    colours = [HUES[film.hues[lineage]] for lineage in largest] + [OTHERS_HUE]
    labels = [name_of(lineage) for lineage in largest] + ["others"]
    if len(film.sizes) <= LARGEST:
        shares, colours, labels = shares[:-1], colours[:-1], labels[:-1]
    if film.sizes:
        axes[3].stackplot(
            ticks, shares, colors=colours, labels=labels, edgecolor="white", linewidth=0.3
        )
    axes[3].set(ylabel="share of the living (%)", xlabel="tick", ylim=(0, 100))
    handles, names = axes[3].get_legend_handles_labels()
    axes[3].legend(
        *(handles[::-1], names[::-1]),
        title="lineage" if handles else None,
        loc="center left",
        bbox_to_anchor=(1, 0.5),
        frameon=False,
        fontsize=8,
        title_fontsize=9,
    )
    for axis in axes:
        axis.set_xlim(ticks[0], ticks[-1])
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(axis="y", alpha=0.3)
        axis.tick_params(labelsize=8)
        axis.xaxis.set_major_locator(MaxNLocator(10, **WHOLE))
        if film.extinct is not None:
            axis.axvline(film.extinct, color=INK, linestyle=":", linewidth=1)
    page.align_ylabels(axes)


def energies(value: float, _: int | None = None) -> str:
    """For the labels of an axis."""
    return short(value)


def even(film: Film) -> np.ndarray:
    """Which frame was the latest at each of many evenly spaced ticks."""
    ticks = np.array([frame.tick for frame in film.frames])
    when = np.linspace(ticks[0], ticks[-1], min(len(ticks), MOST_COLUMNS))
    return np.searchsorted(ticks, when, side="right") - 1


def span(first: float, last: float) -> tuple[float, float]:
    """The ends of a time axis, apart even where there is one tick alone."""
    return (first, last) if last > first else (first - 0.5, first + 0.5)


def separate(axis: Any, height: int, width: int) -> None:
    """A line of paper between places, where they are large enough."""
    if max(height, width) > 64:
        return
    axis.set_xticks(np.arange(width + 1) - 0.5, minor=True)
    axis.set_yticks(np.arange(height + 1) - 0.5, minor=True)
    axis.grid(which="minor", color="white", linewidth=0.8)
    axis.tick_params(which="minor", length=0)


def name_of(lineage: int) -> str:
    """A lineage's number; of a long one, which is a hash, its hexadecimal digits."""
    return str(lineage) if lineage < 1_000_000 else f"{lineage:08x}"
