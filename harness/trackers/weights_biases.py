"""Weights & Biases: the parent's side. All of wandb runs in another process (`wandb_process`).

On whose bill is it? cpu_time meters the worker's process tree alone, of which this is no part; a GPU's
counter sees a GPU, which it does not touch. RAPL, a plug and a battery see the whole processor: with
these, and offline, where nobody could look anyway, samples are held back in this process until the last
metered window has closed, and the other one sleeps meanwhile. It starts before the first window, ends
before the device goes to the next run, and tells its CPU seconds. live=true and live=false decide
otherwise; at most one message a second goes over. wandb's own service sends a heartbeat every 30 s in
online mode whatever is decided here.
"""

from __future__ import annotations

import math
import re
import shlex
import sys
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from harness.errors import BadInputError
from harness.trackers import keys
from harness.trackers.aside import Aside
from harness.trackers.base import Facts, Sample, Tracker, TrackerError
from metrics.record import Record, encode

MODULE = "harness.trackers.wandb_process"
INSTALL = "pip install 'joulebench[wandb]'"
MODES = ("auto", "online", "offline")
OFF_THE_BILL = {"cpu_time", "nvml"}  # meters that cannot see a process which is no worker's
BEGIN_S = 60.0
MOST = {"project": 128, "entity": 128, "group": 128, "name": 128, "tags": 64}  # letters W&B takes
NOT_IN_PROJECTS = r"[/\\#?%:]"

_shared: Aside | None = None


def shared() -> Aside:
    """The one process of this command, started at the first call and where the last one was lost."""
    global _shared
    if _shared is None or not _shared.alive:
        _shared = Aside(MODULE)
    return _shared


