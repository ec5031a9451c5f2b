"""`bench list`: what there is to choose from."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness import energy_tables, registry
from harness.errors import BadInputError, did_you_mean
from harness.suite import load, names
from metrics import operation_energy
from metrics.record import Interval
from reports.console import table_console
from reports.units import interval, scaled

GROUPS = {
    "task": "tasks",
    "algo": "algorithms",
    "meter": "meters",
    "process": "processes",
    "tracker": "trackers",
}


def list_choices(name: str | None) -> int:
    """All names with a line each, or the fields of one."""
    console = table_console()
    if name is not None:
        return show_fields(console, name.partition("=")[2] or name)
    for group, title in GROUPS.items():
        where = "bench tune process=NAME" if group == "process" else f"{group}=NAME"
        table = Table(title=f"{title}  ({where})", title_justify="left", box=None, pad_edge=False)
        table.add_column("name", style="bold", no_wrap=True)
        if group in registry.OWN:
            table.add_column("family", no_wrap=True)
        table.add_column("what it is", overflow="fold")
        for choice in registry.choices(group):
            family = [", ".join(choice.families)] if choice.has_family else []
            table.add_row(choice.name, *family, choice.description)
        console.print(table)
        console.print()
    list_tuned(console)
    table = Table(title="suites  (bench run suite=NAME seed=0,1,2)", title_justify="left", box=None)
    table.add_column("name", style="bold", no_wrap=True)
    table.add_column("what it is", overflow="fold")
    for suite in names():
        table.add_row(suite, str(load(suite)["about"].get("description", "")))
    console.print(table)
    console.print()
    table = Table(title="energy tables  (bench count energy=NAME)", title_justify="left", box=None)
    table.add_column("name", style="bold", no_wrap=True)
    table.add_column("pJ per operation and byte, by", overflow="fold")
    for stem, prices in energy_tables.tables().items():
        table.add_row(f"{stem}, {prices.name}", prices.source)
    console.print(table)
    console.print()
    console.print("fields of one: bench list NAME      a class of your own: algo=./mine.py:Mine")
    return 0


def list_tuned(console: Console) -> None:
    """What searches have found, and what each cost."""
    table = Table(title="found by search  (algo=tuned/NAME)", title_justify="left", box=None)
    table.add_column("name", style="bold", no_wrap=True)
    table.add_column("process", no_wrap=True)
    table.add_column("trials", justify="right")
    table.add_column("J to find", justify="right", no_wrap=True)
    table.add_column("what it is", overflow="fold")
    for choice in registry.choices(registry.TUNED):
        found = choice.about["found"]
        figures = found["process"], str(found["trials"]), scaled(found["find_j"], "J")
        table.add_row(choice.option, *figures, choice.description)
    console.print(table)
    console.print()


def show_fields(console: Console, name: str) -> int:
    """The fields that can be overridden, with their defaults and the yaml's comments."""
    found = [
        (group, choice)
        for group in GROUPS
        for choice in registry.choices(group)
        if name in (choice.name, choice.option)
    ]
    if name.startswith(f"{registry.TUNED}/"):
        show_tuned(console, name)
        return 0
    if name in names():
        suite = load(name)
        console.print(f"[bold]suite={name}[/]  {len(suite['runs'])} runs of: ", end="")
        console.print(f"{' '.join(suite['words'])}\n", markup=False)
        for run in suite["runs"]:
            console.print(f"  {' '.join(run)}", markup=False, soft_wrap=True)
        return 0
    if name in energy_tables.tables() or name in (t.name for t in energy_tables.tables().values()):
        show_prices(console, energy_tables.find(name))
        return 0
    if not found:
        known = {choice.name for group in GROUPS for choice in registry.choices(group)}
        known |= {*names(), *energy_tables.tables(), *registry.shelf()}
        raise BadInputError(
            f"nothing is called {name}{did_you_mean(name, known)}; there are: {', '.join(sorted(known))}"
        )
    for group, choice in found:
        family = f"  ({', '.join(choice.families)})" if choice.has_family else ""
        console.print(f"[bold]{group}={choice.name}[/]{family}")
        console.print(f"{choice.description}\n", markup=False)
        for line in registry.field_lines(choice):
            indent = "  " if line.startswith((" ", "#")) else f"  {group}."
            console.print(f"{indent}{line}", markup=False)
        for name, given in (choice.about.get("search") or {}).items():
            console.print(f"  bench tune searches {name}: {given}", markup=False)
        console.print()
    return 0


def show_tuned(console: Console, name: str) -> None:
    """The fields that a search has found, and what it says of itself."""
    (choice,) = registry.find("algo", name)
    found = choice.about["found"]
    console.print(f"[bold]algo={name}[/]  ({', '.join(choice.families)})")
    console.print(f"{choice.description}\n", markup=False)
    for field, value in choice.fields.items():
        console.print(f"  algo.{field}: {value}", markup=False)
    spent = Interval(value=found["find_j"], low=found["find_low_j"], high=found["find_high_j"])
    met = "met" if found["met"] else "not met"
    for line in (
        f"found by {found['process']} in {found['trials']} trials of seed {found['seed']}, for "
        f"{interval(spent, 'J')}; {found['source']}, {found['device']}",
        f"on {found['task']} ({found['variant']}), bar {found['bar']:.6g}, held to "
        f"{found['held_to']:.6g}: {met} ({found['score']:.4f} {found['score_name']}, "
        f"{scaled(found['energy_j'], 'J')} per training, {found['confirmations']} confirmations)",
    ):
        console.print(f"  {line}", markup=False, soft_wrap=True)
    console.print()


def show_prices(console: Console, prices: operation_energy.Table) -> None:
    """The figures of an energy table, with a word at those that were not checked at the source."""
    console.print(f"[bold]energy={prices.name}[/]  {escape(prices.source)}")
    for section, unit in (("operations", "pJ"), ("bytes", "pJ per byte")):
        for kind, (low, high) in getattr(prices, section).items():
            figure = f"{low:g}" if low == high else f"{low:g} to {high:g}"
            doubt = ", unconfirmed" if kind in prices.unconfirmed else ""
            console.print(f"  {kind}: {figure} {unit}{doubt}")
