"""The axes of the cube: what each place is, and what fills a cell that is empty."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any

from reports.metrics_audit import GPU_SENSORS
from reports.metrics_lines import MOVED, OPERATIONS

USUAL = "backprop"  # who sits a problem first that nobody has sat: it takes every family


@dataclass(frozen=True)
class Metric:
    """A place on the metric axis. how: what a Record needs for it, appended to the command of a run."""

    name: str
    label: str
    unit: str
    how: str = ""


METRICS = (
    Metric("wall_s", "wall", "s"),
    Metric("operations", "operations", ""),
    Metric("bytes_moved", "bytes moved", "B"),
    Metric("bytedmd", "ByteDMD", ""),
    Metric("modelled_j", "modelled J", "J", "meter=cpu_time"),
    Metric("gpu_j", "measured J: GPU", "J", "meter=nvml"),
    Metric("gpu_cpu_dram_j", "measured J: GPU+CPU+DRAM", "J", "meter=nvml+rapl"),
    Metric("wall_plug_j", "measured J: wall plug", "J", "meter=wall"),
)
COUNTED = ("operations", "bytes_moved")
BY_NAME = {metric.name: metric for metric in METRICS}
NO_COMMAND = (
    "no command writes it into a Record yet; metrics/bytedmd.py has it of a Python function"
)


@dataclass(frozen=True)
class Problem:
    """A place on the problem axis: a task, by the value of one of its fields where it has several.

    words: the command line's, for its headline bar.
    """

    task: str
    field: str | None = None
    value: str | None = None

    @property
    def name(self) -> str:
        return self.task if self.value is None else f"{self.task} {self.value}"

    @property
    def words(self) -> str:
        task = f"task={shlex.quote(self.task)}"
        return f"{task} task.{self.field}={shlex.quote(str(self.value))}" if self.field else task

    def asked(self, overrides: list[str], bar: float) -> str:
        """The words that a run of it was asked with, as far as they are about the task."""
        asked = [word for word in overrides if word.startswith(("task=", "task."))]
        if not any(word.startswith("task=") for word in asked):
            return f"{self.words} task.bar={bar:.6g}"
        return shlex.join(asked)


@dataclass(frozen=True)
class Axes:
    """problems: from the simplest to the most real. gradient: algorithms trained by gradient end to end."""

    problems: list[Problem]
    processes: list[str]
    gradient: frozenset[str]

    def of(self, task: str, variant: str, config: dict[str, Any]) -> Problem:
        """Where a Record's task lies; a place of its own where it is none of the known ones."""
        for problem in self.problems:
            if problem.task == task and (
                problem.field is None or config.get(problem.field) == problem.value
            ):
                return problem
        return Problem(task, None, variant)


def metric_of(rung: str, source: str) -> Metric | None:
    """The place of a rung that a run with the headline `source` carries; None for what is only a part.

    DRAM by a model, or a processor beside a board, are parts of a headline and never a figure of their own.
    """
    named = {"wall_s": "wall_s", OPERATIONS: "operations", MOVED: "bytes_moved"}
    if rung in named:
        return BY_NAME[named[rung]]
    kind, _, sensors = rung.partition(":")
    if kind == "modelled":
        whole = rung == source or sensors.startswith("operations")
        return BY_NAME["modelled_j"] if whole else None
    if kind != "measured":
        return None
    parts = {part.partition(":")[0] for part in sensors.split("+")}
    if parts & {"wall", "battery"}:
        return BY_NAME["wall_plug_j"]
    if parts <= GPU_SENSORS:
        return BY_NAME["gpu_j"]
    return BY_NAME["gpu_cpu_dram_j"] if rung == source else None


def to_fill(words: str, algo: str | None, process: str, metric: Metric) -> str:
    """The command that fills the cell; what must be chosen is in capitals."""
    name = algo or USUAL
    if metric.name == "bytedmd":
        return NO_COMMAND
    how = f" {metric.how}" if metric.how else ""
    does = "count" if metric.name in COUNTED else "run"
    if process == "as_published":
        return f"bench {does} {words} algo={name}{how}"
    if process == "set_by_hand":
        return f"bench {does} {words} algo={name} algo.FIELD=VALUE{how}"
    if process == "by_hand":
        return f"bench {does} {words} algo=CHANGED/found.yaml{how}"
    program = " process.command=PROGRAM" if process == "command" else ""
    return (
        f"bench tune {words} algo={name} process={process}{program} tune.name=NAME && "
        f"bench {does} {words} algo=results/tune/NAME/found.yaml{how}"
    )
