"""How figures for papers look: one column wide, colours and markers that everybody can tell apart.

The palette is Okabe and Ito's (2008), made for colour-blind readers. The same figures give the same SVG, byte
by byte: no date, and names that follow from its content.
"""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

from metrics.store import StoreError
from metrics.trace import need
from reports.units import PREFIXES

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = (
    "o",
    "s",
    "^",
    "D",
    "v",
    "P",
    "X",
    "<",
    ">",
    "h",
    "*",
)  # as many as 77 pairs with the colours
GREY = "#666666"
WIDTH_IN = 3.4  # a column of a paper
DPI = 300
ROW_IN = 0.14  # of a legend
LEGEND_BELOW_PT = 27.0  # where the ticks and the label of the x axis end
CAPTION_LETTERS = 72  # in a line
FORMATS = (".png", ".svg")
SETTINGS = {
    "font.size": 7.0,
    "axes.titlesize": 7.0,
    "axes.labelsize": 7.0,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "legend.fontsize": 6.5,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.0,
    "lines.markersize": 3.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "text.parse_math": False,
    "svg.hashsalt": "joulebench",
    "svg.fonttype": "path",
}


def look(index: int) -> dict[str, Any]:
    """Colour and marker of the algorithm at `index`."""
    return {"color": COLOURS[index % len(COLOURS)], "marker": MARKERS[index % len(MARKERS)]}


def said(text: str, most: int = 40) -> str:
    """A name as a label: one line, not too long, and never taken for a hidden one (a leading _)."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    short = line if len(line) <= most else line[: most - 1] + "…"
    return f" {short}" if short.startswith("_") else short


def draw(path: Path, panels: int, each_in: float, fill: Callable[[Any, list[Any]], str]) -> None:
    """Writes a figure of `panels` panels, one below the other; `fill(figure, axes)` returns its caption."""
    matplotlib = need("matplotlib", "a plot")
    figures = need("matplotlib.figure", "a plot")
    canvas = need("matplotlib.backends.backend_agg", "a plot").FigureCanvasAgg
    with matplotlib.rc_context(SETTINGS), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # a name in a rare script
        figure = figures.Figure(figsize=(WIDTH_IN, panels * each_in), layout="constrained")
        canvas(figure)
        axes = list(figure.subplots(panels, 1, squeeze=False)[:, 0])
        caption = textwrap.fill(fill(figure, axes), CAPTION_LETTERS)
        figure.supxlabel(caption, fontsize=5.5, color=GREY, x=0.01, ha="left")
        metadata = {"Date": None} if path.suffix.lower() == ".svg" else {"Software": None}
        try:
            figure.savefig(path, dpi=DPI, metadata=metadata)
        except OSError as error:
            raise StoreError(
                f"cannot write {path} ({error.strerror}); name another with --out FILE"
            ) from None


def legend_columns(labels: Collection[str]) -> int:
    """As many as fit beside each other."""
    widest = max((len(label) for label in labels), default=0)
    return 1 if widest > 30 else 2 if widest > 18 else 3


def height_in(panel_in: float, labels: Iterable[Collection[str]]) -> float:
    """Of a panel with the tallest of its legends (labels of each), so that none eats into its panel."""
    rows = max((-(-len(each) // legend_columns(each)) for each in labels), default=1)
    return panel_in + ROW_IN * (rows - 1)


def legend(axis: Any, handles: dict[str, Any]) -> None:
    """Below the panel and its label, in one to three columns; handles by label."""
    transforms = need("matplotlib.transforms", "a plot")
    labels = list(handles)
    axis.legend(
        list(handles.values()),
        labels,
        loc="upper center",
        bbox_to_anchor=(0.45, 0.0),
        bbox_transform=axis.transAxes
        + transforms.ScaledTranslation(0, -LEGEND_BELOW_PT / 72, axis.figure.dpi_scale_trans),
        ncols=legend_columns(labels),
        columnspacing=1.0,
        handletextpad=0.4,
        borderaxespad=0.0,
    )


def score_axis(axis: Any, name: str, unit: str, sign: int, scores: Iterable[float]) -> None:
    """The y axis. sign: 1 where more is better. scores: all that must be seen, the bars included."""
    found = list(scores)
    room = 0.1 * (max(found) - min(found)) or 0.1 * abs(found[0]) or 0.1
    axis.set_ylim(min(found) - room, max(found) + room)
    kind = name if unit == "1" else f"{name}, {unit}"
    axis.set_ylabel(f"{kind} ({'more' if sign > 0 else 'less'} is better)")


def bars(axis: Any, values: Iterable[float]) -> None:
    """Dashed lines at the scores that are to be met, each named beside the panel, where no point is."""
    for value in values:
        axis.axhline(value, color=GREY, linestyle=(0, (4, 3)), linewidth=0.6, zorder=0)
        axis.annotate(
            f"bar {value:.4g}",
            xy=(1.0, value),
            xycoords=("axes fraction", "data"),
            xytext=(2, 0),
            textcoords="offset points",
            ha="left",
            va="center",
            fontsize=5.5,
            color=GREY,
        )


def joules(value: float) -> str:
    """A tick as people read it: 20 mJ."""
    for size, prefix in PREFIXES:
        if value >= size * 0.9995:
            return f"{value / size:.3g} {prefix}J"
    return f"{value:.0e} J"


def log_axis(axis: Any) -> None:
    """A logarithmic x axis in joules."""
    ticker = need("matplotlib.ticker", "a plot")
    axis.set_xscale("log")
    low, high = axis.get_xlim()
    decades = high / low if low > 0 else 10.0
    subs = (1.0,) if decades > 30 else (1.0, 2.0, 5.0)
    axis.xaxis.set_major_locator(ticker.LogLocator(base=10.0, subs=subs, numticks=8))
    axis.xaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: joules(value)))
    axis.xaxis.set_minor_formatter(ticker.NullFormatter())
