"""The two large texts, from small files in their formats and a server on this machine."""

from __future__ import annotations

import hashlib
import io
import re
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from tasks import corpora, texts
from tasks.base import TaskError

TRAIN = (" = Homarus gammarus = \n \n Zwölf Boxkämpfer , 8 @,@ 600 of them . \n" * 900).encode()
VALID = b" = Robert Boulter = \n \n He had a guest @-@ starring role . \n" * 60
SECOND = "fineweb_train_000002.bin"


def archive(*names: str) -> bytes:
    """A zip as WikiText's, of the same bytes every time."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, body in zip(names, (TRAIN, VALID), strict=False):
            file.writestr(zipfile.ZipInfo(name), body)
    return out.getvalue()


def shard(
    tokens: np.ndarray, magic: int = 20240520, version: int = 1, count: int | None = None
) -> bytes:
    """A shard as modded-nanogpt and llm.c have them."""
    header = np.zeros(256, "<i4")
    header[:3] = magic, version, len(tokens) if count is None else count
    return header.tobytes() + tokens.astype("<u2").tobytes()


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def tokens(seed: int, count: int) -> np.ndarray:
    """Tokens of which a few are frequent, the last of the vocabulary among them."""
    drawn = np.random.default_rng(seed).zipf(1.3, count) % 50_257
    drawn[::97] = 50_256
    return drawn.astype(np.uint16)


class Hub(ThreadingHTTPServer):
    """Serves `bodies` by path, with Range. `cut`: it hangs up after so many bytes of an answer."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.bodies: dict[str, bytes] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.cut: int | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        hub = self.server
        assert isinstance(hub, Hub)
        name, asked = self.path.strip("/"), self.headers["Range"]
        hub.asked.append((name, asked))
        if name not in hub.bodies:
            self.send_error(404)
            return
        body = hub.bodies[name]
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        if start and start >= len(body):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        self.wfile.write(body[start : None if hub.cut is None else start + hub.cut])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """Both texts at a server of ours, with hashes pinned as the real ones are."""
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "data"))
    with Hub() as running:
        zipped = archive(*corpora.WIKITEXT_PARTS)
        first, second, held = (shard(tokens(i, n)) for i, n in ((1, 9000), (2, 7000), (3, 8000)))
        running.bodies = {
            "wikitext.zip": zipped,
            "fineweb_train_000001.bin": first,
            SECOND: second,
            corpora.FINEWEB_VALIDATION: held,
        }
        pinned = {corpora.FINEWEB_VALIDATION: held, "fineweb_train_000001.bin": first}
        urls = (running.url + "gone.zip", running.url + "wikitext.zip")
        monkeypatch.setattr(corpora, "WIKITEXT_URLS", urls)
        monkeypatch.setattr(corpora, "WIKITEXT_SHA256", sha256(zipped))
        monkeypatch.setattr(corpora, "FINEWEB_URL", running.url)
        monkeypatch.setattr(corpora, "FINEWEB_SHA256", {n: sha256(b) for n, b in pinned.items()})
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_what_is_pinned_looks_like_hashes_at_revisions() -> None:
    for pinned in (corpora.WIKITEXT_SHA256, *corpora.FINEWEB_SHA256.values()):
        assert re.fullmatch("[0-9a-f]{64}", pinned)
    for url in (corpora.WIKITEXT_URLS[0], corpora.FINEWEB_URL):
        assert re.search("^https://huggingface.co/datasets/.*/resolve/[0-9a-f]{40}/", url)


def test_wikitext_comes_from_whoever_has_it_and_once(hub: Hub, data: Path) -> None:
    for _ in range(2):
        text = texts.load("wikitext103")
        assert bytes(text.data) == TRAIN and text.held is not None and bytes(text.held) == VALID
        assert text.sha256 == sha256(TRAIN) and text.data.dtype == np.uint8
        (file,) = text.files
        assert file["pinned"] and file["sha256"] == sha256(hub.bodies["wikitext.zip"])
    assert hub.asked == [("gone.zip", None), ("wikitext.zip", None)]
    assert [p.name for p in data.iterdir()] == ["wikitext-103-raw-v1.zip"]


def test_wikitext_is_resumed(hub: Hub, data: Path) -> None:
    hub.cut = 300
    with pytest.raises(TaskError, match=r"404.*; cannot download .*ended after 300 of"):
        texts.load("wikitext103")
    hub.cut = None
    assert texts.load("wikitext103").symbols == len(TRAIN)
    assert hub.asked[-1] == ("wikitext.zip", "bytes=300-")


def test_wikitext_that_was_altered_is_refused(hub: Hub, data: Path) -> None:
    good = hub.bodies["wikitext.zip"]
    hub.bodies["wikitext.zip"] = hub.bodies["gone.zip"] = good[:-9] + b"!" + good[-8:]
    with pytest.raises(TaskError) as refused:
        texts.load("wikitext103")
    assert str(refused.value).count("is not the text that was pinned") == 2
    assert not list(data.iterdir())
    hub.bodies["gone.zip"] = good
    texts.load("wikitext103")
    path = data / "wikitext-103-raw-v1.zip"
    path.write_bytes(good[:-1])
    with pytest.raises(TaskError, match=r"damaged or was altered.*delete it.*task\.text=pydocs"):
        texts.load("wikitext103")


