"""Turns on a device."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from harness.errors import BadInputError

DEVICE_LOCK = Path(tempfile.gettempdir()) / "joulebench-cpu.lock"


@contextlib.contextmanager
def device_turn(say: Callable[[str], None]) -> Iterator[None]:
    """Runs on one device take turns, so that none is measured in another's shadow.

    Whoever has the turn may take it again within it: an exam keeps it for all of a pair.
    """
    lock = FileLock(DEVICE_LOCK, mode=0o666, is_singleton=True)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say("another run is on this device; waiting for its turn to end")
        lock.acquire()
    except PermissionError:
        raise BadInputError(
            f"cannot lock {DEVICE_LOCK}; remove it, or point TMPDIR at a folder of your own"
        ) from None
    try:
        yield
    finally:
        lock.release()
