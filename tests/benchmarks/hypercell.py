"""Hypercell's figures in one run: what the engine costs, what threads bring, sparse parity.

python -m tests.benchmarks.hypercell [--only engine threads parity parts] [--draws 20] [--sizes 1e3 1e4]
"""

from __future__ import annotations

import argparse
import os

from rich.console import Console

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # before numpy is there; all rows of the table have one thread

PARTS = ("engine", "threads", "parts", "parity")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--draws", type=int, default=20, help="of each sparse parity (20)")
    parser.add_argument("--sizes", nargs="+", default=["1e3", "1e4", "1e5", "1e6"])
    parser.add_argument("--repetitions", type=int, default=5, help="of each timing (5)")
    words = parser.parse_args()
    from tests.benchmarks import hypercell_engine, hypercell_parity

    console = Console(width=140)
    if "engine" in words.only:
        hypercell_engine.overhead(console, words.repetitions, words.sizes)
    if "threads" in words.only:
        hypercell_engine.threads(console, words.repetitions)
    if "parts" in words.only:
        hypercell_parity.where_it_goes(console)
    if "parity" in words.only:
        hypercell_parity.parity_table(console, words.draws, hypercell_parity.ROWS)


if __name__ == "__main__":
    main()
