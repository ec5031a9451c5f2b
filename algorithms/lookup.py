"""Infers a rule by looking up what became of every neighbourhood: the classical answer to pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from algorithms.base import Algorithm, Refused, Training
from algorithms.rule_pictures import Rule
from tasks.automaton import torus
from tasks.rule_search import RuleSearch


@dataclass
class Lookup(Algorithm):
    """Each neighbourhood's output is the one that was seen most often. What was not seen is guessed.

    totals: guess that the rule looks at the cell and at how many of its neighbours are 1, as Life does,
    if nothing that was seen speaks against it. Otherwise the guess is the commoner output.
    """

    families: ClassVar[tuple[str, ...]] = ("rule_search",)

    totals: bool = True

    def prepare(self, spec: RuleSearch) -> None:
        if spec.goal != "life":
            raise Refused(f"lookup needs pairs, which task.goal={spec.goal} has none of")
        super().prepare(spec)

    def train(self, data: dict[str, np.ndarray]) -> Training:
        yield from ()
        index = torus.neighbourhoods(data["before"]).ravel()
        seen = np.bincount(index, minlength=torus.ENTRIES)
        ones = np.bincount(index, data["after"].ravel(), torus.ENTRIES)
        common = np.uint8(2 * ones.sum() > seen.sum())
        table = np.where(seen > 0, 2 * ones > seen, common).astype(np.uint8)
        if self.totals:
            # A class for each state of the cell and number of neighbours: 2 x 9.
            kind = torus.outer_totalistic(np.arange(9), np.arange(9, 18))
            all_of, one_of = (np.bincount(kind, w, 18) for w in (seen > 0, (seen > 0) * table))
            if ((one_of == 0) | (one_of == all_of)).all():
                guess = np.where(all_of > 0, one_of > 0, common)
                table = guess[kind].astype(np.uint8)
        return Rule(table)
