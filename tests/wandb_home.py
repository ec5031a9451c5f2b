"""What tests of tracker=wandb begin with: a home without a key, and a process in wandb's place."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.trackers import weights_biases
from tests.trackers import ROOT

OURS = ("WANDB_API_KEY", "WANDB_MODE", "WANDB_PROJECT", "WANDB_ENTITY", "WANDB_BASE_URL", "NETRC")
PRIVATE = "a-name-of-the-users-environment"


@pytest.fixture
def user(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without a key, and a process of this test's own."""
    for name in OURS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home / "user"))
    monkeypatch.setenv("USER", PRIVATE)
    monkeypatch.setattr(weights_biases, "_shared", None)
    return home


@pytest.fixture
def stand_in(user: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A process in wandb's place; where it writes what it hears."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("STAND_IN_LOG", str(user / "heard"))
    monkeypatch.setattr(weights_biases, "MODULE", "tests.wandb_standin")
    return user / "heard"
