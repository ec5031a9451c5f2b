"""What HTTP plugs answer: Shelly of both generations and Tasmota.

Shelly Gen1 `/status`: meters[0].power in W, .total in watt-minutes. Shelly Gen2 and later
`/rpc/Switch.GetStatus?id=0`: apower in W, aenergy.total in Wh with three decimals. Tasmota
`/cm?cmnd=Status%208`: StatusSNS.ENERGY.Power in W, .Total in kWh with three decimals by default.
(shelly-api-docs.shelly.cloud, tasmota.github.io/docs)
"""

from __future__ import annotations

import http.client
import json
import math
import urllib.error
import urllib.request
from typing import Any

from metrics.meter import MeterError
from metrics.readings import Resolution

# Not through a proxy: a plug stands in the house.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
PATHS = (
    "http://PLUG/status (Shelly Gen1), http://PLUG/rpc/Switch.GetStatus?id=0 (Shelly Gen2 and later) "
    "or http://PLUG/cm?cmnd=Status%208 (Tasmota)"
)
MOST_BYTES = 65536


def ask(url: str, timeout_s: float) -> tuple[str, float, float, Resolution]:
    """Kind of plug, watts, joules so far and what it resolves. MeterError where it does not tell."""
    try:
        with OPENER.open(url, timeout=timeout_s) as response:
            body = response.read(MOST_BYTES).decode(errors="replace")
    except urllib.error.HTTPError as error:
        raise MeterError(
            f"the plug at {url} answers with HTTP {error.code}: meter.url should be {PATHS}"
        ) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise MeterError(
            f"the plug at {url} does not answer ({reason}): see that it has power and is on this "
            "network, and that the address opens in a browser"
        ) from None
    try:
        return parse(json.loads(body))
    except (KeyError, IndexError, TypeError, ValueError):
        raise MeterError(
            f"the plug at {url} answers what no known plug does: {body[:80]!r}; meter.url should "
            f"be {PATHS}"
        ) from None


def parse(answer: Any) -> tuple[str, float, float, Resolution]:
    """Tells the kind by its shape. Raises KeyError, IndexError, TypeError or ValueError otherwise."""
    if "StatusSNS" in answer:
        energy = answer["StatusSNS"]["ENERGY"]
        found = ("tasmota", energy["Power"], energy["Total"], 3.6e6, Resolution(1.0, 3600.0))
    elif "aenergy" in answer:
        total = answer["aenergy"]["total"]
        found = ("shelly gen2", answer["apower"], total, 3600.0, Resolution(0.1, 3.6))
    else:
        meter = answer["meters"][0]
        found = ("shelly gen1", meter["power"], meter["total"], 60.0, Resolution(0.1, 60.0))
    kind, watts, total, joules_each, step = found
    return kind, number(watts), number(total) * joules_each, step


def number(value: Any) -> float:
    """A finite number as JSON has it; ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"not a number: {value!r}")
    return float(value)
