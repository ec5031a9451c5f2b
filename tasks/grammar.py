"""A stochastic grammar that writes text of any length, with an entropy that is known.

It is a probabilistic automaton: `GRAMMAR` says for every state which classes of words may follow,
with what weight and into which state. Within a class, words have weights like 1/(rank + 2) (Zipf).
Number agrees between determiner, noun and verb, across a relative clause if there is one; a heading
names the topic, which decides for its paragraph which nouns are frequent.

Every probability is a weight over 2**32, and text gives away its derivation: words are told apart
by the spaces and stops between them, and within one state no word occurs twice, so that there is
one path for a text (`tests/test_grammar.py` walks it). Hence the entropy of the text is that of the
choices. Paragraphs are independent and alike, so by the renewal-reward theorem a byte carries
H / L nats, the expected nats of a paragraph over its expected bytes. With v the expected visits to
each state within a paragraph, which solve v = e_start + v P,

    H = sum_s v_s (H(arc | s) + sum_arc p(arc | s) H(word | class)),   L likewise with word lengths.

This is the rate with all the text before in view. A learner that starts afresh in the middle of a
sentence pays a few nats more until it knows where it is.

Only integers and raw Philox words are used, so a seed gives the same bytes everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np

ONE = 1 << 32  # probabilities are integers over this
TOPICS = 8
PARAGRAPHS = 1024  # that are written side by side; part of the definition, like the weights
Classes = dict[str, list[tuple[str, int]]]

# state: (weight in 64ths, class of words, next state); "{n}" is each of the numbers s (singular)
# and p (plural), "{t}" each topic. Classes whose name ends in ^ are capitalised.
GRAMMAR = """
start         : 8 heading{t} first.{t}
first.{t}     : 40 the^ head.s.{t} | ...
"""
