"""How a text organism reads and learns, in slow Python; the kernel's `text_*.h` say what it does and why.

All numbers are integers as wide as they need to be: the kernel's 16 bits hold them, its comments say why.
"""

from __future__ import annotations

import numpy as np

from algorithms.hypercell.arithmetic import WIDE, WORD
from algorithms.hypercell.density_oracle import quotient
from algorithms.hypercell.oracle import Here
from algorithms.hypercell.text import MODELS, P
from algorithms.hypercell.text_oracle_reader import (
    BUCKETS,
    HEAD,
    MIND,
    ONE,
    WIDEST,
    Look,
    begin_segment,
    express,
    follow,
    log2_of,
    look_at,
)

DEEPEST, ROW_LIMIT, LOGIT_LIMIT = 5631, 24000, 16000
WEIGHT_LIMIT, LEAST_GAIN, MOST_GAIN = 8 << 18, 1 << 18, (1 << 26) - 1
PROBES, ROW, TAGS = 8, 1 << 31, WIDE << 40 & WIDE
CLAIM, AHEAD, SAMPLE = 8, 16, 8  # bytes: lookups run ahead of learning; every eighth is counted


class Mind:
    """The kernel's `Mind`, its slots uint64 [2**bits] and its rows int16 [rows, width]: views of an
    arena."""

    def __init__(self, here: Here) -> None:
        params = here.space.params
        self.width, self.bits, self.capacity = params[P.WIDTH], params[P.BITS], params[P.ROWS]
        self.raw = np.ndarray((), MIND, here.arena)
        self.traits, self.learned = self.raw["traits"], self.raw["learned"]
        self.reader = self.raw["reader"]
        size, rows = 1 << self.bits, (self.capacity, self.width)
        self.slots = np.ndarray((size,), "<u8", here.arena, HEAD)
        self.rows = np.ndarray(rows, "<i2", here.arena, HEAD + 8 * size)

    def begin(self, genome: list[int], has: int) -> None:
        """The memory of one that has read nothing. has: what it has bought; bit j: model j, bit MODELS:
        matches."""
        self.slots[:] = 0
        express(genome, self.traits)
        for j in range(MODELS):
            if not has >> j & 1:
                self.learned["gain"][j], self.learned["run"][j] = self.traits["gain"], 0
        if not has >> MODELS & 1:
            self.learned["match"] = 0
        begin_segment(self.reader)
        self.raw["used"] = self.raw["mated"] = 0
        self.raw["seeds"] = [(i * 40503 + 1) & 0xFFFF for i in range(WIDEST)]


def exp_down(x: np.ndarray) -> np.ndarray:
    """exp(-x / 2^9) in units of 2^-15, for 0 <= x <= DEEPEST."""
    octaves = 4 * x * 23637 >> 16
    part = (octaves & 511) << 6
    y = 15150 - 2 * (part * 2593 >> 16)
    y = 22662 - (part * y >> 16)
    return 32767 - 2 * (part * y >> 16) >> (octaves >> 9)


