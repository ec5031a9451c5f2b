"""Counting a training from within its worker: torch and numpy by their own hooks, kernels by themselves.

Never in a measured run. Each of the three fills a `metrics.counts.Tally`.
"""

from __future__ import annotations

import contextlib
import sys
from typing import Any

import numpy as np

from algorithms.base import Algorithm, Refused
from metrics.count_base import PYTHON
from metrics.count_numpy import NumpyCounter
from metrics.counts import CountsError, Tally, from_mapping

BLIND = "libraries other than numpy and torch are not counted"
NOT_COMPILED = "torch.compile was off: what it would have fused counts the bytes of each part"


class Counting:
    """Counts what happens inside. Use as a context manager around the training; then ask `told`."""

    def __init__(self, algorithm: Algorithm, spec: Any) -> None:
        self.algorithm = algorithm
        if not callable(algorithm.counts):
            raise Refused("its field counts hides the method of that name; rename the field")
        if type(algorithm).counts is Algorithm.counts:
            self._check_kernels()  # now, not after hours of training
        self.counters: list[Any] = []
        if "torch" in sys.modules:
            from metrics.count_torch import TorchCounter

            self.counters.append(TorchCounter())
        self.numpy = NumpyCounter()
        self.counters.append(self.numpy)
        # What the first question will be: made here, where nothing is counted yet.
        self.first = self.wrap(np.ones((1, getattr(spec, "n", 1)), np.int8))
        self._within = contextlib.ExitStack()

    def __enter__(self) -> Counting:
        for counter in self.counters:
            self._within.enter_context(counter)
        return self

    def __exit__(self, *error: Any) -> None:
        self._within.__exit__(*error)

    def wrap(self, value: Any) -> Any:
        """An array, or a list or mapping of them, whose operations will be counted."""
        if isinstance(value, dict):
            return {name: self.wrap(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self.wrap(item) for item in value]
        return self.numpy.wrap(value) if isinstance(value, np.ndarray) else value

    def told(self) -> dict[str, Any]:
        """All that was counted, as a message."""
        tally = Tally(notes=[PYTHON, BLIND])
        for counter in self.counters:
            tally.add(counter.tally)
        if len(self.counters) > 1:
            tally.note(NOT_COMPILED)
        elif "torch" in sys.modules:
            raise Refused(
                "it imports torch within train, too late to be counted; import it in prepare"
            )
        said = self.algorithm.counts()
        if said is None:
            self._check_kernels()
        else:
            try:
                kernel = from_mapping(said)
            except CountsError as error:
                raise Refused(str(error)) from None
            peak_bytes = max(tally.peak_bytes, kernel.peak_bytes)  # most of its arrays are numpy's
            tally.add(kernel)
            tally.peak_bytes = peak_bytes
        return tally.told()

    def _check_kernels(self) -> None:
        build = sys.modules.get("tasks.native.build")
        if kernels := getattr(build, "asked_for", ()):
            raise Refused(
                f"its compiled kernel ({', '.join(sorted(set(kernels)))}) does not count itself and would "
                "be undercounted; give the class a method counts (algorithms/base.py)"
            )
