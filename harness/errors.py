"""Errors that a user can act on. Everything else is a fault of ours and keeps its traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class BadInputError(ValueError):
    """Something the user asked for that cannot be had: one line with the way out, exit code 2."""


class WorkerError(RuntimeError):
    """An algorithm that did not finish its sitting: crashed, hung, ran out of memory, broke a rule."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """ " (did you mean X?)" for the nearest known name, or nothing."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" (did you mean {near[0]}?)" if near else ""
