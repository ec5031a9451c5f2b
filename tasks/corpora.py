"""The two large texts, as they are published: WikiText-103 raw, and FineWeb as GPT-2 tokens.

    wikitext103  one zip with wiki.train.raw (541 MB) and wiki.valid.raw (1.1 MB) of UTF-8
    fineweb      shards of 100,000,000 tokens each, 200 MB: fineweb_train_000001.bin and on, and
                 fineweb_val_000000.bin. A shard is a header of 256 int32 (magic, version, count) and
                 then `count` uint16 tokens; token 50,256 stands before each document.

Both have a validation part of their own, so nothing is held out of what trains. They are kept as they
came, and every use checks their hashes.

Where the pinned hashes are from (nothing was hashed here: this was written without a network): the
zip's stands, with its length of 191,984,949 bytes, in huggingface/datasets, datasets/wikitext/
dataset_infos.json, and in many programs that read it; those of the two FineWeb shards, at revision
889765ea of kjj0/fineweb10B-gpt2, are stated by three unrelated programs (validation) and by two of them
(training). **The further training shards (task.shards above 1) have no pinned
hash**, for none was to be seen. They come from the same pinned revision, and the first download is
trusted: its hash is kept beside it, every later use is held against it, and the Record shows it.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tasks import download
from tasks.base import TaskError

# Salesforce's own place (research.metamind.io) no longer answers. The first is pinned to a revision.
WIKITEXT_URLS = (
    "https://huggingface.co/datasets/mattdangerw/wikitext-103-raw/resolve/"
    "3555105b17ae31cc619a136fac72dbe2865c3738/wikitext-103-raw-v1.zip",
    "https://wikitext.smerity.com/wikitext-103-raw-v1.zip",
)
WIKITEXT_SHA256 = "91c00ae287f0d699e18605c84afc9e45c192bc6b7797ff8837e5474655a33794"
WIKITEXT_PARTS = ("wikitext-103-raw/wiki.train.raw", "wikitext-103-raw/wiki.valid.raw")

FINEWEB_URL = (
    "https://huggingface.co/datasets/kjj0/fineweb10B-gpt2/resolve/"
    "889765ea1f903759787add96995d81171b632d0c/"
)
FINEWEB_VALIDATION = "fineweb_val_000000.bin"
FINEWEB_SHA256 = {
    FINEWEB_VALIDATION: "5b95c8e0966f0861685b307b23dc5ae42b228ef74b28cb499784ae021f201640",
    "fineweb_train_000001.bin": "771fa4a99b9fe0946ffb6e848b4ba5c6a9b0fe87860ebf03bc2c1c7e45f8178e",
}
GPT2_VOCAB = 50_257
HEADER = 256
MAGIC = 20240520
VERSION = 1


@dataclass(frozen=True)
class Corpus:
    """A published text. train, held: uint8 (bytes) or uint16 (tokens) [symbols].

    files: what it was read from, for the Record: name, sha256, and whether that hash is pinned.
    """

    train: np.ndarray
    held: np.ndarray
    source: str
    files: tuple[dict[str, Any], ...]


def wikitext103(folder: Path) -> Corpus:
    """WikiText-103 raw, downloaded into `folder` if it is not there."""
    path = folder / "wikitext-103-raw-v1.zip"
    download.fetch(WIKITEXT_URLS, path, WIKITEXT_SHA256)
    try:
        with zipfile.ZipFile(path) as archive:
            train, held = (np.frombuffer(archive.read(name), np.uint8) for name in WIKITEXT_PARTS)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise TaskError(
            f"cannot read {' and '.join(WIKITEXT_PARTS)} in {path}: {error}; delete it to download "
            f"it again; {download.WAY_OUT} need no download"
        ) from error
    files = ({"name": path.name, "sha256": WIKITEXT_SHA256, "pinned": True},)
    return Corpus(train, held, WIKITEXT_URLS[0], files)


def fineweb(folder: Path, shards: int) -> Corpus:
    """FineWeb's first `shards` training shards and its validation shard, downloaded likewise."""
    names = [FINEWEB_VALIDATION] + [f"fineweb_train_{i:06d}.bin" for i in range(1, shards + 1)]
    files = tuple(_shard(folder, name) for name in names)
    held, *parts = (_tokens(folder / name) for name in names)
    train = np.concatenate(parts) if len(parts) > 1 else np.array(parts[0])
    return Corpus(train, held, FINEWEB_URL, files)


def _shard(folder: Path, name: str) -> dict[str, Any]:
    path, pinned = folder / name, FINEWEB_SHA256.get(name)
    if pinned:
        download.fetch(FINEWEB_URL + name, path, pinned)
        return {"name": name, "sha256": pinned, "pinned": True}
    found = download.fetch_unpinned(FINEWEB_URL + name, path, _check)
    return {"name": name, "sha256": found, "pinned": False}


def _check(path: Path) -> None:
    _tokens(path)


def _tokens(path: Path) -> np.ndarray:
    """A shard's tokens, uint16 [count], on disk until they are read; refused if it is not one."""
    try:
        size = path.stat().st_size
        header = np.fromfile(path, "<i4", HEADER)
    except OSError as error:
        raise TaskError(f"cannot read {path}: {error.strerror}") from error
    what = ""
    if len(header) < HEADER:
        what = f"it has {size:,} bytes, less than its header of {4 * HEADER:,}"
    elif header[0] != MAGIC or header[1] != VERSION:
        what = (
            f"it begins with {header[0]} and {header[1]}, not with the magic number {MAGIC} and "
            f"version {VERSION}"
        )
    elif header[2] < 1 or size != 4 * HEADER + 2 * int(header[2]):
        what = f"its header says {header[2]:,} tokens, and it holds {(size - 4 * HEADER) / 2:,g}"
    else:
        tokens = np.memmap(path, "<u2", "r", offset=4 * HEADER)
        most = int(tokens.max())
        if most < GPT2_VOCAB:
            return tokens
        what = f"it holds token {most:,}, and GPT-2's end at {GPT2_VOCAB - 1:,}"
    raise TaskError(
        f"{path} is no shard of GPT-2 tokens: {what}; delete it to download it again; "
        f"{download.WAY_OUT} need no download"
    )
