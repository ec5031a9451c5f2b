"""What a verdict says, field by field: the schema of results/exams/NAME/verdict.json."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from metrics.paired import MET, OPEN, REFUTED
from reports.doubts import Tuning

PASS, FAIL, UNDECIDED, INDICATIVE = "PASS", "FAIL", "UNDECIDED", "INDICATIVE"
EXIT = {PASS: 0, FAIL: 4, UNDECIDED: 3, INDICATIVE: 3}
WORDS = {MET: PASS, OPEN: UNDECIDED, REFUTED: FAIL}
STATES = {MET: "met", OPEN: "open", REFUTED: "refuted"}


@dataclass(frozen=True)
class Condition:
    """One of the four. state: "met", "open" or "refuted". value, low, high, limit: for energy and wall
    ratios of candidate to baseline, for score by how much it is worse (in its unit), for target the
    candidate's median score, with the interval of its mean. level: of the interval, two-sided; each end
    by itself errs half as often, and the end that faces the limit decides. needed: pairs in all that
    would decide it with a power of 80 %, by what was seen; None where it is decided, or no number would."""

    name: str
    state: str
    value: float
    low: float
    high: float
    level: float
    limit: float
    needed: int | None = None


@dataclass(frozen=True)
class Side:
    """Medians of one side's runs. cold_j: setup, one training, one examination. ratio, low, high: an
    ablation's J per training against the candidate's (99 %)."""

    name: str
    algorithm: str
    config_sha256: str
    code_sha256: str
    runs: int
    failed: int
    energy_j: float | None
    cold_j: float | None
    wall_s: float | None
    score: float | None
    tuning: Tuning
    ratio: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Verdict:
    """All that is said of an exam; results/exams/NAME/verdict.json holds these fields.

    word: PASS, FAIL, UNDECIDED or INDICATIVE. source: of the joules, as in "modelled:cpu_time". reasons:
    why the word is not PASS. pairs: on which it rests, of `planned` until this look; look: its number of
    `looks`. effect, effect_low, effect_high: energy ratio with its 99 % interval. bound: what its upper
    end must be below, 1 unless systematic errors differ between the sides. saving_detectable: least saving
    that so many pairs of this scatter would have shown, with a power of 80 %. pairs_needed: in all, for
    what is open; None where nothing is, or no number would do. cold_ratio ...: of cold joules, at the level
    of the energy condition;
    cold_word: the word that they would give. scatter: standard deviation of the log ratio of energy.
    """

    exam: str
    word: str
    source: str
    reasons: list[str]
    task: str
    variant: str
    bar: float | None
    score_name: str
    score_unit: str
    direction: str
    device: str
    conditions: list[Condition]
    pairs: int
    planned: int
    look: int
    looks: int
    more: int
    effect: float | None
    effect_low: float | None
    effect_high: float | None
    bound: float
    scatter: float | None
    saving_detectable: float | None
    pairs_needed: int | None
    cold_ratio: float | None
    cold_low: float | None
    cold_high: float | None
    cold_word: str
    candidate: Side
    baseline: Side
    ablations: list[Side]
    notes: list[str]
    runs: list[str]
    words: list[str]

    @property
    def exit_code(self) -> int:
        return EXIT[self.word]


def plain(value: Any) -> Any:
    """Without what JSON has no word for: what is infinite or not a number is None."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write(verdict: Verdict, folder: Path) -> Path:
    """folder/verdict.json: the fields of Verdict, `plain`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "verdict.json"
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(plain(asdict(verdict)), indent=2, ensure_ascii=False) + "\n")
    partial.replace(path)
    return path
