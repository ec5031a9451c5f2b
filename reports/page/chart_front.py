"""Energy against score: a chart per board, with the Pareto front, the bars and the intervals."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import fields
from typing import Any

from reports.front import Row
from reports.page.chart_parts import (
    HEIGHT,
    Spec,
    bar_layers,
    digits,
    joule_axis,
    known,
    picking,
    score_axis,
    series,
    short,
    tips,
)
from reports.plots.front import pareto
from reports.units import scaled

BOARD = ("task", "variant", "access", "source", "device")
TIPS = {
    "label": "algorithm",
    "said_j": "J per training",
    "interval": "interval",
    "known": "J known",
    "said_score": "score",
    "met": "bar",
    "cold": "cold",
    "inference": "per prediction",
    "wall": "wall",
}


def front_charts(rows: list[dict[str, Any]], domain: list[str]) -> list[Spec]:
    """rows: of the table front. domain: names of all algorithms of the page, which fixes their looks.

    A chart is {id, title, about, table, rows (places in the table), spec}; the largest board first.
    """
    boards: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        if row["energy_j"] and row["energy_j"] > 0 and row["score"] is not None:
            boards[tuple(row[name] for name in BOARD)].append(place)
    ordered = sorted(boards.items(), key=lambda item: (-len(item[1]), item[0][0]))
    return [_chart(board, places, rows, domain) for board, places in ordered]


def _chart(
    board: tuple[Any, ...], places: list[int], rows: list[dict[str, Any]], domain: list[str]
) -> Spec:
    task, variant, access, source, device = board
    return {
        "id": " / ".join(map(str, board)),
        "title": f"{task}: {variant}",
        "source": source,
        "about": [str(device), str(access)],
        "table": "front",
        "rows": places,
        "spec": front_spec([rows[place] for place in places], domain),
    }


def front_spec(rows: list[dict[str, Any]], domain: list[str]) -> Spec:
    """One board: points with their intervals, hollow where they adapt; stairs along what nothing beats."""
    first = rows[0]
    sign, source = first["sign"], first["source"]
    bars = sorted({row["bar"] for row in rows if row["bar"] is not None})
    y = score_axis(
        first.get("score_name") or "score",
        first.get("score_unit") or "1",
        sign,
        [*bars, *(row["score"] for row in rows)],
    )
    ends = [row[name] for row in rows for name in ("energy_low_j", "energy_j", "energy_high_j")]
    x = joule_axis(f"energy per training, {known(source)}", [end for end in ends if end])
    present = sorted({short(row["algo"]) for row in rows})
    points = {"values": [_point(row) for row in rows]}
    named = series("algo", domain, present)
    colour = {**named["color"]}
    return {
        "description": f"Energy per training against {y['axis']['title']}, {len(rows)} rows of "
        f"{short(first['task'])}: {short(first['variant'])}; the table beside it has the same figures",
        "width": "container",
        "height": HEIGHT,
        "layer": [
            *bar_layers(bars, y),
            {
                "data": {"values": _stairs(rows, x["scale"]["domain"][1])},
                "mark": {"type": "line", "style": "front", "interpolate": "step-after"},
                "encoding": {"x": {**x, "field": "x"}, "y": {**y, "field": "y"}},
            },
            {
                "data": points,
                "mark": {"type": "rule", "style": "interval"},
                "encoding": {
                    "x": {**x, "field": "low"},
                    "x2": {"field": "high"},
                    "y": {**y, "field": "y"},
                    "color": colour,
                    "opacity": {"condition": {"param": "picked", "value": 0.45}, "value": 0.05},
                },
            },
            {
                "data": points,
                "params": picking("algo"),
                "transform": [{"filter": "datum.adapts"}],
                "mark": {"type": "point", "style": "hollow"},
                "encoding": {
                    "x": {**x, "field": "x"},
                    "y": {**y, "field": "y"},
                    **named,
                    "tooltip": tips(TIPS),
                },
            },
            {
                "data": points,
                "transform": [{"filter": "!datum.adapts"}],
                "mark": {"type": "point", "style": "filled", "filled": True},
                "encoding": {
                    "x": {**x, "field": "x"},
                    "y": {**y, "field": "y"},
                    **named,
                    "tooltip": tips(TIPS),
                },
            },
        ],
    }


def _point(row: dict[str, Any]) -> dict[str, Any]:
    joules, low, high = row["energy_j"], row["energy_low_j"], row["energy_high_j"]
    failed = f", {row['failed']} failed" if row["failed"] else ""
    unit = row.get("score_unit") or "1"
    return {
        "x": digits(joules),
        "low": digits(low if low and low > 0 else joules),
        "high": digits(high or joules),
        "y": digits(row["score"]),
        "algo": short(row["algo"]),
        "adapts": bool(row["adapts"]),
        "label": short(row["algo"]) + (", adapts" if row["adapts"] else ""),
        "said_j": scaled(joules, "J"),
        "interval": f"{scaled(low, 'J')} … {scaled(high, 'J')}",
        "known": known(row["source"]),
        "said_score": f"{row['score']:.4f}" + (f" {short(unit)}" if unit != "1" else ""),
        "met": f"{row['bar']:.4g}: {row['met']} of {row['runs']} draws{failed}",
        "cold": scaled(row.get("cold_j"), "J"),
        "inference": scaled(row.get("inference_j"), "J"),
        "wall": scaled(row.get("wall_s"), "s"),
    }


def _stairs(rows: list[dict[str, Any]], right: float) -> list[dict[str, float]]:
    """The front, led on to the right edge: whatever lies behind it is beaten."""
    names = [field.name for field in fields(Row) if field.name != "board"]
    found: list[dict[str, Any]] = [{name: row.get(name) for name in names} for row in rows]
    edge = pareto([Row(board=(), **values) for values in found])
    last = {"x": right, "y": edge[-1].score}
    return [*({"x": row.energy_j, "y": row.score} for row in edge), last]
