"""Energy-to-score curves: a chart per board, each draw thin, the median of three or more thick."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from reports.page.chart_parts import (
    DASHES,
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
from reports.units import scaled

MOST_DRAWS = 20  # of one configuration in a chart; more are but a smear
TIPS = {
    "name": "algorithm",
    "run": "run",
    "said_j": "J of training so far",
    "interval": "interval",
    "known": "J known",
    "said_score": "score",
}
Key = tuple[str, str]  # algorithm, hash of its configuration
Draws = dict[str, list[dict[str, Any]]]  # the points of each run
Middles = dict[Key, list[tuple[float, float]]]  # (J, median score)


def curve_charts(
    rows: list[dict[str, Any]],
    medians: list[dict[str, Any]],
    bars: list[dict[str, Any]],
    domain: list[str],
) -> list[Spec]:
    """rows, medians, bars: of the tables curves, medians and bars. domain: as for `front_charts`; names of
    configurations that it lacks are appended to it."""
    boards: dict[str, list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        if row["energy_j"] and row["energy_j"] > 0 and row["score"] is not None:
            boards[row["board"]].append(place)
    ladders: dict[str, set[float]] = defaultdict(set)
    for row in bars:
        ladders[row["board"]].add(row["bar"])
    middles: dict[str, Middles] = defaultdict(lambda: defaultdict(list))
    for row in medians:
        key = row["algo"], row["algo_sha256"]
        middles[row["board"]][key].append((row["energy_j"], row["score"]))
    charts = []
    for board, places in sorted(boards.items(), key=lambda item: (-len(item[1]), item[0])):
        found = [rows[place] for place in places]
        groups = labelled(found)
        domain += [name for name, _ in groups.values() if name not in domain]
        first = found[0]
        charts.append(
            {
                "id": board,
                "title": f"{first['task']}: {first['variant']}",
                "source": first["source"],
                "about": [str(first["device"])],
                "left_out": sum(max(0, len(d) - MOST_DRAWS) for _, d in groups.values()),
                "table": "curves",
                "rows": places,
                "spec": curve_spec(found, groups, middles[board], sorted(ladders[board]), domain),
            }
        )
    return charts


def labelled(rows: list[dict[str, Any]]) -> dict[Key, tuple[str, Draws]]:
    """What a legend calls each configuration, and its draws: as `reports.plots.curve.labelled`."""
    groups: dict[Key, Draws] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        groups[row["algo"], row["algo_sha256"]][row["run"]].append(row)
    names = [name for name, _ in groups]
    return {
        (name, sha): (
            short(name) if names.count(name) == 1 else f"{short(name)[:34]} ({sha[:6]})",
            draws,
        )
        for (name, sha), draws in sorted(groups.items())
    }


def curve_spec(
    rows: list[dict[str, Any]],
    groups: dict[Key, tuple[str, Draws]],
    medians: Middles,
    bars: list[float],
    domain: list[str],
) -> Spec:
    """One board. bars: the scores to be met. medians: of those configurations that have one."""
    first, present = rows[-1], [name for name, _ in groups.values()]
    y = score_axis(
        first["score_name"] or "score",
        first["score_unit"] or "1",
        1 if first["direction"] == "max" else -1,
        [*bars, *(row["score"] for row in rows)],
    )
    x = joule_axis(
        f"energy of training so far, {known(first['source'])}", [row["energy_j"] for row in rows]
    )
    thin: list[dict[str, Any]] = []
    alone: list[dict[str, Any]] = []
    thick: list[dict[str, Any]] = []
    for key, (name, draws) in groups.items():
        middle = medians.get(key, [])
        thick += [{"x": digits(j), "y": digits(score), "name": name} for j, score in middle]
        newest = sorted(draws)[-MOST_DRAWS:]
        points = [_point(row, name) for run in newest for row in draws[run]]
        (thin if middle else alone).extend(points)
    named = series("name", domain, present)
    dash = {
        "field": "name",
        "type": "nominal",
        "scale": {
            "domain": domain,
            "range": [DASHES[i % len(DASHES)] for i in range(len(domain))],
        },
        "legend": named["color"]["legend"],
    }
    place = {"x": {**x, "field": "x"}, "y": {**y, "field": "y"}}
    line = {**place, "color": named["color"], "opacity": named["opacity"]}
    faint = {"condition": {"param": "picked", "value": 0.5}, "value": 0.05}
    draw = {"detail": {"field": "run", "type": "nominal"}}
    return {
        "description": f"{y['axis']['title']} against energy of training so far: {', '.join(present)}; the "
        "table beside it has the same figures",
        "width": "container",
        "height": HEIGHT,
        "layer": [
            *bar_layers(bars, y),
            {
                "data": {"values": thin},
                "mark": {"type": "line", "style": "thin"},
                "encoding": {**line, **draw, "opacity": faint},
            },
            {
                "data": {"values": alone},
                "mark": {"type": "line", "style": "draw"},
                "encoding": {**line, **draw, "strokeDash": dash},
            },
            {
                "data": {"values": thick},
                "mark": {"type": "line", "style": "median"},
                "encoding": {**line, "strokeDash": dash},
            },
            {
                "data": {"values": [*_ends(thin), *alone]},
                "params": picking("name"),
                "mark": {"type": "point", "style": "pause", "filled": True},
                "encoding": {**place, **named, "tooltip": tips(TIPS)},
            },
        ],
    }


def _ends(points: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The last point of each draw."""
    return list({point["run"]: point for point in points}.values())


def _point(row: dict[str, Any], name: str) -> dict[str, Any]:
    error = "" if row.get("score_se") is None else f" ± {row['score_se']:.2g}"
    low, high = row.get("energy_low_j"), row.get("energy_high_j")
    return {
        "x": digits(row["energy_j"]),
        "y": digits(row["score"]),
        "name": name,
        "run": short(row["run"]),
        "said_j": scaled(row["energy_j"], "J"),
        "interval": f"{scaled(low, 'J')} … {scaled(high, 'J')}",
        "known": known(row.get("source")),
        "said_score": f"{row['score']:.4f}{error}",
    }
