"""A W&B workspace and a report over tracked runs, built from the Records' boards without a network.

Every panel names series by `harness.trackers.keys`, where the tracker takes them from. Measured and
modelled joules have names of their own and so never meet in a panel; in the report every board (task,
variant, access, source, device class) has a grid of its own, filtered to its runs.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, NamedTuple

import msgspec

from harness.errors import BadInputError
from harness.trackers import keys
from harness.trackers.weights_biases import INSTALL, shortened
from metrics.record import CURVE, RUN

MOST_BOARDS = 20
TITLE = "joulebench"
COLUMNS = (
    *("config:algo.value", "config:task.value", "config:source.value", "summary:score"),
    *("summary:target_met", "summary:measured_energy_j", "summary:modelled_energy_j"),
    *("summary:wall_s", "summary:status", "config:process.value", "summary:warnings"),
)
NOTES = """\
**Sources.** Joules are *measured* (a sensor: nvml, rapl, battery, wall) or *modelled* (cpu_time: watts times
CPU seconds; 3.5 W, published figures range from 0.7 to 4.5). The two have names of their own here
(`measured_energy_j`, `modelled_energy_j`) and are never summed or ranked together. `_low` and `_high` are the
ends of the interval; a board's own calibration error comes on top and stands in the Record.

**What is what.** `energy_j`: one training, from the moment the data is handed over until the predictor is
ready. `net_j`: the same above idle. `cold_j`: setup, one training and one examination's predictions.
`inference_j`: one prediction. `joules_per_accuracy`: energy over skill, 0 at chance and 1 at perfect.

**Boards** hold runs alone (kind = run). Trials of searches, curves and counts are in the project too, by
their kind, and on no board. A run that did not finish has a status and no headline. Every run's artifact
`record-<run>` is its Record, whole: what a figure here leaves out stands there.
"""


class Board(NamedTuple):
    """What may be compared; the tracker keeps its digest as `board` of the configuration."""

    task: str
    variant: str
    access: str
    source: str
    device_class: str


class Line(msgspec.Struct):
    """What a board needs of a Record."""

    class Task(msgspec.Struct):
        name: str
        variant: str
        access: str

    class Host(msgspec.Struct):
        device_class: str

    schema_version: int
    task: Task
    host: Host
    source: str
    kind: str = RUN


def boards(lines: list[Line]) -> list[tuple[Board, int]]:
    """Every board of the Records with the number of its runs, the largest first."""
    found = Counter(
        Board(r.task.name, r.task.variant, r.task.access, r.source, r.host.device_class)
        for r in lines
        if r.kind == RUN
    )
    return found.most_common(MOST_BOARDS)


def libraries() -> tuple[Any, Any, Any]:
    """wandb_workspaces: workspaces, reports, expressions. Raises BadInputError where it is missing."""
    try:
        import wandb_workspaces.expr as expr
        import wandb_workspaces.reports.v2 as reports
        import wandb_workspaces.workspaces as workspaces
    except ImportError as error:
        raise BadInputError(
            f"bench dashboard needs wandb and wandb-workspaces ({error}): {INSTALL}"
        ) from None
    return workspaces, reports, expr


def comparisons(wr: Any, kind: str) -> list[Any]:
    """Energy against score, and bars by algorithm."""
    energy, algo = f"{kind}_energy_j", wr.Config("algo")
    bars = {"groupby": algo, "groupby_aggfunc": "median", "groupby_rangefunc": "minmax"}
    return [
        wr.ScatterPlot(
            title=f"score against {kind} J per training",
            x=wr.SummaryMetric(energy),
            y=wr.SummaryMetric("score"),
            log_x=True,
            layout=wr.Layout(0, 0, 12, 9),
        ),
        *(
            wr.BarPlot(
                title=f"{kind} {title}, median by algorithm",
                metrics=[f"{kind}_{name}"],
                layout=wr.Layout(12 * (number % 2), 9 * ((number + 1) // 2), 12, 9),
                **bars,
            )
            for number, (name, title) in enumerate(
                [
                    ("energy_j", "J per training"),
                    ("cold_j", "cold J: setup, training, one examination"),
                    ("joules_per_accuracy", "J per unit of skill"),
                ],
                start=1,
            )
        ),
    ]


def curves(wr: Any, kind: str) -> list[Any]:
    """`bench curve`: what the score and the loss were at how many joules."""
    return [
        wr.LinePlot(
            title=f"{name} over {kind} J of training (bench curve)",
            x=f"curve/{kind}_j",
            y=[f"curve/{kind}/{name}"],
            log_x=True,
            title_x=f"{kind} J",
        )
        for name in ("score", "loss")
    ]


def training(wr: Any) -> list[Any]:
    """Loss and joules while it trained, over seconds and over the algorithm's own steps."""
    joules = [f"train/{kind}_j" for kind in keys.KINDS]
    return [
        wr.LinePlot(title="loss over seconds", x=keys.SECONDS, y=["train/loss"]),
        wr.LinePlot(title="loss over steps", x="train/step", y=["train/loss"]),
        wr.LinePlot(title="J of training over seconds", x=keys.SECONDS, y=joules),
        wr.LinePlot(title="J of training over steps", x="train/step", y=joules),
    ]


