"""`bench check`: writes a baseline, makes fresh runs where that is asked for, and holds them against it."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import BadInputError
from metrics.record import COUNT
from metrics.store import FILE, Store, StoreError
from reports.baseline import Baseline, load, read, write
from reports.gate import Gate, Rules, gate
from reports.gate_lines import Line
from reports.gate_rows import Row, rows_of
from reports.gate_text import markdown, print_gate
from reports.junit import junit

SUMMARY = "GITHUB_STEP_SUMMARY"  # where a job of GitHub Actions takes Markdown


@dataclass(frozen=True)
class Outputs:
    """Files to write besides the table."""

    markdown: str | None = None
    junit: str | None = None


def called(options: argparse.Namespace) -> int:
    """The command, as the command line gives it."""
    path, store = Path(options.baseline), store_of(options.results, options.records)
    if options.runs is not None and options.records is not None:
        raise BadInputError("--runs makes fresh Records, --records reads old ones; say one of them")
    if not options.write:
        rules = Rules(
            options.margin, options.alpha, options.count_margin, options.modelled, options.strict
        )
        outputs = Outputs(options.markdown, options.junit)
        return check(path, store, rules, outputs, options.runs, options.words)
    if options.runs is not None or options.words:
        raise BadInputError(
            f"--write takes Records that exist; make some with bench run, then: bench check --write {path}"
        )
    return baseline(path, store)


def check(
    path: Path,
    store: Store,
    rules: Rules,
    outputs: Outputs,
    runs: int | None = None,
    words: Sequence[str] = (),
) -> int:
    """Holds the Records of the store, or `runs` fresh ones of every row, against the baseline at `path`."""
    check_rules(rules)
    baseline = read(path)
    if words and runs is None:
        raise BadInputError(
            f"{' '.join(words)}: words go to fresh runs; say --runs N, or make runs with bench run and check "
            "their folder with --results DIR"
        )
    if runs is None:
        fresh = [line for line in load(store) if line.run not in baseline.runs]
        if not fresh:
            raise StoreError(
                f"{store.path} holds no Records but the baseline's own; make fresh ones with: "
                f"bench check {path} --runs 5"
            )
    else:
        fresh = make(baseline, store, runs, words)
    found = gate(baseline.rows, rows_of(fresh), rules)
    print_gate(found, baseline.rows)
    write_files(found, baseline, outputs)
    return found.exit_code


def check_rules(rules: Rules) -> None:
    """Bounds of the numbers that the command line takes."""
    for name, value in (("margin", rules.margin), ("count-margin", rules.count_margin)):
        if not 0 <= value <= 10:
            raise BadInputError(
                f"--{name} {value:g}: must be 0 to 10; 0.05 lets five per cent through"
            )
    if not 0 < rules.alpha <= 0.5:
        raise BadInputError(f"--alpha {rules.alpha:g}: must be above 0 and at most 0.5")


def store_of(results: str, records: str | None) -> Store:
    """The Records of a folder, or of one file."""
    if records is None:
        return Store(results)
    path = Path(records)
    if path.is_dir():
        return Store(path)
    if not path.exists():
        raise BadInputError(
            f"there is no Records file {path}; bench run makes {FILE} in results=DIR"
        )
    store = Store(path.parent)
    store.path = path
    return store


def baseline(path: Path, store: Store) -> int:
    """Writes the baseline of all Records of the store, and says what it can see."""
    made = write(path, store)
    for row in made.rows:
        left = f"; {row.left_out} runs of earlier code left out" if row.left_out else ""
        print(f"{row.label}: {_told(row)}{left}")
    rows = "1 row" if len(made.rows) == 1 else f"{len(made.rows)} rows"
    runs = 1 if all(row.kind == COUNT for row in made.rows) else 5
    print(f"{rows} written to {path}; commit it, and hold later runs against it with:")
    print(f"  bench check {path} --runs {runs}")
    return 0


def _told(row: Row) -> str:
    if row.kind == COUNT:
        assert row.counts
        return f"{sum(row.counts.operations.values()):,} operations counted, exact"
    logs = [math.log(s.joules_per_accuracy) for s in row.samples if s.joules_per_accuracy]
    mean = sum(logs) / len(logs)
    cv = math.sqrt(sum((x - mean) ** 2 for x in logs) / (len(logs) - 1))
    return (
        f"{math.exp(mean):.4g} J per accuracy over {len(logs)} runs, which scatter by {100 * cv:.1f} %; "
        f"{row.source}"
    )


def make(baseline: Baseline, store: Store, runs: int, words: Sequence[str]) -> list[Line]:
    """Fresh runs by the baseline's own words, row by row in rounds, so that a drift within them meets all
    rows alike; counts once. Returns their Records; raises BadInputError where they were interrupted."""
    from harness.count_command import count
    from harness.run_command import run

    if not 1 <= runs <= 1000:
        raise BadInputError(f"--runs {runs}: must be 1 to 1000")
    for word in words:
        if word.startswith(("task=", "algo=", "seed=", "results=")):
            raise BadInputError(
                f"{word}: the baseline says what runs; --results DIR is where, other fields can be set"
            )
    before = {line.run for line in store.load(Line).records}
    for turn in range(runs):
        for row in baseline.rows:
            if row.kind == COUNT and turn:
                continue
            seed = row.seeds[turn % len(row.seeds)]
            line = [*row.words, *words, f"seed={seed}", f"results={store.folder}"]
            code = count(line, False) if row.kind == COUNT else run(line, False, False)
            made = store.load(Line).records[-1:] if code else []
            if made and made[0].status == "interrupted":
                raise BadInputError("interrupted: nothing was checked; finished runs are kept")
    return [line for line in load(store) if line.run not in before]


def write_files(found: Gate, baseline: Baseline, outputs: Outputs) -> None:
    """Markdown and JUnit where they are asked for; in GitHub Actions the job's summary as well."""
    text = markdown(found, baseline.rows)
    wanted = [(outputs.markdown, text.encode(), "wb", "--markdown")]
    wanted.append((outputs.junit, junit(found, baseline.rows), "wb", "--junit"))
    wanted.append((os.environ.get(SUMMARY), text.encode(), "ab", SUMMARY))
    for path, content, mode, option in wanted:
        if not path:
            continue
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            with Path(path).open(mode) as file:
                file.write(content)
        except OSError as error:
            raise StoreError(
                f"cannot write {path} ({error.strerror}); name another file with {option}"
            ) from None
    for one in found.undecided:
        print(f"bench: warning: undecided: {one.label}", file=sys.stderr)
