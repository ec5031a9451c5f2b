"""`bench list`: what there is to choose from."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from harness import registry
from harness.errors import BadInputError, did_you_mean
from harness.suite import load, names
from reports.console import table_console

GROUPS = {"task": "tasks", "algo": "algorithms", "meter": "meters", "process": "processes"}


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
    table = Table(title="suites  (bench run suite=NAME seed=0,1,2)", title_justify="left", box=None)
    table.add_column("name", style="bold", no_wrap=True)
    table.add_column("what it is", overflow="fold")
    for suite in names():
        table.add_row(suite, str(load(suite)["about"].get("description", "")))
    console.print(table)
    console.print()
    console.print("fields of one: bench list NAME      a class of your own: algo=./mine.py:Mine")
    return 0


def show_fields(console: Console, name: str) -> int:
    """The fields that can be overridden, with their defaults and the yaml's comments."""
    found = [
        (group, choice)
        for group in GROUPS
        for choice in registry.choices(group)
        if name in (choice.name, choice.option)
    ]
    if name in names():
        suite = load(name)
        console.print(f"[bold]suite={name}[/]  {len(suite['runs'])} runs of: ", end="")
        console.print(f"{' '.join(suite['words'])}\n", markup=False)
        for run in suite["runs"]:
            console.print(f"  {' '.join(run)}", markup=False, soft_wrap=True)
        return 0
    if not found:
        known = {choice.name for group in GROUPS for choice in registry.choices(group)}
        known |= set(names())
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
