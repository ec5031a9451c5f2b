"""`bench count`: operations, bytes and modelled joules of one training."""

from __future__ import annotations

from harness.count import CountRun
from harness.run_command import run


def count(words: list[str], multirun: bool) -> int:
    """Counts every configuration that the words ask for; one that fails does not stop the others."""
    return run(words, multirun, False, CountRun)
