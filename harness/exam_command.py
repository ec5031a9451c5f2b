"""`bench exam`: begins one or goes on with it, shows its plan, or its verdict again."""

from __future__ import annotations

import shlex
import statistics
import sys
from pathlib import Path

from harness.errors import BadInputError
from harness.exam_sitting import Sitting, duration
from harness.found import sha256
from harness.run_command import Past
from reports import exam_runs
from reports.units import scaled
from reports.verdict import judge
from reports.verdict_lines import print_verdict, unfinished


def show_plan(sitting: Sitting) -> int:
    """What would be sat, and about how long and how many joules that takes by earlier runs."""
    print(f"exam      {sitting.folder}")
    print(
        f"pairs     {sitting.words.pairs}, and {sitting.words.extension} more if these leave it undecided"
    )
    sign = "≥" if sitting.target.direction == "max" else "≤"
    target = sitting.target
    print(f"target    {target.name} {sign} {target.value:.4g}, margin {target.margin:.4g}")
    past = [p for p in sitting.store.load(Past).records if p.status == "ok" and p.headline]
    pair_s, unknown = 0.0, []
    for name, config in sitting.configs.items():
        mine = sha256(config.task), sha256(config.algo)
        same = [p for p in past if (p.task.config_sha256, p.algorithm.config_sha256) == mine]
        spent = "no earlier run"
        if same:
            wall_s = statistics.median(sum(phase.wall_s for phase in p.phases) for p in same)
            joules = statistics.median(p.headline.energy_j["value"] for p in same if p.headline)
            pair_s += wall_s
            spent = f"about {wall_s:.1f} s a run, {scaled(joules, 'J')} per training, by {len(same)} earlier"
        else:
            unknown.append(name)
        print(f"{name:<9} {config.algo.name}, {sha256(config.algo)[:6]}: {spent}")
    rest = f", and {', '.join(unknown)} of unknown length" if unknown else ""
    pairs = sitting.words.pairs
    print(f"in all    about {duration(pairs * pair_s)} for {pairs} pairs{rest}. Nothing was run.")
    return 0


def show(name: str, results: str) -> int:
    """The verdict of an exam that has been sat, again from its Records."""
    folder = Path(results)
    runs, problems = exam_runs.load(folder)
    for problem in problems:
        print(f"bench: {problem}", file=sys.stderr)
    exam = exam_runs.collect(runs, exam_runs.find(runs, name, folder))
    verdict = judge(exam)
    if verdict is None:
        words = exam.first.settings.get("exam_words", [])
        print(f"{unfinished(exam)}bench exam {shlex.join(words)}")
        return 3
    print_verdict(verdict)
    return verdict.exit_code


def exam(words: list[str], dry: bool, fresh: bool, shown: str | None, results: str) -> int:
    """`bench exam` with its options."""
    if shown is not None:
        if words:
            raise BadInputError(f"--show takes an exam and no words ({words[0]})")
        return show(shown, results)
    sitting = Sitting(words, fresh)
    return show_plan(sitting) if dry else sitting.run()
