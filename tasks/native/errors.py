"""What went wrong in building a kernel: a few lines to read, and the files to look at."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tasks.base import TaskError

LINES = 4
WIDTH = 200


class BuildError(TaskError):
    """Raised where a kernel cannot be built here, with the way out."""


def failure(what: str, log: str, command: str, source: str, file: Path) -> BuildError:
    """An error that says `what`, then the compiler's first errors, the command and where all is kept.

    file: what the failed source is to be kept as, its log beside it.
    """
    parts = [what, *first_errors(log), kept(source, log, file), f"command: {command}"]
    return BuildError("; ".join(parts))


def first_errors(log: str) -> list[str]:
    """The lines that say error, or else the first ones, each cut to a readable length."""
    spoken = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line for line in spoken if "error:" in line.lower()] or spoken
    shown = [line[:WIDTH] for line in errors[:LINES]]
    more = len(errors) - LINES
    return [*shown, f"{more} more"] if more > 0 else shown


def kept(source: str, log: str, file: Path) -> str:
    """Keeps a failed source and its log, as `file` if that can be, and says where."""
    try:
        try:
            _write(source, log, file)
        except OSError:  # the cache takes no files: a folder that nobody clears away
            file = Path(tempfile.mkdtemp(prefix="joulebench-failed-"), file.name)
            _write(source, log, file)
    except OSError as error:
        return f"its source and log could not be kept: {error.strerror}"
    return f"source and full log: {file} and {file.stem}.log"


def _write(source: str, log: str, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(source, encoding="utf-8")
    file.with_suffix(".log").write_text(log, encoding="utf-8")
