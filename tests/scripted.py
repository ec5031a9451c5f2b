"""Real runs of `tests/burners.py` under the stand-in driver, each at a power of its own."""

from __future__ import annotations

import os
import subprocess

from tests.conftest import TESTS, command
from tests.standin.script import Script
from tests.standin.waveform import Constant

TASK = "task=sparse_parity"
QUICK = (TASK, "repeats=1", "settle_s=0", "trace=false")
SENSOR = ("meter=nvml", "meter.idle_s=0", "meter.floor_s=0.05")


def burner(*names: str) -> str:
    """The word that chooses one, or several for a sweep."""
    return "algo=" + ",".join(f"{TESTS / 'burners.py'}:{name}" for name in names)


def sit(script: Script, name: str, watts: float, *words: str) -> None:
    """One measured run of which the first board draws a constant power; os.environ names the driver."""
    script.play(0, Constant(watts))
    done = subprocess.run(
        command("run", *QUICK, *SENSOR, burner(name), *words),
        capture_output=True,
        text=True,
        env=dict(os.environ),
    )
    assert done.returncode == 0, done.stderr
