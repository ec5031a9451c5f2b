"""Pictures that an algorithm draws of its training, once everything has been measured.

They cost nothing in any window, and whatever goes wrong with them costs a run no more than a warning.
Their bytes are a stranger's: they are written to files as they came and never looked into.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import WorkerError
from harness.sitting import Sitting

FOLDER = "pictures"
LIMIT_S = 120.0
MOST_FILES = 16
MOST_BYTES = 32 << 20  # half of what the parent would take in one reply
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.(png|gif|svg)")


def draw(
    sitting: Sitting, data: dict[str, np.ndarray], say: Callable[[str], None]
) -> dict[str, bytes]:
    """What the algorithm draws of its training on `data`, by file name. Nothing where it does not draw
    or fails to. After the last window, when the trace has ended: the worker is lost if it fails."""
    if not sitting.draws_pictures:
        return {}
    try:
        late = f"the worker was still drawing after {LIMIT_S:g} s and was ended"
        with sitting.unmetered("pictures", LIMIT_S, late):
            # Sent again, so that the worker need not hold the data through the windows in between.
            reply = sitting.ask({"do": "pictures", "data": data})
        if reply["is"] != "pictures":
            raise WorkerError(f"the worker answered {reply['is']!r} instead of drawing")
        return checked(reply.get("files"))
    except WorkerError as error:
        _warn(sitting, say, f"no pictures: {error}")
        return {}


def checked(files: Any) -> dict[str, bytes]:
    """`files` if they are what `Algorithm.pictures` may return; otherwise raises WorkerError."""
    if not isinstance(files, dict):
        raise WorkerError(f"pictures returned {type(files).__name__}, no dict of file names")
    if len(files) > MOST_FILES:
        raise WorkerError(f"pictures returned {len(files)} files; at most {MOST_FILES} are kept")
    for name, content in files.items():
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise WorkerError(
                f"pictures named a file {str(name)[:100]!r}; plain names that end in .png, .gif or "
                ".svg are kept"
            )
        if not isinstance(content, bytes):
            raise WorkerError(f"pictures returned {type(content).__name__} as {name}, not bytes")
    size = sum(len(content) for content in files.values())
    if size > MOST_BYTES:
        raise WorkerError(
            f"pictures returned {size / 2**20:.1f} MiB; at most {MOST_BYTES >> 20} MiB are kept"
        )
    return files


def save(
    sitting: Sitting, files: dict[str, bytes], results: Path, run: str, say: Callable[[str], None]
) -> list[str]:
    """Writes them to `results`/pictures/`run`, all or none; returns their paths relative to `results`."""
    if not files:
        return []
    folder = results / FOLDER / run
    try:
        folder.mkdir(parents=True)
        for name, content in files.items():
            with (folder / name).open("xb") as file:  # "x": A.png and a.png may be one file
                file.write(content)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        _warn(sitting, say, f"the pictures were not saved: {error.strerror or error}")
        return []
    return [f"{FOLDER}/{run}/{name}" for name in files]


def _warn(sitting: Sitting, say: Callable[[str], None], text: str) -> None:
    """For the Record, and at once for whoever is watching."""
    sitting.warnings.append(text)
    say(f"warning: {text}")
