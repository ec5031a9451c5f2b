"""The page as a file: nothing in a name ends a script, nothing is loaded, and every chart is one."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import altair
import pytest
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for

from metrics.store import StoreError
from reports.page import html as page_html
from reports.page.chart_curve import MOST_DRAWS
from reports.page.chart_parts import joule_words, known, rows, ticks
from reports.page.charts import charts
from reports.page.data import collect
from reports.page.html import ASSETS, SCRIPTS, STYLES, html, payload, policy, to_json
from tests.pages import AXES, BAD, hostile, sample
from tests.papers import curve, sat
from tests.test_export import store


class Parts(HTMLParser):
    """Scripts and styles as a browser takes them apart, and every address that an element names."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.scripts: list[tuple[str | None, str]] = []
        self.addresses: list[str] = []
        self.policy = ""
        self._in: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.addresses += [value for name in ("src", "href") if (value := values.get(name))]
        if values.get("http-equiv") == "Content-Security-Policy":
            self.policy = values["content"] or ""
        if tag == "script":
            self.scripts.append((values.get("type"), ""))
            self._in = tag

    def handle_endtag(self, tag: str) -> None:
        self._in = None

    def handle_data(self, data: str) -> None:
        if self._in == "script":
            kind, text = self.scripts[-1]
            self.scripts[-1] = (kind, text + data)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return sample(tmp_path_factory.mktemp("page"), hostile())


@pytest.fixture(scope="module")
def page(data: dict[str, Any]) -> str:
    return html(data)


@cache
def schema() -> Validator:
    """Vega-Lite's own, as its Python package carries it."""
    (path,) = Path(altair.__file__).parent.glob("vegalite/v6/schema/vega-lite-schema.json")
    found = json.loads(path.read_text())
    return validator_for(found)(found)


def faults(spec: dict[str, Any]) -> list[str]:
    return [error.message[:300] for error in schema().iter_errors(spec)]


def test_the_page_is_three_scripts_and_loads_nothing(page: str, data: dict[str, Any]) -> None:
    parts = Parts(page)
    assert [kind for kind, _ in parts.scripts] == ["application/json", None, None]
    assert json.loads(parts.scripts[0][1]) == json.loads(to_json(payload(data)))
    assert all(a.startswith(("#", "data:,")) for a in parts.addresses), parts.addresses
    assert "<link rel=stylesheet" not in page and "@import" not in page
    assert "url(" not in "".join((ASSETS / name).read_text() for name in STYLES)


def test_the_policy_lets_these_two_scripts_run_and_no_other(page: str) -> None:
    parts = Parts(page)
    named = set(re.findall(r"'sha256-([^']+)'", parts.policy))
    own = [base64.b64encode(hashlib.sha256(text.encode()).digest()) for _, text in parts.scripts]
    assert named == {digest.decode() for digest in own[1:]}
    directives = dict(part.strip().split(" ", 1) for part in parts.policy.split(";"))
    assert directives["default-src"] == "'none'" and "connect-src" not in directives
    assert "unsafe" not in directives["script-src"]
    assert "connect-src 'self';" in policy(["x"], served=True)


def test_no_name_ends_the_script_that_it_lies_in(page: str, data: dict[str, Any]) -> None:
    assert BAD not in page and "</script><script>window" not in page
    assert page.count("</script>") == 3 and "\u2028" not in Parts(page).scripts[0][1]
    wild = {"title": '"><script>window.pwned=1</script>{{data}}', "tables": {}}
    assert "<script>window" not in html({**data, **wild, "tables": data["tables"]})
    assert json.loads(to_json({"a": "</script>\u2028<!--\udcff"})) == {"a": "</script>\u2028<!--?"}
    with pytest.raises(ValueError):
        to_json({"a": float("nan")})


def test_own_scripts_are_small_rooms_and_write_no_markup() -> None:
    files = sorted(ASSETS.iterdir())
    assert {path.name for path in files} == {*SCRIPTS, *STYLES, "page.html"}
    for path in files:
        assert len(path.read_text().splitlines()) <= 300, f"{path} is too long to read at once"
    script = "".join((ASSETS / name).read_text() for name in SCRIPTS)
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert way not in script
    assert (
        "http:" not in script.replace("http://www.w3.org/2000/svg", "") and "https:" not in script
    )


def test_it_is_as_large_as_its_library_and_its_data(page: str, data: dict[str, Any]) -> None:
    own = len(page) - len(page_html.library()) - len(to_json(payload(data)))
    assert 50_000 < own < 200_000
    assert len(page_html.library()) > 500_000


def test_every_chart_is_one_by_the_schema_of_vega_lite(data: dict[str, Any]) -> None:
    made = charts(data)
    specs = [item["spec"] for item in (*made["front"], *made["curves"])]
    assert len(specs) > 10  # the hostile ones included
    for spec in (*specs, *made["templates"].values()):
        assert faults(spec) == []
    broken = json.loads(json.dumps(specs[0]))
    broken["layer"][0]["mark"]["type"] = "blob"
    assert faults(broken)


