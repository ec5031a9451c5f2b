"""`bench check`: its files, its exit codes, its bad inputs, real runs, and the workflow that uses it."""

from __future__ import annotations

import json
import shlex
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import yaml

from harness import cli
from metrics.record import Record
from metrics.store import Store
from reports.baseline import read, write
from reports.gate import Rules, gate
from reports.gate_rows import sha256_of
from reports.gate_text import markdown, summary
from reports.junit import junit
from tests.conftest import TESTS, Bench
from tests.gate_records import (
    NVML,
    THEN,
    checked,
    rows_of_file,
    run,
    sample,
    save,
    scaled,
    verdicts,
)
from tests.scripted import sit
from tests.standin import script as standin
from tests.standin.script import Script

WORKFLOW = TESTS.parent / ".github" / "workflows" / "energy.yml"


def test_the_baseline_traces_every_figure_back(tmp_path: Path) -> None:
    records = sample(THEN)
    store = Store(save(tmp_path, records))
    write(tmp_path / "energy.json", store)
    (row,) = read(tmp_path / "energy.json").rows
    lines = store.path.read_bytes().splitlines()
    assert [s.sha256 for s in row.samples] == [sha256_of(line) for line in lines]
    assert row.runs == [record.run for record in records] and row.seeds == [0, 1, 2, 3, 4]
    assert row.words == ["task=toy", "algo=tiny"] and row.source == NVML
    assert row.boards == ["GPU-1"] and row.libraries["python"] == "3.11.7"
    for sample_ in row.samples:
        sample_.sha256 = ""
    assert row == rows_of_file(tmp_path)[0]  # the file has lost nothing


