"""The charts of the page, from its tables: what Python decides of them, so that the script only draws."""

from __future__ import annotations

from typing import Any

from metrics.trace import OTHER_COLOUR, PHASE_COLOURS
from reports.page.chart_curve import curve_charts
from reports.page.chart_front import front_charts
from reports.page.chart_parts import (
    DASHES,
    Spec,
    joule_axis,
    rows,
    short,
    tips,
)


def charts(data: dict[str, Any]) -> dict[str, Any]:
    """{"front": [...], "curves": [...], "templates": {"trace", "run_curve"}} of `reports.page.data.collect`.

    Templates have no rows of their own: the page puts those of one run into their named data.
    """
    tables = data.get("tables", {})
    front, curves = rows(tables.get("front")), rows(tables.get("curves"))
    units = {place(row): row for row in rows(tables.get("board")) if row["score_name"]}
    for row in front:  # the table front has no names of scores
        found = units.get(place(row), {})
        row |= {name: found.get(name) for name in ("score_name", "score_unit")}
    domain = sorted({short(row["algo"]) for row in (*front, *curves)})
    return {
        "front": front_charts(front, domain),
        "curves": curve_charts(
            curves, rows(tables.get("medians")), rows(tables.get("bars")), domain
        ),
        "templates": {"trace": trace_template(), "run_curve": run_curve_template()},
    }


def place(row: dict[str, Any]) -> tuple[Any, ...]:
    """What boards and fronts have in common."""
    return tuple(row[name] for name in ("task", "variant", "access", "source", "device"))


def trace_template() -> Spec:
    """Power over time with the phases behind it.

    Data "power": {t (s), w (W), domain}; "phases": {begin, end (s), phase}; both of one run.
    """
    names = [*PHASE_COLOURS, "other"]
    phase = {
        "field": "phase",
        "type": "nominal",
        "scale": {"domain": names, "range": [*PHASE_COLOURS.values(), OTHER_COLOUR]},
        "legend": {"title": None, "symbolType": "square", "orient": "top"},
    }
    seconds = {"type": "quantitative", "axis": {"title": "seconds since the run's start"}}
    span = {"scale": {"nice": False, "zero": False}}
    return {
        "width": "container",
        "height": 300,
        "layer": [
            {
                "data": {"name": "phases"},
                "mark": {"type": "rect", "style": "phase"},
                "encoding": {
                    "x": {**seconds, **span, "field": "begin"},
                    "x2": {"field": "end"},
                    "fill": phase,
                    "tooltip": tips({"phase": "phase", "seconds": "lasts"}),
                },
            },
            {
                "data": {"name": "power"},
                "mark": {"type": "line", "style": "power"},
                "encoding": {
                    "x": {**seconds, **span, "field": "t"},
                    "y": {
                        "field": "w",
                        "type": "quantitative",
                        "axis": {"title": "power (W)"},
                        "scale": {"zero": True},
                    },
                    "stroke": {"field": "domain", "type": "nominal", "legend": {"title": None}},
                    "strokeDash": {
                        "field": "domain",
                        "type": "nominal",
                        "scale": {"range": [*DASHES]},
                        "legend": {"title": None},
                    },
                },
            },
        ],
    }


def run_curve_template() -> Spec:
    """The curve of one run. Data "points": {x (J), low, high, y (score), said}; "bars": {bar, name}."""
    x = joule_axis("energy of training so far")
    y = {
        "type": "quantitative",
        "scale": {"zero": False, "padding": 12},
        "axis": {"title": "score"},
    }
    place = {"x": {**x, "field": "x"}, "y": {**y, "field": "y"}}
    return {
        "width": "container",
        "height": 240,
        "data": {"name": "points"},
        "layer": [
            {
                "data": {"name": "bars"},
                "mark": {"type": "rule", "style": "held"},
                "encoding": {"y": {**y, "field": "bar"}},
            },
            {
                "mark": {"type": "rule", "style": "interval"},
                "encoding": {**place, "x": {**x, "field": "low"}, "x2": {"field": "high"}},
            },
            {"mark": {"type": "line", "style": "draw"}, "encoding": place},
            {
                "mark": {"type": "point", "style": "pause", "filled": True},
                "encoding": {**place, "tooltip": tips({"said": "there"})},
            },
        ],
    }