@dataclass
class WeightsBiases(Tracker):
    """A W&B run for every run of ours, with the same id.

    A search's trials and an exam's runs are W&B runs too, in a group by the name of search or exam, their
    job type the stage or side: so W&B's own panels for sweeps work on them. Fields: as in the yaml.
    """

    project: str | None = None
    entity: str | None = None
    group: str | None = None
    tags: list[str] | str = field(default_factory=list)
    name: str | None = None
    mode: str = "auto"
    live: str | bool = "auto"
    wait_s: float = 60.0

    def __post_init__(self) -> None:
        self.tags = [self.tags] if isinstance(self.tags, str) else self.tags
        self._check()
        if find_spec("wandb") is None:
            raise BadInputError(f"tracker=wandb needs wandb, which is not installed: {INSTALL}")
        try:
            self.found = shared().hello
        except TrackerError as error:
            raise BadInputError(f"tracker=wandb cannot start: {error}") from None
        if problem := self.found.get("problem"):
            raise BadInputError(f"tracker=wandb: {problem}")
        self.choice, self.why = self._mode()
        self.dropped_before = 0
        self.begun: dict[str, Any] = {}
        self.modelled: bool | None = None

    def _check(self) -> None:
        for name in ("project", "entity", "group", "name"):
            text = getattr(self, name)
            if text is not None and not 1 <= len(text) <= MOST[name]:
                raise BadInputError(
                    f"tracker.{name}={shortened(text, 40)}: must have 1 to {MOST[name]} letters, "
                    f"not {len(text)}"
                )
        for name in ("project", "entity"):
            if bad := re.search(NOT_IN_PROJECTS, getattr(self, name) or ""):
                raise BadInputError(
                    f"tracker.{name}={getattr(self, name)}: W&B takes no {bad[0]!r}"
                )
        for tag in self.tags:
            if not 1 <= len(tag) <= MOST["tags"]:
                raise BadInputError(
                    f"tracker.tags: {shortened(tag, 40)!r} must have 1 to {MOST['tags']} letters"
                )
        if self.mode not in MODES:
            raise BadInputError(f"tracker.mode={self.mode}: must be one of: {', '.join(MODES)}")
        if self.live not in (True, False, "auto"):
            raise BadInputError(f"tracker.live={self.live}: must be one of: auto, true, false")
        if not 0 < self.wait_s < math.inf:
            raise BadInputError(f"tracker.wait_s={self.wait_s:g}: must be above 0")

    def _mode(self) -> tuple[str, str]:
        """online, offline or disabled, and why."""
        said, by = self.mode, "tracker.mode"
        if said == "auto":
            said, by = self.found["mode"] or "auto", "WANDB_MODE"
        if said == "disabled":
            return said, f"{by}=disabled"
        if said in ("offline", "dryrun"):
            return "offline", f"{by}={said}"
        if self.found["key"]:
            return "online", ""
        if said != "auto":
            raise BadInputError(
                f"{by}={said} needs a key: say wandb login, or set WANDB_API_KEY; without one: "
                "tracker.mode=offline"
            )
        return "offline", "no key"

    def wants_live(self, facts: Facts) -> bool:
        if isinstance(self.live, bool):
            return self.live
        return self.begun.get("mode") == "online" and set(facts.meters) <= OFF_THE_BILL

    def begin(self, facts: Facts) -> None:
        if self.choice == "disabled":
            return
        self.modelled = facts.modelled
        name = self.name or " ".join(
            filter(None, [facts.task, facts.algo, f"seed {facts.seed}", facts.part])
        )
        process = shared()
        self.dropped_before = process.dropped
        told = {
            "do": "begin",
            "mode": self.choice,
            "why": self.why,
            "folder": str(facts.folder.absolute()),
            "config": facts.config,
            "init": {
                "id": facts.run,
                "project": self.project or self.found["project"] or "joulebench",
                "entity": self.entity,
                "group": self.group or (facts.group and shortened(facts.group, MOST["group"])),
                "job_type": facts.part or facts.kind,
                "tags": self.tags or None,
                "name": shortened(name, MOST["name"]),
            },
        }
        self.begun = self._answer(told, BEGIN_S)

    def watch(self, samples: list[Sample]) -> None:
        if self.begun and samples:
            rows = [keys.sample(sample, self.modelled) for sample in samples]
            shared_process().offer({"do": "log", "rows": rows})

    def finish(self, record: Record) -> list[str]:
        if not self.begun:
            return [f"tracked   not at all: {self.why}"]
        done = self._answer(b'{"do": "finish", "record": ' + encode(record) + b"}", self.wait_s)
        lines = [f"bench: tracker=wandb: {problem}" for problem in done["problems"]]
        if dropped := shared_process().dropped - self.dropped_before:
            lines.append(f"bench: tracker=wandb: {dropped} messages with samples were dropped")
        cost = f"the tracker's own {done['cpu_s']:.2f} CPU-s are on no bill"
        if done["mode"] == "online":
            return [*lines, f"tracked   {done['url']} ({cost})"]
        return [*lines, f"tracked   offline ({done['why']}); {cost}; send it with: {self._sync()}"]

    def fail(self, why: str) -> None:
        if self.begun:
            self._answer({"do": "fail", "why": why}, self.wait_s)

    def _answer(self, message: dict[str, Any] | bytes, within_s: float) -> dict[str, Any]:
        """The other process's answer; what went wrong there or on the way is raised with the way out."""
        try:
            answer = shared_process().ask(message, within_s)
        except TrackerError as error:
            raise TrackerError(f"{error}{self._rest()}") from None
        except KeyboardInterrupt:
            shared_process().kill()
            print(f"tracked   not to its end{self._rest()}", file=sys.stderr)
            raise
        if answer["is"] == "error":
            raise TrackerError(f"{answer['text']}{self._rest()}")
        return answer

    def _rest(self) -> str:
        return f"; what it had written can be sent with: {self._sync()}" if self.begun else ""

    def _sync(self) -> str:
        online = "--include-online " if self.begun["mode"] == "online" else ""
        return f"wandb sync {online}{shlex.quote(self.begun['dir'])}"


def shared_process() -> Aside:
    """The process that follows this run, alive or lost: a new one would know nothing of it."""
    assert _shared is not None
    return _shared


def shortened(text: str, most: int) -> str:
    """In one line of printable letters, cut with an ellipsis."""
    plain = "".join(c if c.isprintable() else " " for c in text)
    return plain if len(plain) <= most else plain[: most - 1] + "…"
