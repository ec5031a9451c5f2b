"""From `meter=auto`, `meter=nvml+rapl` or one name to the meters of a run."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from harness import registry
from harness.config import METERS, Choosing
from harness.errors import BadInputError
from harness.load import construct
from metrics.joint import Joint
from metrics.meter import Meter

MODEL = "cpu_time"
INDIRECT = ("zeus", "battery")  # they see what nvml and rapl have measured already


def zeus_may_help() -> bool:
    """Whether to look through zeus, whose import alone takes seconds: Apple, AMD, Jetson, zeusd."""
    places = ("/dev/kfd", "/etc/nv_tegra_release", os.environ.get("ZEUSD_SOCK_PATH", "/none"))
    return sys.platform == "darwin" or any(Path(place).exists() for place in places)


def joint(choosings: list[Choosing]) -> Joint:
    """The named meters, to be read together."""
    return Joint([construct(c.target, c.fields, "meter") for c in choosings])


def from_name(name: str) -> tuple[Joint, str]:
    """The meters of a name with their default fields, and a line that says why these."""
    if name == registry.AUTO:
        return automatic([choosing(n) for n in METERS])
    return joint([choosing(n) for n in name.split("+")]), f"meter={name}"


def choosing(name: str) -> Choosing:
    """A meter with its yaml's fields."""
    choice = registry.find("meter", name)[0]
    return Choosing(choice.name, choice.target, dict(choice.fields), choice.about)


def automatic(choosings: list[Choosing]) -> tuple[Joint, str]:
    """The most real meters that work here, the modelled one beside them, and the reason."""
    taken: list[Meter] = []
    reasons = []
    for c in choosings:
        meter: Meter = construct(c.target, c.fields, "meter")
        if c.name == MODEL:
            taken.append(meter)
            continue
        if c.name in INDIRECT and taken:
            continue
        if c.name == "zeus" and not zeus_may_help():
            reasons.append("zeus: nothing here that only zeus can read")
            continue
        sensors = meter.sensors()
        if any(sensor.usable for sensor in sensors):
            taken.append(meter)
        else:
            remedy = sensors[0].remedy if sensors else "not here"
            reasons.append(f"{c.name}: {re.split(' [(]|[;:] ', remedy)[0]}")
    if not taken:
        raise BadInputError("meter=auto found no meter at all; say meter=cpu_time")
    names = "+".join(meter.name for meter in taken)
    why = f" ({'; '.join(reasons)}; more: bench meters)" if reasons else ""
    return Joint(taken), f"meter=auto took {names}{why}"