def test_an_archive_without_the_text(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    for body, words in ((archive("wikitext-103-raw/wiki.train.raw"), "valid.raw"), (b"no", "zip")):
        hub.bodies["gone.zip"] = body
        monkeypatch.setattr(corpora, "WIKITEXT_SHA256", sha256(body))
        with pytest.raises(TaskError, match=rf"cannot read wikitext-103-raw/.*{words}") as refused:
            texts.load("wikitext103")
        assert "\n" not in str(refused.value)
        (texts.cache_folder() / "wikitext-103-raw-v1.zip").unlink()


def test_fineweb_is_tokens_shard_after_shard(hub: Hub, data: Path) -> None:
    text = texts.load("fineweb", shards=2)
    assert text.data.dtype == np.uint16 and text.held is not None
    assert (text.data == np.concatenate([tokens(1, 9000), tokens(2, 7000)])).all()
    assert (text.held == tokens(3, 8000)).all()
    assert (text.symbols, text.bytes) == (16_000, 32_000)
    named = {f["name"]: (f["pinned"], f["sha256"]) for f in text.files}
    assert {name: pinned for name, (pinned, _) in named.items()} == {
        corpora.FINEWEB_VALIDATION: True,
        "fineweb_train_000001.bin": True,
        SECOND: False,
    }
    assert all(found == sha256(hub.bodies[name]) for name, (_, found) in named.items())
    # Without a server, from the cache; with one shard, without the other.
    hub.bodies = {}
    assert texts.load("fineweb", shards=2).sha256 == text.sha256
    assert texts.load("fineweb").symbols == 9000
    assert len(hub.asked) == 3


def test_a_shard_without_a_pinned_hash_is_trusted_on_first_use(hub: Hub, data: Path) -> None:
    texts.load("fineweb", shards=2)
    first = sha256(hub.bodies[SECOND])
    note = data / f"{SECOND}.sha256"
    assert note.read_text() == f"{first}  {SECOND}\n"
    other = shard(tokens(9, 7000))
    (data / SECOND).write_bytes(other)
    with pytest.raises(TaskError, match=rf"{SECOND} is damaged or was altered.*{first}"):
        texts.load("fineweb", shards=2)
    (data / SECOND).unlink()
    hub.bodies[SECOND] = other
    with pytest.raises(
        TaskError, match=rf"not the text that was downloaded first.*{first}.*{note}"
    ):
        texts.load("fineweb", shards=2)
    assert not (data / SECOND).exists() and note.exists()
    note.unlink()  # whoever wants the new one says so by this
    texts.load("fineweb", shards=2)
    assert note.read_text().startswith(sha256(other))


def test_a_shard_put_there_by_hand_is_noted(hub: Hub, data: Path) -> None:
    data.mkdir()
    (data / SECOND).write_bytes(hub.bodies[SECOND])
    texts.load("fineweb", shards=2)
    assert (data / f"{SECOND}.sha256").exists()
    assert SECOND not in [name for name, _ in hub.asked]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html>Too many requests</html>" * 50, "not with the magic number 20240520"),
        (shard(tokens(2, 50), version=2), "begins with 20240520 and 2, not with .* version 1"),
        (shard(tokens(2, 50), count=51), "header says 51 tokens, and it holds 50"),
        (shard(tokens(2, 50))[:-1], "header says 50 tokens, and it holds 49.5"),
        (shard(tokens(2, 0)), "header says 0 tokens"),
        (b"short", "has 5 bytes, less than its header of 1,024"),
        (shard(np.full(50, 50_257)), "holds token 50,257, and GPT-2's end at 50,256"),
    ],
)
def test_what_is_no_shard_is_not_trusted(hub: Hub, data: Path, body: bytes, words: str) -> None:
    hub.bodies[SECOND] = body
    with pytest.raises(TaskError, match=rf"is no shard of GPT-2 tokens: .*{words}") as refused:
        texts.load("fineweb", shards=2)
    assert "task.text=grammar" in str(refused.value) and "\n" not in str(refused.value)
    assert not [p.name for p in data.iterdir() if p.name.startswith(SECOND)]
    hub.bodies[SECOND] = shard(tokens(2, 7000))
    texts.load("fineweb", shards=2)


def test_a_truncated_shard_is_resumed(hub: Hub, data: Path) -> None:
    hub.cut = 10_000
    for _ in range(2):
        with pytest.raises(TaskError, match=r"cannot download .*ended after"):
            texts.load("fineweb")
    assert hub.asked[1] == (corpora.FINEWEB_VALIDATION, "bytes=10000-")
    hub.cut = None
    assert texts.load("fineweb").symbols == 9000


@pytest.mark.parametrize(
    ("text", "name"),
    [("wikitext103", "wikitext-103-raw-v1.zip"), ("fineweb", "fineweb_val_000000.bin")],
)
def test_offline_says_the_file_and_what_needs_none(
    hub: Hub, data: Path, text: str, name: str
) -> None:
    hub.bodies = {}
    with pytest.raises(TaskError) as refused:
        texts.load(text)
    for words in ("404", str(data / name), "task.text=pydocs", "task.text=grammar", "sha256"):
        assert words in str(refused.value)
    assert "\n" not in str(refused.value)
