"""Kernels are built once, by whichever compiler there is, and a damaged or missing part is told."""

from __future__ import annotations

import ctypes
import errno
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.child import environment
from tasks.base import TaskError
from tasks.native import build, cache
from tasks.native.build import library
from tasks.native.errors import BuildError

# What the engine's kernel is made of: wrapping and shifting integers, copies, counts of bits.
SOURCE = """
typedef unsigned long long u64;
struct Row { u64 word[64]; };
extern "C" u64 mixed(u64 *words, u64 n, u64 seed) {
  Row row = {}, other;
  u64 sum = seed;
  for (u64 i = 0; i < n; i++) {
    words[i] = (words[i] ^ (sum >> 29)) * 0xbf58476d1ce4e5b9ull;
    sum += words[i] << (i & 31);
    row.word[i & 63] += __builtin_popcountll(sum);
    if ((i & 127) == 127) other = row, row.word[sum & 63] ^= other.word[i & 63];
  }
  for (u64 i = 0; i < 64; i++) sum = sum * 31 + row.word[i];
  return sum;
}
"""
BROKEN = 'extern "C" int f() {\n' + "\n".join(f"  missing_{i}();" for i in range(200)) + "\n}\n"
system = pytest.mark.skipif(
    not any(shutil.which(name) for name in ("c++", "g++", "clang++")), reason="no system compiler"
)


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No compiler and no cache of the user's."""
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path))
    cache.own_folder.cache_clear()


def answers(path: Path) -> list[int]:
    mixed = ctypes.CDLL(str(path)).mixed
    mixed.restype = ctypes.c_uint64
    found = []
    for n in (0, 1, 77, 1000):
        words = (ctypes.c_uint64 * 1000)(*range(1, 1001))
        sums = mixed(words, ctypes.c_uint64(n), ctypes.c_uint64(2**63 + n))
        found += [sums, *words[:3], words[999]]
    return found


def wrapper(path: Path, *lines: str) -> str:
    """A compiler of ours, in shell."""
    path.write_text("\n".join(["#!/bin/sh", *lines]) + "\n")
    path.chmod(0o755)
    return str(path)


def only_ziglang(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if importlib.util.find_spec("ziglang") is None:
        pytest.skip("the ziglang wheel is not installed: pip install 'joulebench[compiler]'")
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))


@system
@pytest.mark.alone
def test_a_kernel_is_built_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = tmp_path / "runs"
    monkeypatch.setenv("CXX", wrapper(tmp_path / "cxx", f"echo run >> {runs}", 'exec c++ "$@"'))
    built = library(SOURCE)
    assert built.parent == tmp_path / "kernels" and answers(built) == answers(library(SOURCE))
    start = time.perf_counter()
    assert library(SOURCE) == built
    assert time.perf_counter() - start < 0.1  # half a millisecond, on a machine with nothing else
    assert runs.read_text().split() == ["run"]
    assert library(SOURCE + "// changed") != built
    monkeypatch.setenv("CXX", os.environ["CXX"] + " -DX='a b'")
    assert library(SOURCE) != built
    assert len(runs.read_text().split()) == 3


