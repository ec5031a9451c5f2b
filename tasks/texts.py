"""The rungs of task.text: where a text comes from, from made-up to your own.

    grammar          made up by a seeded generator, any length, its entropy known; no download
    pydocs           the English help topics inside this Python; real text, no download
    tinyshakespeare  1,115,394 bytes of Shakespeare's plays; downloaded once, its hash pinned
    wikitext103      541 MB of Wikipedia, and a validation part of its own; likewise (tasks/corpora.py)
    fineweb          100 to 2,000 million GPT-2 tokens of web pages, likewise
    a path           any file of text

Fixed texts are the same for every draw; a grammar's text is another one for every seed. The help
topics differ from one Python to the next, so pydocs is for a first run and never for a ranking.
"""

from __future__ import annotations

import difflib
import hashlib
import os
import platform
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs

from tasks import corpora, download, grammar
from tasks.base import TaskError

RUNGS = ("grammar", "pydocs", "tinyshakespeare", "wikitext103", "fineweb")
CORPORA = ("wikitext103", "fineweb")  # those with a published validation part
SHAKESPEARE_URL = (
    "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
)
SHAKESPEARE_SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
SHAKESPEARE_BYTES = 1_115_394


@dataclass(frozen=True)
class Text:
    """A text and where it came from.

    data: uint8 [symbols], or uint16 of GPT-2 tokens. source: a line for the Record. entropy: nats
    per byte that no learner can go below, None where nobody knows it. sections: int64 [topics], where
    each topic starts, for a text made of topics that must not be torn apart. held: the validation
    part that was published with it, like data; None where there is none. files: what was downloaded,
    with name, sha256 and whether that is pinned.
    """

    name: str
    data: np.ndarray
    source: str
    entropy: float | None = None
    sections: np.ndarray | None = None
    held: np.ndarray | None = None
    files: tuple[dict[str, Any], ...] = ()

    @property
    def symbols(self) -> int:
        return len(self.data)

    @property
    def bytes(self) -> int:
        return self.data.nbytes

    @cached_property
    def sha256(self) -> str:
        """Of the text itself, which for `held` is the part that trains."""
        return hashlib.sha256(self.data.data).hexdigest()


def check_name(text: str) -> None:
    """Raises TaskError unless `text` is a rung or a path to a file that is there."""
    if text in RUNGS:
        return
    try:
        mode = Path(text).expanduser().stat().st_mode
    except (OSError, ValueError, RuntimeError):  # not there, a name too long, no such user
        mode = 0
    if stat.S_ISDIR(mode):
        raise TaskError(f"task.text={text}: is a folder; name one file of text in it")
    if not stat.S_ISREG(mode):
        close = difflib.get_close_matches(text, RUNGS, n=1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        raise TaskError(
            f"task.text={text}: no such text and no such file{hint}; "
            f"there are {', '.join(RUNGS)}, or the path of a file"
        )


def vocab(text: str) -> int:
    """How many symbols a text is made of."""
    return corpora.GPT2_VOCAB if text == "fineweb" else 256


def load(
    text: str,
    *,
    length: int = SHAKESPEARE_BYTES,
    entropy: Sequence[int] = (0,),
    sha256: str = "",
    shards: int = 1,
) -> Text:
    """Loads a rung, or a file by its path.

    `length` and `entropy` (the seed) are for the grammar alone, `shards` for fineweb; `sha256`, if
    given, is what a fixed text must hash to.
    """
    check_name(text)
    if text == "grammar":
        data = grammar.generate(length, entropy)
        return Text(text, data, "tasks/grammar.py", entropy=grammar.entropy())
    loaded = _read(text, shards)
    if sha256 and loaded.sha256 != sha256.lower():
        raise TaskError(
            f"task.text={text}: changed since its hash was pinned: it has sha256 {loaded.sha256}, "
            f"task.sha256 says {sha256.lower()}"
        )
    return loaded


def _read(text: str, shards: int) -> Text:
    if text == "wikitext103":
        return _corpus(text, corpora.wikitext103(cache_folder()))
    if text == "fineweb":
        return _corpus(text, corpora.fineweb(cache_folder(), shards))
    return _FIXED[text]() if text in _FIXED else _file(text)


def cache_folder() -> Path:
    """Where downloads are kept: BENCH_DATA, or else the user's cache folder."""
    folder = os.environ.get("BENCH_DATA") or platformdirs.user_cache_dir("joulebench")
    return Path(folder).expanduser()


def _file(text: str) -> Text:
    path = Path(text).expanduser()
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise TaskError(f"task.text={text}: cannot be read: {error.strerror}") from error
    if not len(data):
        raise TaskError(f"task.text={text}: the file is empty")
    # Any other byte may stand in a text: Latin-1, a broken UTF-8 sequence, all 255 symbols.
    zeros = np.flatnonzero(data == 0)
    if len(zeros):
        raise TaskError(
            f"task.text={text}: not a text: {len(zeros):,} of its {len(data):,} bytes are NUL, the "
            f"first at offset {zeros[0]:,}; unpack it or convert it to UTF-8 first"
        )
    return Text(f"file:{path.name}", data, str(path.resolve()))


def _pydocs() -> Text:
    """Help topics by name, a paragraph that stood before in any of them left out."""
    try:
        from pydoc_data.topics import topics
    except ImportError as error:
        raise TaskError(
            "task.text=pydocs: this Python comes without pydoc_data.topics; use task.text=grammar, "
            "or a Python with its standard library complete"
        ) from error
    seen: set[str] = set()
    parts: list[bytes] = []
    for _, topic in sorted(topics.items()):
        fresh = []
        for paragraph in topic.split("\n\n"):
            if paragraph.strip() and paragraph not in seen:
                seen.add(paragraph)
                fresh.append(paragraph.strip("\n"))
        if fresh:
            parts.append(("\n\n".join(fresh) + "\n\n\n").encode())
    sections = np.cumsum([0] + [len(part) for part in parts[:-1]])
    data = np.frombuffer(b"".join(parts), np.uint8)
    source = f"pydoc_data.topics of Python {platform.python_version()}"
    return Text("pydocs", data, source, sections=sections)


def _tinyshakespeare() -> Text:
    path = cache_folder() / "tinyshakespeare.txt"
    download.fetch(SHAKESPEARE_URL, path, SHAKESPEARE_SHA256)
    return Text("tinyshakespeare", np.fromfile(path, np.uint8), SHAKESPEARE_URL)


def _corpus(text: str, read: corpora.Corpus) -> Text:
    return Text(text, read.train, read.source, held=read.held, files=read.files)


_FIXED = {"pydocs": _pydocs, "tinyshakespeare": _tinyshakespeare}