def test_junit_is_what_its_readers_take(tmp_path: Path) -> None:
    """By the schema of Ant, the strictest: names, order and required attributes."""
    model = {"source": NVML}
    then = sample(THEN) + sample(THEN, algo="<gone & \x07>") + sample(THEN, algo="close")
    now = (
        sample(scaled(1.2), **model) + sample(scaled(1.06), algo="close") + sample(THEN, algo="new")
    )
    found = checked(tmp_path, then, now)
    assert verdicts(found) == ["regression", "missing", "undecided", "new"]
    root = ET.fromstring(junit(found, read(tmp_path / "energy.json").rows))
    assert root.tag == "testsuites" and not root.attrib
    (suite,) = root
    wanted = {"name", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname"}
    assert set(suite.attrib) == wanted | {"id", "package"}
    totals = [suite.get(name) for name in ("tests", "failures", "errors", "skipped")]
    assert totals == ["4", "2", "0", "2"]
    tags = [child.tag for child in suite]
    assert tags == ["properties", *["testcase"] * 4, "system-out", "system-err"]
    cases = suite.findall("testcase")
    assert all(set(case.attrib) == {"classname", "name", "time"} for case in cases)
    assert [[child.tag for child in case] for case in cases] == [
        *(["failure"], ["failure"], ["skipped"], ["skipped"]),
    ]
    first = cases[0].find("failure")
    assert first is not None and set(first.attrib) == {"message", "type"}
    assert "+20.0 %" in first.attrib["message"] and "ratio: 1.200" in (first.text or "")
    assert cases[1].get("name") == "<gone & \ufffd> on toy"
    strict = gate(
        rows_of_file(tmp_path / "then"), rows_of_file(tmp_path / "now"), Rules(strict=True)
    )
    (suite,) = ET.fromstring(junit(strict, []))
    assert suite.get("failures") == "3" and suite.get("skipped") == "1"


def test_markdown_is_a_table(tmp_path: Path) -> None:
    then = sample(THEN, algo="a|b_*") + sample(THEN)
    found = checked(tmp_path, then, sample(scaled(1.2), algo="a|b_*") + sample(THEN))
    lines = markdown(found, read(tmp_path / "energy.json").rows).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 4
    assert {line.replace("\\|", "").count("|") for line in table} == {11}
    assert table[2].startswith("| a\\|b\\_\\* on toy |") and "**regression**" in table[2]
    assert any("measured:nvml on cpu: c x2" in line for line in lines)
    assert summary(found).startswith("REGRESSION: 1 of 2 rows fail")


# The command.


def test_the_command_and_its_exit_codes(
    bench: Bench, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(home / "summary.md"))
    assert "make Records with: bench run" in bench("check", "energy.json", code=2).stderr
    assert "there are no Records" in bench("check", "--write", "energy.json", code=2).stderr
    store = Store(save(home / "results", sample(THEN)))
    said = bench("check", "--write", "energy.json").stdout
    assert "5 runs, which scatter by 1.6 %" in said and "bench check energy.json --runs 5" in said
    assert "no Records but the baseline's own" in bench("check", "energy.json", code=2).stderr
    for record in sample(scaled(1.2)):
        store.append(record)
    files = ("--junit", "out/gate.xml", "--markdown", "out/gate.md")
    said = bench("check", "energy.json", *files, code=4).stdout
    assert "REGRESSION: 1 of 1 row fail" in said and "measured:nvml on cpu: c x2" in said
    assert ET.parse(home / "out" / "gate.xml").getroot().find(".//failure") is not None
    assert (home / "summary.md").read_text() == (home / "out" / "gate.md").read_text()
    save(home / "close", sample(scaled(1.06)))
    close = bench("check", "energy.json", "--results", "close")
    assert "warning: undecided" in close.stderr and "UNDECIDED: 1 of 1 row" in close.stdout
    bench("check", "energy.json", "--records", "close/records.jsonl", "--strict", code=3)
    bench("check", "energy.json", "--records", "close", "--margin", "0.1", "--strict")
    bench("check", "--write", "energy.json", "--records", "close")  # a baseline may be replaced
    assert read(home / "energy.json").rows[0].samples[0].energy_j == pytest.approx(1.06 * 98)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("energy.json --margin -1", "--margin -1: must be 0 to 10"),
        ("energy.json --margin nan", "--margin nan: must be"),
        ("energy.json --count-margin -1", "--count-margin -1: must be"),
        ("energy.json --alpha 0", "--alpha 0: must be above 0"),
        ("energy.json --runs 0", "--runs 0: must be 1 to 1000"),
        ("energy.json --runs 2 --records results", "say one of them"),
        ("energy.json --runs 1 algo=backprop", "the baseline says what runs"),
        ("energy.json seed=1", "words go to fresh runs; say --runs N"),
        ("energy.json --records none.jsonl", "there is no Records file none.jsonl"),
        ("energy.json --records other.jsonl", "a newer joulebench wrote it"),
        ("results/records.jsonl", "a Records file, not a baseline"),
        ("notes.txt", "is no baseline"),
        ("newer.json", "is of baseline version 2, this program reads 1"),
        ("alien.json", "is of Record schema version 9, this program reads 1"),
        ("empty.json", "holds no run and no count"),
        ("torn.json", "is damaged"),
        ("energy.json --junit notes.txt/x.xml", "name another file with --junit"),
        ("--write notes.txt", "exists and is no baseline"),
        ("--write energy.json --runs 2", "--write takes Records that exist"),
    ],
)
def test_bad_input(capsys: pytest.CaptureFixture[str], home: Path, words: str, says: str) -> None:
    store = Store(save(home / "results", sample(THEN)))
    write(home / "energy.json", store)
    for record in sample(THEN):
        store.append(record)
    good = json.loads((home / "energy.json").read_text())
    (home / "notes.txt").write_text("hello")
    (home / "newer.json").write_text(json.dumps(good | {"baseline_version": 2}))
    (home / "alien.json").write_text(json.dumps(good | {"record_schema_version": 9}))
    (home / "empty.json").write_text(json.dumps(good | {"rows": []}))
    (home / "torn.json").write_text(json.dumps(good | {"rows": [{"kind": "run"}]}))
    other = [run(1.0, schema_version=9)]
    (save(home / "o", other) / "records.jsonl").rename(home / "other.jsonl")
    assert cli.main(["check", *words.split()]) == 2
    said = capsys.readouterr().err
    assert says in said and said.startswith("bench: ") and said.count("\n") == 1


