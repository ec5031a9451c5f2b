"""Pictures and films that algorithms drew, as data: URIs. What a file is, its content says, not its name."""

from __future__ import annotations

import base64
import re
from collections import Counter
from pathlib import PurePosixPath
from typing import Any

from reports.page.reading import Entry

MOST_BYTES = 12 * 2**20  # of all URIs
SVG = re.compile(
    rb"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*(<!DOCTYPE[^>\[]*>\s*)?<svg[\s>]", re.DOTALL
)


def collect(entries: list[Entry]) -> tuple[dict[str, Any], dict[str, int], list[str]]:
    """(pictures by run; counts of shown and left out; problems). The newest run of every algorithm on every
    task comes first, then the second newest, until `MOST_BYTES`."""
    seen: Counter[tuple[str, str]] = Counter()
    ranked = []
    for newest, entry in enumerate(reversed(entries)):
        if entry.record.pictures:
            who = entry.record.task.name, entry.record.algorithm.name
            ranked.append((seen[who], newest, entry))
            seen[who] += 1
    counts = {"shown": 0, "left_out": 0, "missing": 0, "refused": 0}
    found: dict[str, list[dict[str, str]]] = {}
    problems, gone = [], []
    room = MOST_BYTES
    for _, _, entry in sorted(ranked, key=lambda one: one[:2]):
        for name in entry.record.pictures:
            run = entry.record.run
            try:
                path = entry.file(name)
                content = path.read_bytes() if path and 4 * path.stat().st_size < 3 * room else None
            except OSError:
                gone.append(run)
                continue
            if path is None:
                counts["refused"] += 1
                problems.append(f"run {run}: a picture would lie outside of its folder")
            elif content is None:
                counts["left_out"] += 1
            elif (kind := type_of(content)) is None:
                counts["refused"] += 1
                problems.append(f"run {run}: {PurePosixPath(name).name} is no PNG, GIF or SVG")
            else:
                uri = f"data:{kind};base64,{base64.b64encode(content).decode()}"
                room -= len(uri)
                counts["shown"] += 1
                one = {"name": PurePosixPath(name).name, "type": kind, "uri": uri}
                found.setdefault(run, []).append(one)
    if gone:
        counts["missing"] = len(gone)
        problems.append(
            f"pictures that Records name and that are not there: {len(gone)}, such as of run {gone[0]}; "
            "copy the folder pictures along with the Records"
        )
    return found, counts, problems


def type_of(content: bytes) -> str | None:
    """Its media type, None where it is none that a page may hold."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    return "image/svg+xml" if SVG.match(content.removeprefix(b"\xef\xbb\xbf")[:4096]) else None