def softmax(z: np.ndarray) -> tuple[int, np.ndarray, int]:
    """The largest of logits z [width], their probabilities in units of 2^-14, and the sum of
    exp(z - largest) in units of 2^-15."""
    p = exp_down(np.minimum(z.max() - z, DEEPEST))
    total = int(p.sum())
    return int(z.max()), p * min(0x3FFFFFFF // total, 32767) >> 16, total


def pace_of(step: int) -> tuple[int, int]:
    """How far a row goes, and the greatest nudge that rounds it at random."""
    step = min(max(step, 5), 32000)
    return step, 131071 // step


def visits_of(slot: int) -> int:
    return slot >> 32 & 255


def claim(mind: Mind, hash_: int) -> int | None:
    """Finds a slot or takes one: an empty one, or that of the line's shortest run."""
    line, tag = hash_ >> 64 - mind.bits & -PROBES, hash_ << 40 & WIDE or 1 << 40
    slots = mind.slots[line : line + PROBES].tolist()
    for i, slot in enumerate(slots):
        if slot & TAGS == tag:
            return line + i
    runs = [i for i, slot in enumerate(slots) if not slot & ROW and visits_of(slot)]
    found = (
        slots.index(0) if 0 in slots else min(runs, key=lambda i: visits_of(slots[i]), default=None)
    )
    if found is None:
        return None
    mind.slots[line + found] = tag
    return line + found


def find(mind: Mind, hash_: int) -> int | None:
    """The slot of a context that has been met."""
    line, tag = hash_ >> 64 - mind.bits & -PROBES, hash_ << 40 & WIDE or 1 << 40
    for i, slot in enumerate(mind.slots[line : line + PROBES].tolist()):
        if slot & TAGS == tag or not slot:
            return line + i if slot else None
    return None


class Reading:
    """Some bytes of a stretch, learned at one pace. scale: of all rates, 2^-16. learns: False where they
    are only predicted."""

    def __init__(self, mind: Mind, scale: int, learns: bool) -> None:
        self.mind, self.learns, w, t = mind, learns, mind.learned, mind.traits
        self.gain, self.run, self.match, self.pace = (
            w[n] for n in ("gain", "run", "match", "pace")
        )
        self.bucket, self.models = t["bucket"].tolist(), int(t["models"])
        names = ("rate_of_gains", "rate_of_runs", "rate_of_matches")
        self.of_gains, self.of_runs, self.of_matches = (int(t[n]) * scale >> 16 for n in names)
        for j in range(self.models if learns else 0):
            for b in range(BUCKETS):
                step = (int(t["step"][j]) * int(t["rate"][b]) >> 16) * scale >> 16
                self.pace[j, b] = pace_of(step * (int(self.gain[j, b]) >> 11) >> 14 & WORD)

    def _of_visits(self, j: int, slot: int) -> tuple[int, int]:
        """Place in gain, run and pace of model j."""
        return j, self.bucket[visits_of(slot)]

    def forward(self, look: Look, value: list[int]) -> np.ndarray:
        """The logits [width]."""
        z = np.zeros(self.mind.width, np.int64)

        def add(what: np.ndarray | int, at: int | slice = slice(None)) -> None:
            z[at] = np.clip(z[at] + what, -LOGIT_LIMIT, LOGIT_LIMIT)

        for m, length in enumerate(look.length):
            if length:
                at = look.expected[m]
                add(int(self.match[m, length, at]) >> 9, at)
        for j, slot in enumerate(value):
            if visits_of(slot) and not slot & ROW:
                add(int(self.run[self._of_visits(j, slot)]) >> 9, slot & ROW - 1)
        for j, slot in enumerate(value):
            if slot & ROW:
                gain = int(self.gain[self._of_visits(j, slot)]) >> 11
                add(self.mind.rows[slot & ROW - 1].astype(np.int64) * gain >> 16)
        return z

    def update(self, look: Look, value: list[int], p: np.ndarray, y: int) -> None:
        """After class y, of which p [width] was foreseen."""
        mind, width = self.mind, self.mind.width
        error = -p
        error[y] += ONE
        seeds = mind.raw["seeds"][:width]
        seeds[:] = seeds * np.uint16(25173) + np.uint16(13849)
        for m, length in enumerate(look.length):
            if length:
                at = m, length, look.expected[m]
                more = self.of_matches * int(error[look.expected[m]]) >> 12
                self.match[at] = min(max(int(self.match[at]) + more, -WEIGHT_LIMIT), WEIGHT_LIMIT)
        found = [
            (j, s, v)
            for j, (s, v) in enumerate(zip(look.slot, value, strict=True))
            if s is not None
        ]
        for j, s, slot in found:
            if slot & ROW and p[y] < mind.traits["sure"]:
                self._learn_row(j, slot, error, (seeds >> 1).astype(np.int64))
                mind.slots[s] = slot + ((visits_of(slot) < 255) << 32)
        for j, s, slot in found:
            if visits_of(slot) and not slot & ROW:
                mind.slots[s] = slot & TAGS | self._learn_run(j, slot, error, y)
        for _, s, slot in found:
            if not visits_of(slot) and not slot & ROW:
                mind.slots[s] = slot & TAGS | 1 << 32 | y

    def _learn_row(self, j: int, slot: int, error: np.ndarray, random: np.ndarray) -> None:
        at = self._of_visits(j, slot)
        row, (step, fine) = self.mind.rows[slot & ROW - 1], self.pace[at].tolist()
        dot = int(row.astype(np.int64) @ error)
        row[:] = np.clip(
            row + ((random * fine >> 16) + error) * step // 65536, -ROW_LIMIT, ROW_LIMIT
        )
        gain = int(self.gain[at]) + (dot * self.of_gains >> 18)
        self.gain[at] = min(max(gain, LEAST_GAIN), MOST_GAIN)

    def _learn_run(self, j: int, slot: int, error: np.ndarray, y: int) -> int:
        """A run goes on, becomes a row, or begins again: what stands in its slot then, beside the tag."""
        mind, at, was = self.mind, self._of_visits(j, slot), slot & ROW - 1
        more = min(visits_of(slot) + 1, 255)
        trust = int(self.run[at])
        trusted = trust + (self.of_runs * int(error[was]) >> 12)
        self.run[at] = min(max(trusted, -WEIGHT_LIMIT), WEIGHT_LIMIT)
        if was == y and more <= mind.traits["runs"]:
            return more << 32 | y
        index = int(mind.raw["used"])
        if index == mind.capacity:
            return 1 << 32 | y
        mind.raw["used"] = index + 1
        gain = int(self.gain[j, self.bucket[more]]) >> 11
        row = error * int(self.pace[at][0]) >> 16
        row[was] += quotient(trust << 7, max(gain, 512))
        row[was] = min(max(int(row[was]), -ROW_LIMIT), ROW_LIMIT)
        mind.rows[index] = row
        return more << 32 | ROW | index

    def read(
        self, text: np.ndarray, start: int, segment: int, class_of: np.ndarray
    ) -> tuple[int, int, int]:
        """Reads text, which begins at byte `start` of a stretch. Returns losses in 2^-9 nats, lines
        touched, and of how many bytes."""
        mind, t, looks = self.mind, self.mind.traits, []
        lost = lines = said = 0
        for i in range(len(text) + AHEAD):
            if i < len(text):
                if (start + i) % segment == 0:
                    begin_segment(mind.reader)
                looks.append(look_at(mind.reader, t, class_of))
                follow(mind.reader, t["least"].tolist(), int(text[i]))
            if 0 <= i - CLAIM < len(text):
                look = looks[i - CLAIM]
                look.slot = [(claim if self.learns else find)(mind, hash_) for hash_ in look.hash]
            if i < AHEAD:
                continue
            look, y = looks[i - AHEAD], int(class_of[text[i - AHEAD]])
            value = [0 if s is None else int(mind.slots[s]) for s in look.slot]
            z = self.forward(look, value)
            top, p, total = softmax(z)
            if (start + i - AHEAD) % SAMPLE == 0:
                down = max(0, log2_of(total) - (15 << 16)) * 355 >> 16
                lost += top - int(z[y]) + down
                rows = sum(slot >> 31 & 1 for slot in value)
                lines, said = lines + self.models + rows * (mind.width // 32), said + 1
            if self.learns:
                self.update(look, value, p, y)
        return lost, lines, said
