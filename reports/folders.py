"""The Records of several results folders as one."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from metrics.store import Store, StoreError


class Run(Protocol):
    """What tells a Record that lies in two folders."""

    @property
    def run(self) -> str: ...


R = TypeVar("R", bound=Run)


def gather(folders: Sequence[Path], type: type[R]) -> list[R]:
    """All Records of `folders` decoded as `type`, each run once, in the order of their begin.

    What cannot be read is told on standard error. Raises StoreError where a folder is not there, or where
    there is no Record in any.
    """
    found: dict[str, R] = {}
    problems = []
    for folder in folders:
        if not folder.is_dir():
            raise StoreError(
                f"there is no folder {folder}; Records are made there by: "
                f"bench run task=sparse_parity algo=xor_elimination results={folder}"
            )
        loaded = Store(folder).load(type)
        problems += loaded.problems
        for record in loaded.records:
            found.setdefault(record.run, record)
    for problem in problems:
        print(f"bench: {problem}", file=sys.stderr)
    if not found:
        where = ", ".join(str(folder) for folder in folders)
        raise StoreError(
            f"there are no Records in {where}; make one with: "
            "bench run task=sparse_parity algo=xor_elimination"
        )
    # A run's name begins with its date and time, to the second.
    return [found[run] for run in sorted(found)] if len(folders) > 1 else list(found.values())
