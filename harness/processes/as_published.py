"""No search: the settings as published, which any search has to beat."""

from __future__ import annotations

from typing import ClassVar

from harness.processes.base import Process, Proposal


class AsPublished(Process):
    """One trial."""

    bounded: ClassVar[bool] = True

    def ask(self) -> Proposal | None:
        return None if self.told else Proposal(self.problem.published)
