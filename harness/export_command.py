"""`bench export` and `bench plot`: names are checked before any Record is read."""

from __future__ import annotations

from pathlib import Path

from harness.cube_command import axes
from harness.errors import BadInputError, did_you_mean


def export(files: list[str], table: str, folders: list[str]) -> int:
    """Writes one table to files of several formats."""
    from reports.export import FORMATS
    from reports.export import export as write
    from reports.tabular import TABLES
    from reports.tabular import table as read

    one_of("table", table, list(TABLES))
    paths = [Path(file) for file in files]
    for path in paths:
        check_file(path, list(FORMATS))
    for line in write(read(table, [Path(folder) for folder in folders], axes()), paths):
        print(line)
    return 0


def one_of(what: str, word: str, known: list[str]) -> None:
    """Raises BadInputError with the nearest name."""
    if word not in known:
        raise BadInputError(
            f"no {what} is called {word}{did_you_mean(word, known)}; there are: {', '.join(known)}"
        )


def check_file(path: Path, suffixes: list[str]) -> None:
    """Raises BadInputError unless its suffix is known and its folder is there."""
    if path.suffix.lower() not in suffixes:
        raise BadInputError(
            f"{path}: what is written goes by the file's name, and this does not end in any of "
            f"{', '.join(suffixes)}"
        )
    if not path.parent.is_dir():
        raise BadInputError(f"{path}: there is no folder {path.parent}; make it, or name another")


KINDS = ("front", "curve", "trace")


def plot(kind: str, run: str | None, out: str | None, task: str | None, folders: list[str]) -> int:
    """Draws one figure."""
    from reports.plots.curve import draw_curve
    from reports.plots.front import draw_front
    from reports.plots.style import FORMATS
    from reports.plots.trace import draw_trace

    one_of("plot", kind, list(KINDS))
    if kind != "trace" and run is not None:
        raise BadInputError(
            f"bench plot {kind} takes no run ({run}); say --task TEXT to choose boards"
        )
    if kind == "trace" and task is not None:
        raise BadInputError("bench plot trace takes no --task; name the run: bench plot trace RUN")
    paths = [Path(folder) for folder in folders]
    path = Path(out) if out else paths[0] / f"{kind}.png"
    if out:
        check_file(path, list(FORMATS))
    if kind == "front":
        drawn = draw_front(paths, path, task)
    elif kind == "curve":
        drawn = draw_curve(paths, path, task)
    else:
        drawn = draw_trace(paths, path, run)
    print(f"{drawn} drawn to {path}")
    return 0