@system
@pytest.mark.parametrize("damage", [b"", b"\x7fELF", None])
def test_a_damaged_library_is_built_again(
    damage: bytes | None, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    built = library(SOURCE, "kernel", tmp_path)
    code = built.read_bytes()
    changed = bytearray(code)
    changed[len(code) // 2] ^= 1
    built.write_bytes(bytes(changed) if damage is None else damage)
    assert library(SOURCE, "kernel", tmp_path) == built and built.read_bytes() == code
    said = capfd.readouterr().err
    assert said == f"{built} is damaged: it will be built again\n"
    assert library(SOURCE, "kernel", tmp_path) == built and capfd.readouterr().err == ""


@system
def test_without_a_cache_that_can_be_written_it_builds_for_the_process(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("not a folder")
    built = library(SOURCE, "kernel", tmp_path / "file")
    said = capfd.readouterr().err
    assert len(said.splitlines()) == 1 and "set BENCH_CACHE to a folder" in said
    assert answers(built) and library(SOURCE, "kernel", tmp_path / "file") == built
    assert capfd.readouterr().err == ""


@system
def test_a_full_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    write = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        if path.is_relative_to(tmp_path / "full"):
            write(path, data[:100])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    assert answers(library(SOURCE, "kernel", tmp_path / "full"))
    assert "No space left on device" in capfd.readouterr().err
    assert list((tmp_path / "full").iterdir()) == []


def test_no_compiler_names_both_remedies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "ziglang", None)
    with pytest.raises(BuildError, match=r"apt install g\+\+.*joulebench\[compiler\]") as caught:
        library(SOURCE)
    assert isinstance(caught.value, TaskError) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("cxx", "says"),
    [
        ("no-such-c++ -O1", "there is no program no-such-c"),
        ("g++ 'open", "No closing quotation"),
        ("./broken", "cannot run"),
    ],
)
def test_cxx_is_taken_at_its_word(
    cxx: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever names a compiler gets that one or an error, never another."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken").write_bytes(b"\x00nothing that could be run")
    (tmp_path / "broken").chmod(0o755)
    monkeypatch.setenv("CXX", cxx)
    with pytest.raises(BuildError, match=says):
        library(SOURCE)


@system
@pytest.mark.parametrize("writable", [True, False])
def test_a_failure_is_short_and_its_files_are_kept(writable: bool, tmp_path: Path) -> None:
    folder = tmp_path / "kernels"
    if not writable:
        folder.write_text("not a folder")
    with pytest.raises(BuildError) as caught:
        library(BROKEN, "engine", folder)
    parts = str(caught.value).split("; ")
    assert len(parts) == 8 and len(str(caught.value)) < 1500 and "\n" not in str(caught.value)
    assert parts[0].endswith("c++ failed (exit code 1)")
    assert parts[1].startswith("engine-") and "missing_0" in parts[1]
    assert parts[5] == "196 more" and "-O3" in parts[7]
    kept = Path(parts[6].removeprefix("source and full log: ").partition(" and ")[0])
    assert kept.is_relative_to(folder) == writable
    assert kept.read_text() == BROKEN and "missing_199" in kept.with_suffix(".log").read_text()
    shutil.rmtree(kept.parent)


def test_a_compiler_that_hangs_is_ended_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = tmp_path / "pid"
    script = wrapper(tmp_path / "cxx", f"sleep 60 & echo $! > {pid}", "wait")
    monkeypatch.setenv("CXX", script)
    monkeypatch.setattr(build, "TIMEOUT_S", 0.5)
    with pytest.raises(BuildError, match=r"did not end within 0\.5 s"):
        library(SOURCE)
    child = Path(f"/proc/{pid.read_text().strip()}/stat")
    until = time.monotonic() + 5
    while child.exists() and child.read_text().split()[2] != "Z" and time.monotonic() < until:
        time.sleep(0.02)
    assert not child.exists() or child.read_text().split()[2] == "Z"


@pytest.mark.parametrize(
    ("line", "says"), [("kill -9 $$", r"killed \(signal 9\)"), ("exit 0", "wrote no library")]
)
def test_other_ends_of_a_compiler(
    line: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", wrapper(tmp_path / "cxx", line))
    with pytest.raises(BuildError, match=says):
        library(SOURCE)


@system
def test_processes_may_build_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both find the cache empty, since the compiler waits until both have asked it."""
    both = f"touch {tmp_path}/$$; until [ $(ls {tmp_path} | grep -c '^[0-9]') = 2 ]; do :; done"
    monkeypatch.setenv("CXX", wrapper(tmp_path / "cxx", both, 'exec c++ "$@"'))
    code = f"from tasks.native.build import library\nprint(library({SOURCE!r}))"
    builds = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    paths = [build.communicate(timeout=60)[0].strip() for build in builds]
    assert [build.returncode for build in builds] == [0, 0]
    assert answers(Path(paths[0])) == answers(Path(paths[1]))
    assert {file.name for file in (tmp_path / "kernels").iterdir()} == {Path(p).name for p in paths}


@system
def test_zig_answers_as_the_system_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = library(SOURCE)
    only_ziglang(monkeypatch, tmp_path)
    built = library(SOURCE)
    assert built != expected and answers(built) == answers(expected)
    assert {file.suffix for file in built.parent.iterdir()} == {cache.SUFFIX}  # none of zig's cache


def test_zig_tells_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    only_ziglang(monkeypatch, tmp_path)
    with pytest.raises(BuildError, match=r"ziglang c\+\+ failed \(exit code 1\); .*missing_0"):
        library(BROKEN)


@system
def test_a_worker_has_its_parents_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has a HOME of its own, but must not build what is built."""
    built = library(SOURCE)
    monkeypatch.chdir(tmp_path.parent)
    monkeypatch.setenv("BENCH_CACHE", tmp_path.name)
    variables = environment(tmp_path / "worker", 1, False)
    assert variables["BENCH_CACHE"] == str(tmp_path)
    code = f"from tasks.native.build import library\nprint(library({SOURCE!r}))"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env={**variables, "CXX": ""},
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert done.stdout.strip() == str(built)
    assert list((tmp_path / "kernels").iterdir()) == [built]
    monkeypatch.delenv("BENCH_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    variables = environment(tmp_path / "worker", 1, False)
    assert cache.kernels_folder() == Path(variables["BENCH_CACHE"], "kernels")
    assert Path(variables["BENCH_CACHE"]).is_relative_to(tmp_path)


def test_a_library_that_cannot_be_loaded_is_forgotten(tmp_path: Path) -> None:
    """A compiler that says yes and writes rubbish, or a cache where programs may not run."""
    path = tmp_path / "kernel.so"
    path.write_bytes(b"rubbish")
    with pytest.raises(BuildError, match=r"cannot be loaded .*BENCH_CACHE"):
        build.opened(path)
    assert not path.exists()
