"""What the page's charts share: rows out of its tables, axes, and what tells one series from another.

A spec is Vega-Lite as a plain dict without a theme: colours that depend on light and dark (`range: category`)
and symbols come from the configuration that the page embeds it with. All that is shown of a name is data or a
title, which Vega draws as text.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from reports.plots.style import said
from reports.units import PREFIXES

Spec = dict[str, Any]
HEIGHT = 380  # px
DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [10, 4], [4, 2, 1, 2, 1, 2], [1, 3])
LETTERS = 44  # of a name in a legend
MOST_TICKS = 9


def rows(table: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The rows of a table as the page has it (columns, texts by code); none where there is no table."""
    if not table:
        return []
    columns = {}
    for name, column in table["data"].items():
        if "codes" in column:
            levels = column["levels"]
            columns[name] = [None if code < 0 else levels[code] for code in column["codes"]]
        else:
            columns[name] = column["values"]
    return [{name: values[i] for name, values in columns.items()} for i in range(table["rows"])]


def short(text: Any) -> str:
    """A name for a legend or a title: one line, not too long."""
    return said(str(text), LETTERS)


def known(source: str | None) -> str:
    """How joules are known, in words: "modelled (cpu_time)"."""
    kind, _, by = str(source).partition(":")
    return f"{kind} ({said(by)})" if by else kind


def joule_words() -> str:
    """A Vega expression that writes a tick as people read it: 20 mJ; nothing where d3 leaves a tick bare."""
    words = "format(datum.value, '.0e') + ' J'"
    for size, prefix in reversed(PREFIXES):
        number = f"format(datum.value / {size:g}, '.3~r')"
        words = f"datum.value >= {size * 0.9995:g} ? {number} + ' {prefix}J' : {words}"
    return f"datum.label === '' ? '' : ({words})"


def joule_axis(title: str, seen: Iterable[float] = ()) -> Spec:
    """Logarithmic. seen: J > 0 that must be on it, from which ticks follow; none: the library's own."""
    axis: Spec = {"title": title, "labelExpr": joule_words(), "labelOverlap": "greedy"}
    found = [value for value in seen if value > 0]
    scale: Spec = {"type": "log", "nice": False}
    if found:
        low, high = min(found) / 1.15, max(found) * 1.15
        axis["values"] = ticks(low, high)
        scale["domain"] = [low, high]
    return {"type": "quantitative", "scale": scale, "axis": axis}


def ticks(low: float, high: float) -> list[float]:
    """Decades, with 2 and 5 between them where there is room."""
    parts = (1.0,) if high / low > 10 ** (MOST_TICKS / 3) else (1.0, 2.0, 5.0)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    made = [float(f"{part}e{decade}") for decade in decades for part in parts]
    inside = [value for value in made if low <= value <= high]
    return inside[:: math.ceil(len(inside) / MOST_TICKS)] if inside else [float(f"{low:.2g}")]


def score_axis(name: str, unit: str, sign: int, seen: Sequence[float]) -> Spec:
    """seen: all scores that must be on it, the bars included. sign: 1 where more is better."""
    room = 0.06 * (max(seen) - min(seen)) or 0.1 * abs(seen[0]) or 0.1
    kind = short(name) if unit == "1" else f"{short(name)}, {short(unit)}"
    better = "more" if sign > 0 else "less"
    return {
        "type": "quantitative",
        "scale": {"zero": False, "nice": False, "domain": [min(seen) - room, max(seen) + room]},
        "axis": {"title": f"{kind} ({better} is better)"},
    }


def bar_layers(values: Iterable[float], y: Spec) -> list[Spec]:
    """Dashed lines at the scores that are to be met, each named at the right edge."""
    data = {"values": [{"bar": value, "name": f"bar {value:.4g}"} for value in values]}
    place = {**y, "field": "bar"}
    return [
        {"data": data, "mark": {"type": "rule", "style": "held"}, "encoding": {"y": place}},
        {
            "data": data,
            "mark": {"type": "text", "style": "held-name", "align": "right", "dy": -5},
            "encoding": {
                "y": place,
                "x": {"value": "width"},
                "text": {"field": "name", "type": "nominal"},
            },
        },
    ]


def series(field: str, domain: list[str], present: list[str], picked: bool = True) -> Spec:
    """Colour and symbol of each name by its place in `domain`, which all charts of a page share.

    present: the names in this chart's legend. picked: whether a click in the legend dims the others.
    """
    scale = {"domain": domain}
    legend = {"title": None, "values": present}
    encoding: Spec = {
        "color": {"field": field, "type": "nominal", "scale": scale, "legend": legend},
        "shape": {"field": field, "type": "nominal", "scale": scale, "legend": legend},
    }
    if picked:
        encoding["opacity"] = {"condition": {"param": "picked", "value": 1}, "value": 0.12}
    return encoding


def picking(field: str) -> list[Spec]:
    """A click in the legend picks a series."""
    return [
        {"name": "picked", "select": {"type": "point", "fields": [field]}, "bind": "legend"},
    ]


def tips(fields: dict[str, str]) -> list[Spec]:
    """Tooltip lines, by field: all of them texts that were made beforehand."""
    return [{"field": field, "type": "nominal", "title": title} for field, title in fields.items()]


def digits(value: float | None) -> float | None:
    """Six digits are more than a screen shows."""
    return None if value is None else float(f"{value:.6g}")
