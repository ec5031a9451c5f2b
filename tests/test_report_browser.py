"""The page in a real browser: it renders, sorts, filters, opens, stays quiet, and loads nothing."""

from __future__ import annotations

import csv
import io
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from metrics.store import Store
from reports.page.data import Collector, collect
from reports.page.html import html, payload, to_json
from tests.browser import chromium, installed
from tests.pages import AXES, BAD, EXAM, HOSTILE, hostile, many, sample
from tests.papers import sat
from tests.test_export import store

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(installed() is None, reason="no chromium is installed"),
]
SECTIONS = ["verdicts", "board", "front", "curves", "traces", "cube", "trust", "runs", "films"]
Open = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as made:
        yield made


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return sample(tmp_path_factory.mktemp("records"))


@pytest.fixture(scope="module")
def file(made: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(html(made))
    return path


@pytest.fixture(scope="module")
def wild(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page whose every name was made to break it."""
    folder = tmp_path_factory.mktemp("wild")
    path = folder / "wild.html"
    path.write_text(html(sample(folder / "records", hostile())))
    return path


@pytest.fixture
def show(browser: Any) -> Iterator[Open]:
    """Opens a page; at the end no error may have been said, and nothing may have been asked for."""
    contexts, said, asked = [], [], []

    def call(path: Path | str, width: int = 1200, served: bool = False, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(8000)
        page.on("console", lambda m: m.type in ("error", "warning") and said.append(m.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        url = path if isinstance(path, str) else path.as_uri()
        own = url.partition("#")[0]

        def handle(route: Any) -> None:
            target = route.request.url
            if target.startswith((own, "data:", "blob:")):
                route.continue_()
            else:
                asked.append(target)
                route.abort()

        context.route("**/*", handle)
        page.goto(url)
        page.wait_for_selector("table.runs tbody")
        return page

    yield call
    for context in contexts:
        context.close()
    assert said == [] and asked == []


def column(page: Any, name: str) -> list[str]:
    """What stands in a column of the runs that exist."""
    script = """name => { const i = [...document.querySelectorAll('table.runs th[data-column]')]
        .findIndex(th => th.dataset.column === name);
        return [...document.querySelectorAll('tr[data-run]')].map(tr => tr.children[i].textContent); }"""
    found: list[str] = page.evaluate(script, name)
    return found


def press(page: Any, name: str) -> None:
    page.click(f'table.runs th[data-column="{name}"] button')


def see(page: Any, section: str) -> None:
    """Scrolls there, so that its charts are drawn."""
    page.evaluate(
        "id => document.getElementById(id).scrollIntoView({behavior: 'instant'})", section
    )


def until(page: Any, script: str, what: Any = None, within_s: float = 8.0) -> None:
    """Waits for a script to be true; Playwright's own way needs an eval, which the page forbids."""
    end = time.monotonic() + within_s
    while not page.evaluate(script, what):
        assert time.monotonic() < end, script
        page.wait_for_timeout(20)


def test_every_part_is_there_and_its_charts_are_drawn(file: Path, show: Open) -> None:
    page = show(file)
    assert page.title() == "A page" and page.inner_text("h1") == "A page"
    assert page.eval_on_selector_all("main > section", "all => all.map(n => n.id)") == SECTIONS
    for name in ("front", "curves", "traces"):
        see(page, name)
        page.wait_for_selector(f"#{name} .vega svg path")
    text = page.inner_text("main")
    assert "This part cannot be shown" not in text and "cannot be drawn" not in text
    assert "bench run task=" in page.inner_text("#cube .to-fill code")
    assert page.get_attribute("#front .chart", "aria-label").startswith("Energy per training")
    assert page.locator("#front [role='graphics-document']").count() == 1


def test_verdicts_say_word_ratio_interval_and_conditions(file: Path, show: Open) -> None:
    page = show(file)
    card = page.locator("article.verdict", has_text="PASS").first
    text = card.inner_text().replace("\u00a0", " ")
    assert "×0.0770" in text and "0.0725 … 0.0818 (99 %)" in text and "modelled · cpu_time" in text
    assert re.search(r"energy\s+ratio below 1\s+0.077\s+0.0725 … 0.0818, 99 %\s+✓\s*met", text)
    assert "1 is equal" in card.locator("svg.forest").get_attribute("aria-label")
    card.locator("summary").click()
    assert EXAM in card.inner_text() and "bench exam task=" in card.locator("code").inner_text()
    card.get_by_role("button", name="1 run of this exam").click()
    assert column(page, "algo") == ["ngram"]
    begun = page.locator("article.verdict", has_text="not finished")
    assert "of 10 pairs are sat" in begun.inner_text()


def test_joules_that_no_sensor_read_are_marked(file: Path, show: Open) -> None:
    page = show(file)
    for source, joules in zip(column(page, "source"), column(page, "energy_j"), strict=True):
        assert ("modelled" in joules) == (source.startswith("modelled") and joules != "–")
    assert any(source == "measured · nvml" for source in column(page, "source"))
    assert page.locator("#known").inner_text().count("runs") == 1
    heads = page.eval_on_selector_all("#board th", "all => all.map(n => n.textContent)")
    assert any("training, modelled" in head for head in heads)
    assert any("training, measured" in head for head in heads)


def test_runs_are_sorted_by_a_press_and_filtered_by_words(file: Path, show: Open) -> None:
    page = show(file)
    runs = column(page, "run")
    assert runs == sorted(runs, reverse=True)
    press(page, "algo")
    assert column(page, "algo") == sorted(column(page, "algo"))
    head = page.locator('table.runs th[data-column="algo"]')
    assert head.get_attribute("aria-sort") == "ascending"
    press(page, "algo")
    assert column(page, "algo") == sorted(column(page, "algo"), reverse=True)
    assert head.get_attribute("aria-sort") == "descending"
    press(page, "energy_j")
    joules = column(page, "energy_j")
    assert joules[0].replace("\u00a0", " ") == "modelled 200 mJ" and joules[-1] == "–"
    page.fill("#runs-words", "NGRAM tinysh")
    assert set(column(page, "algo")) == {"ngram"}
    count = page.inner_text("#runs .count")
    assert count == f"{len(column(page, 'run'))} of {len(runs)} runs"
    page.select_option("#runs .picker:has-text('Kind') select", "curve")
    assert set(column(page, "kind")) == {"curve"} and len(column(page, "run")) == 3
    page.fill("#runs-words", "no such words")
    assert "No run has all of these words" in page.inner_text("table.runs")
    page.fill("#runs-words", "")
    page.select_option("#runs .picker:has-text('Kind') select", "")
    page.check("#runs input[type=checkbox]")
    assert len(page.query_selector_all("table.runs th[data-column]")) > 50


def test_a_run_opens_with_all_that_is_known_of_it(
    file: Path, made: dict[str, Any], show: Open
) -> None:
    run = next(iter(made["traces"]))
    page = show(f"{file.as_uri()}#run={run}")  # a link goes there
    page.wait_for_selector("#detail .part")
    text = page.inner_text("#detail").replace("\u00a0", " ")
    assert "ngram on nanogpt" in text and "J per training, modelled" in text
    for told in (
        "80.0 … 520 mJ",
        "modelled · cpu_time",
        "nonce",
        "configuration",
        EXAM,
        "Identity",
    ):
        assert told in text, told
    page.wait_for_selector("#detail .vega svg path")  # its power
    assert page.locator("#detail .film").count() == 3
    page.click("#detail summary:has-text('As JSON')")
    assert f'"run": "{run}"' in page.inner_text("#detail pre")
    page.keyboard.press("Escape")
    until(page, "() => !document.getElementById('detail').open && !location.hash")
    page.fill("#runs-words", "ppm")
    press(page, "status")
    page.click("tr[data-run] >> nth=0")
    page.wait_for_selector("#detail .part")
    assert "the algorithm refused" in page.inner_text("#detail")
    page.click("#detail button[aria-label='The run below in the table']")
    page.wait_for_selector("#detail .tile")
    assert "the clock was set" in page.inner_text("#detail")
    page.evaluate("location.hash = '#run=none'")
    page.wait_for_selector("#detail .empty")
    assert "no run of this name" in page.inner_text("#detail")


def test_all_of_it_by_keyboard(file: Path, show: Open) -> None:
    page = show(file)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#verdicts"
    page.focus("tr[data-run] a[tabindex='0']")
    assert page.locator("tr[data-run] a[tabindex='0']").count() == 1
    runs = column(page, "run")
    at = "document.activeElement.textContent"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.evaluate(at) == runs[2]
    page.keyboard.press("End")
    assert page.evaluate(at) == runs[-1]
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    page.wait_for_selector("#detail[open] .part")
    page.keyboard.press("Escape")
    assert page.evaluate(at) == runs[0]
    page.focus("#cube .hole >> nth=1")
    page.keyboard.press("Enter")
    assert page.get_attribute("#cube .hole >> nth=1", "aria-pressed") == "true"


def test_on_a_phone_the_page_does_not_scroll_sideways(wild: Path, show: Open) -> None:
    page = show(wild, width=390)
    for name in SECTIONS:
        see(page, name)
        page.wait_for_timeout(60)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
    page.click("tr[data-run] a >> nth=0")
    page.wait_for_selector("#detail .part")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate("document.getElementById('detail').scrollWidth") <= 390


def test_names_are_shown_as_text_and_nothing_runs(wild: Path, show: Open) -> None:
    page = show(wild, reduced_motion="reduce")  # so that it stands still where it was scrolled to
    for name in SECTIONS:
        see(page, name)
        page.wait_for_timeout(80)
    seen = page.evaluate(
        "[...document.querySelectorAll('#runs select')].map(s => s.textContent).join()"
    )
    assert all(text[:50] in seen for text in HOSTILE[:3])
    page.fill("#runs-words", "onerror")
    assert BAD in column(page, "algo")
    for run in (BAD, "__proto__", "#run=a b%"):
        page.evaluate("run => { location.hash = 'run=' + encodeURIComponent(run); }", run)
        until(page, "run => document.querySelector('#detail .run-name').textContent === run", run)
        page.wait_for_selector("#detail .part")
        assert "x on nanogpt" in page.inner_text("#detail h2")
    page.keyboard.press("Escape")
    boards = page.locator("#front select")
    (name,) = [v for v in boards.locator("option").all_inner_texts() if v.startswith(BAD)]
    boards.select_option(label=name)
    page.wait_for_selector("#front .vega g.mark-symbol path")
    for _ in range(40):  # it moves once more when it has its width
        page.hover("#front .vega g.mark-symbol path >> nth=0", force=True)
        if BAD in page.locator("#tip").inner_text():
            break
        page.mouse.move(0, 0)
    assert BAD in page.inner_text("#tip")
    assert page.evaluate("window.pwned") is None
    assert page.evaluate("document.scripts.length") == 3
    assert page.locator("main img[src='x']").count() == 0


def test_dark_and_light_by_the_system_and_by_a_press(file: Path, show: Open) -> None:
    page = show(file, color_scheme="dark")
    see(page, "front")
    fill = "getComputedStyle(document.querySelector('#front .vega svg .role-axis-label text')).fill"
    page.wait_for_selector("#front .vega svg .role-axis-label text")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark, letters = page.evaluate(ground), page.evaluate(fill)
    assert dark == "rgb(19, 21, 23)"
    page.click("#theme")  # from system to light
    until(page, f"{ground} === 'rgb(251, 251, 249)'")
    see(page, "front")
    until(page, f"{fill} !== '{letters}'")  # the chart was drawn again
    page.click("#theme")
    assert page.evaluate(ground) == dark and "Dark" in page.inner_text("#theme")
    page.reload()
    assert "Dark" in page.inner_text("#theme")


def test_figures_are_saved_as_csv(file: Path, made: dict[str, Any], show: Open) -> None:
    page = show(file)

    def saved(button: str) -> list[dict[str, str]]:
        with page.expect_download() as download:
            page.click(button)
        text = Path(download.value.path()).read_bytes().decode("utf-8-sig")
        assert text.endswith("\r\n")
        return list(csv.DictReader(io.StringIO(text, newline="")))

    page.fill("#runs-words", "ngram")
    rows = saved("#runs .csv")
    assert [row["run"] for row in rows] == column(page, "run")
    assert set(rows[0]) == {c["name"] for c in made["tables"]["runs"]["columns"]}
    front = saved("#front figcaption .csv")
    assert {row["algo"] for row in front} == {"ngram", "backprop", "mixer", "ppm"}
    assert {row["source"] for row in front} == {"modelled:cpu_time"}
    assert len(saved("#curves figcaption .csv")) == 3 * 3 + 2
    trace = saved("#traces figcaption .csv")
    assert [row["gpu0_w"] for row in trace] == ["50", "200", "", "60"]
    assert len(saved("#cube .csv")) == made["tables"]["cube"]["rows"]


def test_a_csv_holds_no_formula(wild: Path, show: Open) -> None:
    page = show(wild)
    with page.expect_download() as download:
        page.click("#runs .csv")
    text = Path(download.value.path()).read_bytes().decode("utf-8-sig")
    algos = {row["algo"] for row in csv.DictReader(io.StringIO(text, newline=""))}
    assert {"'=HYPERLINK(1)", BAD, '\'-1\r\n"quoted", twice', "n" * 1000} <= algos


def test_ten_thousand_rows_are_sorted_and_filtered_as_they_should(
    made: dict[str, Any], tmp_path: Path, show: Open
) -> None:
    path = tmp_path / "many.html"
    data = many(made, 10_000)
    path.write_text(html(data))
    page = show(path)
    see(page, "runs")
    assert page.inner_text("#runs .count") == "10,000 runs"
    assert len(page.query_selector_all("tr[data-run]")) < 60
    table = data["tables"]["runs"]["data"]
    by_joules = sorted(range(10_000), key=table["energy_j"]["values"].__getitem__)
    names = table["run"]["values"]
    press(page, "energy_j")
    assert column(page, "run")[:20] == [names[i] for i in by_joules[:20]]
    page.evaluate(
        "() => { const b = document.querySelector('.runs-box'); b.scrollTop = b.scrollHeight; }"
    )
    until(
        page,
        "n => document.querySelector('tr[data-run]:nth-last-child(2)').dataset.run === n",
        names[by_joules[-1]],
    )
    assert column(page, "run")[-20:] == [names[i] for i in by_joules[-20:]]
    word = "0123"
    page.fill("#runs-words", f"{word} ngram")
    algos = [table["algo"]["levels"][code] for code in table["algo"]["codes"]]
    wanted = [i for i in by_joules if word in names[i] and algos[i] == "ngram"]
    assert page.inner_text("#runs .count") == f"{len(wanted)} of 10,000 runs" and len(wanted) > 3
    assert column(page, "run")[:10] == [names[i] for i in wanted[:10]]
    measures = "performance.getEntriesByType('measure').map(e => e.name)"
    assert {"runs-sort", "runs-filter"} <= set(page.evaluate(measures))


def test_films_rest_where_no_motion_is_wanted(file: Path, show: Open) -> None:
    page = show(file, reduced_motion="reduce")
    film = page.locator("#films .film").first
    assert film.locator("canvas").count() == 1 and film.locator("img").count() == 0
    film.get_by_role("button", name="Play").click()
    assert film.locator("img").get_attribute("alt").startswith("Film film.gif of ngram")
    film.get_by_role("button", name="Pause").click()
    assert film.locator("canvas").count() == 1
    moving = show(file).locator("#films .film").first
    assert moving.get_by_role("button", name="Pause").count() == 1


def test_without_records_it_says_how_to_make_one(tmp_path: Path, show: Open) -> None:
    path = tmp_path / "empty.html"
    path.write_text(html(collect([tmp_path], AXES, "Nothing yet")))
    page = show(path)
    assert "bench run task=sparse_parity" in page.inner_text("#known")
    for name in ("verdicts", "board", "front", "curves", "traces", "films"):
        assert page.inner_text(f"#{name} .command code").startswith("bench ")
    assert "There are no Records yet" in page.inner_text("#runs table")


def test_a_served_page_takes_new_records_and_keeps_its_place(tmp_path: Path, show: Open) -> None:
    from harness.report_server import Page, Server

    folder = store(tmp_path / "r", [sat(name, 1.0) for name in ("ngram", "ppm") for _ in range(40)])
    collector = Collector([folder], AXES, "Live")
    server = Server(0, Page(collector, 0.2, html, lambda data: to_json(payload(data))))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        page = show(server.url, served=True)
        page.fill("#runs-words", "ngram")
        press(page, "energy_j")
        page.evaluate("document.querySelector('.runs-box').scrollTop = 300")
        page.click("tr[data-run] a >> nth=12")
        page.wait_for_selector("#detail .part")
        assert page.inner_text("#live") == "● live"
        Store(folder).append(sat("ngram", 9.0))
        until(page, "document.querySelector('#runs .count').textContent.startsWith('41 of 81')")
        assert page.locator("#detail[open] .part").count() > 3
        page.keyboard.press("Escape")
        assert page.input_value("#runs-words") == "ngram"
        head = page.locator('table.runs th[data-column="energy_j"]')
        assert head.get_attribute("aria-sort") == "ascending"
        assert page.evaluate("document.querySelector('.runs-box').scrollTop") == 300
        assert "9.00" in page.inner_text("#board") or "1.00" in page.inner_text("#board")
    finally:
        server.shutdown()
        server.server_close()
