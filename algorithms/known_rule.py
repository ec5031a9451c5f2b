"""A rule that somebody has published, or any other by its hexadecimal digits: nothing is learned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from algorithms.base import Algorithm, Refused, Training
from algorithms.rule_pictures import Rule, diagrams
from tasks.automaton.rules import parse_rule
from tasks.rule_search import RINGS, RuleSearch


@dataclass
class KnownRule(Algorithm):
    """rule: a name that `tasks.automaton.rules.KNOWN` has, or hexadecimal digits of the task's radius.

    The first digit's high bit is the output for the neighbourhood of zeros.
    """

    families: ClassVar[tuple[str, ...]] = ("rule_search",)

    rule: str = "gkl"

    def prepare(self, spec: RuleSearch) -> None:
        if spec.goal not in RINGS:
            raise Refused(f"known_rule knows rules of rings, which task.goal={spec.goal} is not of")
        self.table = parse_rule(str(self.rule), spec.radius)
        super().prepare(spec)

    def train(self, data: dict[str, np.ndarray]) -> Training:
        yield from ()
        return Rule(self.table)

    def pictures(self, data: dict[str, np.ndarray]) -> dict[str, bytes]:
        return diagrams(self.table, self.spec)
