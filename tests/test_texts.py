"""Every rung loads, and whatever is wrong with one is said in a line that names a way out."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np
import pytest

from tasks import download, texts
from tasks.base import TaskError

SENTENCE = "Zwölf Boxkämpfer jagen Viktor quer über den Sylter Deich. "


def test_pydocs_is_english_with_no_paragraph_twice() -> None:
    text = texts.load("pydocs")
    assert text.data.dtype == np.uint8
    assert text.bytes > 200_000
    assert text.sections is not None
    assert len(text.sections) > 50
    assert text.sections[0] == 0
    assert (np.diff(text.sections) > 0).all()
    whole = bytes(text.data).decode()
    assert whole.count('The "assert" statement\n***') == 1
    # Every topic starts with a heading, underlined.
    starts = [bytes(text.data[s : s + 300]).decode(errors="ignore") for s in text.sections]
    assert np.mean([set(start.split("\n")[1]) <= set("*=-~^") for start in starts]) > 0.9
    paragraphs = [p.strip("\n") for p in whole.split("\n\n") if p.strip()]
    assert len(set(paragraphs)) > 0.99 * len(paragraphs)
    assert f"Python {sys.version_info.major}.{sys.version_info.minor}" in text.source
    assert text.entropy is None


def test_pydocs_sections_end_with_a_separator() -> None:
    text = texts.load("pydocs")
    assert text.sections is not None
    for end in [*text.sections[1:], text.bytes]:
        assert bytes(text.data[end - 3 : end]) == b"\n\n\n"


def test_a_python_without_help_topics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    with pytest.raises(TaskError, match=r"task\.text=pydocs.*task\.text=grammar"):
        texts.load("pydocs")


def test_grammar_is_a_text_of_its_own_for_every_seed() -> None:
    one = texts.load("grammar", length=5000, entropy=[1, 2])
    assert one.bytes == 5000
    assert one.entropy is not None
    assert 0.5 < one.entropy < 1.0
    assert one.sha256 == hashlib.sha256(one.data.tobytes()).hexdigest()
    assert one.sha256 == texts.load("grammar", length=5000, entropy=[1, 2]).sha256
    assert one.sha256 != texts.load("grammar", length=5000, entropy=[1, 3]).sha256


def test_tinyshakespeare_comes_from_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = SENTENCE.encode()
    monkeypatch.setenv("BENCH_DATA", str(tmp_path))
    monkeypatch.setattr(texts, "SHAKESPEARE_SHA256", hashlib.sha256(content).hexdigest())
    (tmp_path / "tinyshakespeare.txt").write_bytes(content)
    assert bytes(texts.load("tinyshakespeare").data) == content
    (tmp_path / "tinyshakespeare.txt").write_bytes(content[:-1])
    with pytest.raises(TaskError, match="damaged"):
        texts.load("tinyshakespeare")


def test_tinyshakespeare_asks_for_the_pinned_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def fetch(*what: object) -> None:
        asked.extend(what)
        (tmp_path / "tinyshakespeare.txt").write_text(SENTENCE)

    monkeypatch.setattr(download, "fetch", fetch)
    monkeypatch.setenv("BENCH_DATA", str(tmp_path))
    texts.load("tinyshakespeare")
    assert asked == [
        "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
        tmp_path / "tinyshakespeare.txt",
        "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    ]


def test_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_DATA", "~/data")
    assert texts.cache_folder() == Path.home() / "data"
    monkeypatch.delenv("BENCH_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert texts.cache_folder().name == "joulebench"


def test_a_file_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = SENTENCE.encode() * 10
    path = tmp_path / "mine.txt"
    path.write_bytes(content)
    monkeypatch.chdir(tmp_path)
    for text in (str(path), "mine.txt", "./mine.txt"):
        loaded = texts.load(text)
        assert bytes(loaded.data) == content
        assert loaded.name == "file:mine.txt"
        assert loaded.source == str(path.resolve())
    pinned = hashlib.sha256(content).hexdigest()
    assert texts.load("mine.txt", sha256=pinned.upper()).sha256 == pinned
    path.write_bytes(content + b".")
    with pytest.raises(TaskError) as refused:
        texts.load("mine.txt", sha256=pinned)
    for words in ("mine.txt", "changed since its hash was pinned", pinned, loaded.sha256):
        assert words in str(refused.value)
    assert hashlib.sha256(content + b".").hexdigest() in str(refused.value)


def test_any_byte_but_nul_may_stand_in_a_text(tmp_path: Path) -> None:
    content = bytes(range(1, 256)) * 3
    (tmp_path / "symbols").write_bytes(content)
    assert bytes(texts.load(str(tmp_path / "symbols")).data) == content


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (SENTENCE.encode("utf-16"), "NUL"),
        (b"\x7fELF" + bytes(9), r"9 of its 13 bytes are NUL, the first at offset 4"),
    ],
)
def test_files_that_are_no_text(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "file.txt"
    path.write_bytes(content)
    with pytest.raises(TaskError, match=rf"^task\.text={path}: .*{words}"):
        texts.load(str(path))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("shakespeare", "did you mean tinyshakespeare"),
        ("pydoc", "did you mean pydocs"),
        ("no/such/file.txt", "no such file"),
        ("x" * 5000, "no such file"),
    ],
)
def test_unknown_texts(text: str, words: str) -> None:
    with pytest.raises(TaskError) as refused:
        texts.check_name(text)
    for expected in (words, "grammar", "pydocs", "tinyshakespeare", "path"):
        assert expected in str(refused.value)


def test_a_folder_and_an_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TaskError, match="is a folder"):
        texts.load(str(tmp_path))
    (tmp_path / "secret").write_text(SENTENCE)

    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(np, "fromfile", denied)  # root may read whatever its mode says
    with pytest.raises(TaskError, match="cannot be read: Permission denied"):
        texts.load(str(tmp_path / "secret"))