def power(wr: Any) -> list[Any]:
    """Power traces; which sensors there are is known only to each run."""
    return [
        wr.LinePlot(title="power (W)", x=keys.POWER_S, metric_regex="power/.*_w$"),
        wr.LinePlot(title="temperature (°C)", x=keys.POWER_S, metric_regex="power/.*_c$"),
    ]


def workspace(entity: str, project: str) -> Any:
    """All of a project, by subject."""
    ws, wr, expr = libraries()
    sections = {
        "measured joules": comparisons(wr, "measured"),
        "modelled joules": comparisons(wr, "modelled"),
        "curves": [panel for kind in keys.KINDS for panel in curves(wr, kind)],
        "training": training(wr),
        "power": power(wr),
    }
    return ws.Workspace(
        entity=entity,
        project=project,
        name=TITLE,
        sections=[
            ws.Section(name=name, panels=panels, is_open=True) for name, panels in sections.items()
        ],
        runset_settings=ws.RunsetSettings(
            groupby=[expr.Config(name) for name in ("kind", "task", "variant", "algo")],
            pinned_columns=["run:displayName", *COLUMNS],
        ),
    )


def report(entity: str, project: str, found: list[tuple[Board, int]]) -> Any:
    """Notes, a grid for every board, then curves, training and power."""
    _, wr, _ = libraries()

    def grid(title: str, panels: list[Any], filters: str = "") -> list[Any]:
        runs = (
            wr.Runset(  # without entity and project: the report's own, and nobody is asked for them
                name=shortened(title, 60),
                filters=filters,
                groupby=["config.algo"],
                pinned_columns=list(COLUMNS),
            )
        )
        return [wr.H2(text=shortened(title, 200)), wr.PanelGrid(runsets=[runs], panels=panels)]

    blocks = [wr.TableOfContents(), wr.MarkdownBlock(text=NOTES), wr.H1(text="Boards")]
    for board, _ in found:
        kind = keys.kind_of(board.source.startswith("modelled"))
        title = f"{board.task} · {board.variant} · {board.source} · {board.device_class}"
        mine = f"Config('kind') = '{RUN}' and Config('board') = '{keys.board(*board)}'"
        blocks += grid(title, comparisons(wr, kind), mine)
    blocks.append(wr.H1(text="Energy and time"))
    both = [panel for kind in keys.KINDS for panel in curves(wr, kind)]
    blocks += grid("Score against energy while learning", both, f"Config('kind') = '{CURVE}'")
    blocks += grid("Training", training(wr)) + grid("Power", power(wr))
    description = "Joules, seconds and score, each with its source and its error."
    return wr.Report(
        entity=entity,
        project=project,
        title=TITLE,
        description=description,
        blocks=blocks,
        width="fluid",
    )


def specification(made: Any) -> dict[str, Any]:
    """What would be saved, as W&B takes it."""
    model = made._to_model()
    found: dict[str, Any] = json.loads(model.model_dump_json(by_alias=True, exclude_none=True))
    return found