@pytest.fixture
def script(
    home: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Script:
    pytest.importorskip("pynvml", reason="needs joulebench[meters]")
    driver = standin.build(tmp_path_factory.mktemp("driver"))
    made = Script(home / "nvml", [standin.Board(period_s=0.02)])
    for name, value in standin.environment(made, driver).items():
        monkeypatch.setenv(name, value)
    return made


@pytest.mark.alone
def test_scripted_power_of_ten_per_cent_more_fails(
    bench: Bench, home: Path, script: Script
) -> None:
    """Real runs, each at a power of its own with a CV of 2 %, read through the driver."""
    powers = {"then": (98.0, 100.0, 102.0), "same": (101.4, 98.6), "more": (107.8, 110.0, 112.2)}
    for folder, watts in powers.items():
        for seed, power in enumerate(watts):
            words = ("task.k=1", "algo.seconds=0.8", f"seed={seed}", f"results={folder}")
            sit(script, "Solver", power, *words)
    bench("check", "--write", "energy.json", "--results", "then")
    assert "REGRESSION" not in bench("check", "energy.json", "--results", "same").stdout
    more = ("--results", "more", "--alpha", "0.1")  # three runs, on a machine that may be busy
    said = bench("check", "energy.json", *more, code=4).stdout
    assert "REGRESSION" in said and "measured:nvml" in said
    (one,) = gate(read(home / "energy.json").rows, rows_of_file(home / "more"), Rules()).findings
    assert one.ratio == pytest.approx(1.1, rel=0.03)


def test_fresh_runs_are_made_by_the_baselines_words(bench: Bench, home: Path) -> None:
    """Two runs and a count of real algorithms, then one command that makes and judges all anew."""
    words = ("task=sparse_parity", "algo=xor_elimination", "task.k=2")
    quick = ("repeats=8", "settle_s=0")
    bench("run", "-m", *words, *quick, "seed=3,4")
    bench("count", *words, "seed=5")
    bench("check", "--write", "energy.json")
    said = bench("check", "energy.json", "--runs", "3", "limits.train_s=60").stdout
    assert (
        "HOLDS: none of 2 rows fails" in said
        and "xor_elimination on sparse_parity, counted" in said
    )
    made = Store(home / "results").load(Record).records[3:]
    assert [(r.kind, r.draw.seed) for r in made] == [
        *(("run", 3), ("count", 5), ("run", 4), ("run", 3)),
    ]
    assert all(r.settings["limits"]["train_s"] == 60 for r in made)
    assert made[0].draw.repeats == 8 and made[0].task.config["k"] == 2
    content = json.loads((home / "energy.json").read_text())
    content["rows"][1]["counts"]["written_bytes"] -= 1
    (home / "energy.json").write_text(json.dumps(content))
    said = bench("check", "energy.json", code=4).stdout
    assert "bytes written" in said and "REGRESSION: 1 of 2 rows fail" in said


# The workflow.


def test_the_workflow_says_what_the_command_line_knows() -> None:
    workflow = yaml.safe_load(WORKFLOW.read_text())
    jobs = workflow["jobs"]
    assert jobs["exact"]["runs-on"] == "ubuntu-latest"
    assert jobs["measured"]["runs-on"] == ["self-hosted", "metered"]
    steps = [step for job in jobs.values() for step in job["steps"]]
    for step in steps:
        if "uses" in step:
            assert step["uses"].startswith("actions/")
            assert step["uses"].partition("@")[2].removeprefix("v").isdigit()
    lines = [line for step in steps for line in step.get("run", "").splitlines()]
    called = [shlex.split(line)[1:] for line in lines if line.startswith("bench ")]
    text = WORKFLOW.read_text()
    called += [
        shlex.split(line.removeprefix("#   bench "))
        for line in text.splitlines()
        if line.startswith("#   bench ")
    ]
    assert [words[0] for words in called].count("check") == 5
    top = cli.parser()
    for words in called:
        options, rest = top.parse_known_args(words)
        assert options.command == words[0] and not [w for w in rest if w.startswith("-")], words
    exact = next(
        words for words in called if "counts.json" in " ".join(words) and "--junit" in words
    )
    assert read(TESTS.parent / exact[1]).rows  # the baseline that it names is there
