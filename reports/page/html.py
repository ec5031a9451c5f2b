"""One self-contained HTML file of what `reports.page.data.collect` found: it loads nothing from anywhere.

The page is a template, its style, its scripts in the order of `SCRIPTS`, the charting library's script and
the data as JSON, in which no name can end the script element that it lies in. Its content security policy
names both scripts by hash, so that nothing else runs on it whatever a Record says.
"""

from __future__ import annotations

import base64
import hashlib
import importlib
import json
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from metrics.store import StoreError
from reports.page.charts import charts

ASSETS = Path(__file__).parent / "assets"
STYLES = ("page.css", "parts.css")
SCRIPTS = (
    *("dom.js", "units.js", "tables.js", "csv.js", "theme.js", "grid.js", "ranges.js", "chart.js"),
    *("verdicts.js", "board.js", "figures.js", "cube.js", "trust.js", "runs.js", "runs_table.js"),
    *("record.js", "detail.js", "films.js", "live.js", "main.js"),
)
EXPOSED = "window.vegaEmbed = vegaEmbed;"
ESCAPES = {ord("<"): "\\u003c", 0x2028: "\\u2028", 0x2029: "\\u2029"}


def html(data: dict[str, Any]) -> str:
    """The page. Raises StoreError where the charting library is not installed."""
    vega, script = library(), own_script()
    parts = {
        "policy": policy([vega, script], bool(data.get("served"))),
        "title": escape(str(data.get("title") or "joulebench")),
        "style": "".join((ASSETS / name).read_text() for name in STYLES),
        "data": to_json(payload(data)),
        "vega": vega,
        "script": script,
    }
    page = (ASSETS / "page.html").read_text()
    pieces = page.split("{{")
    return pieces[0] + "".join(
        parts[name] + rest for name, rest in (piece.split("}}", 1) for piece in pieces[1:])
    )


def payload(data: dict[str, Any]) -> dict[str, Any]:
    """What the page is given: the data with its charts. A served page fetches the same again."""
    return {**data, "charts": charts(data)}


def to_json(value: Any) -> str:
    """JSON that may stand within a script element; refuses what JSON has no word for (ValueError)."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # A lone surrogate, which a torn name may hold, has no UTF-8.
    return text.translate(ESCAPES).encode("utf-8", "replace").decode()


@cache
def library() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script (0.9 MB; takes two seconds, so once a process)."""
    try:
        vl_convert = importlib.import_module("vl_convert")
    except ImportError:
        raise StoreError(
            "the page needs the charting library of vl-convert-python, which is not installed: "
            "pip install 'joulebench[report]'"
        ) from None
    return inline(vl_convert.javascript_bundle(EXPOSED))


def own_script() -> str:
    """The page's own scripts as one, in a scope of their own."""
    text = "\n".join((ASSETS / name).read_text() for name in SCRIPTS)
    return inline(f'(() => {{\n"use strict";\n{text}\n}})();\n')


def inline(script: str) -> str:
    """A script as it may stand within its element."""
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def policy(scripts: list[str], served: bool) -> str:
    """The content security policy. Vega sets styles of single elements, hence 'unsafe-inline' for these."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in scripts
    )
    connect = "connect-src 'self'; " if served else ""
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; "
        f"{connect}base-uri 'none'; form-action 'none'"
    )
