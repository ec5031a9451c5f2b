"""Nothing is faster than light: who is where no earlier than the stretches on the way allow."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from algorithms.hypercell.space import Axis, Geometry
from algorithms.hypercell.world import Founder, genes
from tests.biologies.messenger import MESSENGER, MessengerLife
from tests.hypercells import SEEDS, Case, geometries, geometry


def settled_at(shape: Geometry, founder: int, seed: int, ticks: int, tile: int = 8) -> list[int]:
    """When each location was first lived in; `ticks` where it was not."""
    engine = genes(rate=0, threshold=0, share=127)
    case = Case(
        *(shape, MESSENGER, MessengerLife(), (10_000,), None),
        founders=(Founder(founder, engine, (), ()),),
        seed=seed,
    )
    world, found = case.world(tile), [ticks] * shape.locations
    for tick in range(ticks):
        world.run(tick + 1)
        for at in np.flatnonzero(world.arrays["settled"]):
            found[at] = min(found[at], tick)
    return found


def light(shape: Geometry, a: int, b: int) -> int:
    """Sum of the stretches along the shortest way."""
    ends = zip(*(np.unravel_index(i, shape.lengths) for i in (a, b)), shape.axes, strict=True)
    total = 0
    for here, there, axis in ends:
        steps = abs(int(here) - int(there))
        total += min(steps, axis.length - steps if axis.ring else steps) * axis.stretch
    return total


@settings(max_examples=60)
@given(geometries(), st.data(), SEEDS)
def test_nobody_arrives_before_light(shape: Geometry, data: st.DataObject, seed: int) -> None:
    founder = data.draw(st.integers(0, shape.locations - 1))
    ticks = 40
    arrivals = settled_at(shape, founder, seed, ticks, tile=data.draw(st.sampled_from([1, 8, 64])))
    distances = [light(shape, founder, at) for at in range(shape.locations)]
    for arrival, distance in zip(arrivals, distances, strict=True):
        assert arrival >= min(distance, ticks)
    reached = [a == d for a, d in zip(arrivals, distances, strict=True)]
    assert sum(reached) >= min(2, shape.locations)  # the founder, and its first child


def test_light_speed_is_reached_over_many_hops() -> None:
    shape = geometry(device=Axis(5, False, 3, 0))
    first = np.min([settled_at(shape, 0, seed, 40, tile=1) for seed in range(40)], axis=0)
    assert first.tolist() == [0, 3, 6, 9, 12]


def test_a_ring_is_shorter() -> None:
    shape = geometry(device=Axis(5, True, 3, 0))
    first = np.min([settled_at(shape, 0, seed, 40, tile=1) for seed in range(40)], axis=0)
    assert first.tolist() == [0, 3, 6, 6, 3]


def test_a_slow_axis_opens_seldom() -> None:
    """A hop waits until its axis opens, then takes one stretch: 2 + 3 ticks are not to be had."""
    shape = geometry(sm=Axis(2, False, 2, 0), warp=Axis(2, False, 3, 0))
    first = np.min([settled_at(shape, 0, seed, 40, tile=1) for seed in range(40)], axis=0)
    assert first.tolist() == [0, 3, 2, 6]
