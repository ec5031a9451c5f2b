"""Where tables are printed."""

from __future__ import annotations

from rich.console import Console

WIDTH = 130


def table_console(width: int = WIDTH) -> Console:
    """A console that squeezes no table where there is no terminal to fit."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = width
    return console
