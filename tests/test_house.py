"""How the house is built: imports in one direction, Hydra in one file, no torch in the parent."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Bench

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {
    "tasks": {"tasks"},
    "metrics": {"metrics"},
    "algorithms": {
        "algorithms",
        "tasks.automaton",
        "tasks.base",
        "tasks.classification",
        "tasks.native",
        "tasks.rule_search",
        "tasks.sequence",
    },
    "reports": {"reports", "metrics"},
    "harness": {"harness", "reports", "metrics", "tasks", "algorithms.base", "configs"},
}


def imports(path: Path) -> set[str]:
    """Every module that a file imports anywhere."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_point_one_way(package: str) -> None:
    for path in files(package):
        for module in imports(path):
            if module.split(".")[0] in (*MAY_IMPORT, "configs", "tests"):
                allowed = any(
                    module == name or module.startswith(f"{name}.") or name.startswith(f"{module}.")
                    for name in MAY_IMPORT[package]
                )
                assert allowed, f"{path.relative_to(ROOT)} imports {module}"


def test_hydra_is_imported_in_one_file() -> None:
    users = [
        path.relative_to(ROOT).as_posix()
        for package in MAY_IMPORT
        for path in files(package)
        if any(module.split(".")[0] in ("hydra", "omegaconf") for module in imports(path))
    ]
    assert users == ["harness/config.py"]


def test_nothing_is_pickled() -> None:
    for package in MAY_IMPORT:
        for path in files(package):
            assert not {"pickle", "dill", "cloudpickle", "shelve", "marshal"} & imports(path), path


def test_files_are_small_rooms() -> None:
    for package in MAY_IMPORT:
        for path in files(package):
            assert len(path.read_text().splitlines()) <= 340, f"{path} is too long to read at once"


def loaded_by(code: str, cwd: Path) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"import sys, json\n{code}\nprint(json.dumps(list(sys.modules)))"],
        capture_output=True,
        text=True,
        check=True,
        cwd=cwd,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_parent_never_imports_torch(home: Path) -> None:
    """A whole run with a torch algorithm: torch is in the worker's modules alone."""
    words = ["task=nanogpt", "task.text=grammar", "task.bytes=30000", "repeats=1"]
    small = [
        "algo=backprop",
        "algo.max_iters=3",
        "algo.n_layer=1",
        "algo.n_embd=8",
        "algo.n_head=1",
    ]
    code = f"from harness.cli import main\nassert main({['run', *words, *small]!r}) == 0"
    assert "torch" not in loaded_by(code, home)


def test_listing_loads_nothing_slow(home: Path) -> None:
    modules = loaded_by("from harness.cli import main\nassert main(['list']) == 0", home)
    assert not modules & {"torch", "hydra", "omegaconf", "numpy", "optuna", "sqlite3"}


def test_help_teaches(bench: Bench) -> None:
    assert "bench run task=nanogpt" in bench("--help").stdout
    assert "bench run -m" in bench("run", "--help").stdout
