"""What `bench metrics` makes of eight algorithms whose power is known: needs joulebench[meters] and cc.

    python tests/benchmarks/metrics_audit.py

Each algorithm sleeps and adds for a stated time and amount; the stand-in driver draws the watts below while
it sits. Every Record is a real one, of `bench run meter=nvml` and of `bench count`.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from metrics.record import Record
from metrics.store import Store
from tests import burners
from tests.conftest import command
from tests.scripted import TASK, burner, sit
from tests.standin.script import Board, Script, build, environment

# Watts at which the order by joules is neither that of seconds nor that of operations.
WATTS = {
    "Brief": 230.0,
    "Short": 100.0,
    "Medium": 100.0,
    "Long": 100.0,
    "Dense": 450.0,
    "Sparse": 50.0,
    "Lazy": 45.0,
    "Heavy": 170.0,
}


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="joulebench-audit-") as name:
        folder = Path(name)
        os.environ |= {"TMPDIR": name}
        os.chdir(folder)
        script = Script(folder / "nvml", [Board(period_s=0.02)])
        os.environ |= environment(script, build(folder))
        for algo, watts in WATTS.items():
            sit(script, algo, watts)
        subprocess.run(
            command("count", "-m", TASK, burner(*WATTS)), check=True, capture_output=True
        )
        print("algorithm   s of sleep   thousands of additions     W   J by bench run")
        for record in Store("results").load(Record).records:
            if record.headline:
                algo = record.algorithm.name.rpartition(":")[2]
                cls = getattr(burners, algo)
                joules = record.headline.energy_j.value
                work = f"{cls.seconds:10.1f} {cls.thousands:24d}"
                print(f"{algo:<10} {work} {WATTS[algo]:7.0f} {joules:15.1f}")
        print(flush=True)
        return subprocess.run(command("metrics")).returncode


if __name__ == "__main__":
    raise SystemExit(main())