def test_the_front_has_all_points_their_intervals_and_the_stairs(tmp_path: Path) -> None:
    cheap, good, beaten = sat("a", 1.0, 1.46), sat("b", 10.0, 1.40), sat("c", 20.0, 1.45)
    made = collect([store(tmp_path, [cheap, good, beaten])], AXES, "t")
    (item,) = charts(made)["front"]
    assert item["source"] == "modelled:cpu_time" and item["rows"] == [0, 1, 2]
    layers = item["spec"]["layer"]
    points = layers[-1]["data"]["values"]
    assert [(p["algo"], p["x"], p["low"], p["high"], p["y"]) for p in points] == [
        ("a", 1.0, 0.2, 1.3, 1.46),
        ("b", 10.0, 2.0, 13.0, 1.40),
        ("c", 20.0, 4.0, 26.0, 1.45),
    ]
    assert points[0]["said_j"] == "1.00 J" and points[0]["known"] == "modelled (cpu_time)"
    assert points[0]["said_score"] == "1.4600 nats/byte"
    stairs = [(p["x"], p["y"]) for p in layers[2]["data"]["values"]]
    assert stairs[:-1] == [(1.0, 1.46), (10.0, 1.40)] and stairs[-1][0] > 26
    assert layers[0]["data"]["values"] == [{"bar": 1.47, "name": "bar 1.47"}]
    x = layers[-1]["encoding"]["x"]
    assert x["scale"]["type"] == "log" and x["axis"]["title"].endswith("modelled (cpu_time)")
    assert "less is better" in layers[-1]["encoding"]["y"]["axis"]["title"]


def test_curves_are_thin_with_a_median_or_drawn_by_themselves(tmp_path: Path) -> None:
    draws = [curve("a", [(j, 2.0), (4 * j, 1.0)]) for j in (1.0, 1.1, 1.2)]
    made = collect([store(tmp_path, [*draws, curve("b", [(1.0, 1.9), (2.0, 1.8)])])], AXES, "t")
    (item,) = charts(made)["curves"]
    thin, alone, medians = (item["spec"]["layer"][i]["data"]["values"] for i in (2, 3, 4))
    assert {p["name"] for p in thin} == {"a"} and len({p["run"] for p in thin}) == 3
    assert [(p["x"], p["y"]) for p in alone] == [(1.0, 1.9), (2.0, 1.8)]
    assert medians and {p["name"] for p in medians} == {"a"} and item["left_out"] == 0
    near = [1 + i / 100 for i in range(MOST_DRAWS + 2)]
    more = [curve("a", [(j, 2.0), (4 * j, 1.0)]) for j in near]
    (item,) = charts(collect([store(tmp_path / "many", more)], AXES, "t"))["curves"]
    assert (
        item["left_out"] == 2 and len(item["spec"]["layer"][2]["data"]["values"]) == 2 * MOST_DRAWS
    )
    assert item["rows"] == list(range(2 * len(more)))  # the CSV has them all


def test_an_algorithm_looks_the_same_in_all_charts(data: dict[str, Any]) -> None:
    made = charts(data)
    domains = [
        layer["encoding"]["color"]["scale"]["domain"]
        for item in (*made["front"], *made["curves"])
        for layer in item["spec"]["layer"]
        if "color" in layer["encoding"]
    ]
    longest = max(domains, key=len)
    assert {tuple(longest[: len(domain)]) == tuple(domain) for domain in domains} == {True}


def test_ticks_are_few_and_said_as_people_read_them() -> None:
    assert ticks(0.9, 12.0) == [1.0, 2.0, 5.0, 10.0]
    assert ticks(1e-6, 10.0) == [1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 1.0, 10.0]
    assert len(ticks(1e-12, 1e12)) <= 9 and ticks(3.1, 3.2) == [3.1]
    assert "' mJ'" in joule_words() and "' MJ'" in joule_words()
    assert known("measured:nvml") == "measured (nvml)" and known("x") == "x"


def test_a_packed_table_is_read_back() -> None:
    columns = {"a": {"levels": ["x"], "codes": [0, -1]}, "b": {"values": [1, None]}}
    assert rows({"rows": 2, "data": columns}) == [{"a": "x", "b": 1}, {"a": None, "b": None}]
    assert rows(None) == []


def test_a_page_without_records_is_one_as_well(tmp_path: Path) -> None:
    assert charts(collect([tmp_path], AXES, "t"))["front"] == []
    assert "bench run task=" in html(collect([tmp_path], AXES, "t"))


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    page_html.library.cache_clear()
    try:
        with pytest.raises(StoreError, match=r"pip install 'joulebench\[report\]'"):
            html({"title": "t"})
    finally:
        page_html.library.cache_clear()
