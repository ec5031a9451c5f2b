"""Every Record whole, in packs of a few that a page opens when somebody asks for one of them."""

from __future__ import annotations

import base64
import gzip
import hashlib
from typing import Any

from reports.page.reading import Entry

PACK = 64
LEVEL = 6  # of gzip: 9 takes twice as long for a hundredth less


class Packer:
    """Keeps packs that have not changed: Records are only ever appended."""

    def __init__(self) -> None:
        self._known: dict[bytes, str] = {}

    def pack(self, entries: list[Entry]) -> dict[str, Any]:
        """index: by run (number of the pack, place in it). chunks: base64 of gzip of a JSON array."""
        groups = [entries[i : i + PACK] for i in range(0, len(entries), PACK)]
        kept: dict[bytes, str] = {}
        for group in groups:
            content = b"[" + b",".join(entry.line for entry in group) + b"]"
            key = hashlib.sha256(content).digest()
            kept[key] = self._known.get(key) or _packed(content)
        self._known = kept
        index = {
            entry.record.run: [number, place]
            for number, group in enumerate(groups)
            for place, entry in enumerate(group)
        }
        return {"index": index, "chunks": list(kept.values())}


def _packed(content: bytes) -> str:
    return base64.b64encode(gzip.compress(content, LEVEL, mtime=0)).decode()
