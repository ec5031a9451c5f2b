"""Random search: every trial drawn alone, uniformly (Bergstra and Bengio 2012)."""

from __future__ import annotations

from harness.processes.base import Process, Proposal


class Random(Process):
    """published: begin with the settings as published."""

    def __init__(self, published: bool = True) -> None:
        self.published = published

    def ask(self) -> Proposal | None:
        number = len(self.told)
        if self.published and not number:
            return Proposal(self.problem.published)
        return Proposal(self.problem.space.sample(self.problem.rng(number, "random")))
