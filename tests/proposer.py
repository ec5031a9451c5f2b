"""A proposer for process=command, well or badly behaved (tests/test_tune_command.py); see
harness/processes/command.py for what it speaks.

    python proposer.py [well | rubbish | unknown | type | exits | mute | never | ends | deaf | flood |
    child | deep | huge]
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from typing import Any


def main(how: str) -> None:
    best: dict[str, Any] | None = None
    if how == "deaf":
        time.sleep(60)
    if how == "flood":
        while True:
            print("{}", flush=True)
    if how == "child":
        subprocess.Popen(["sleep", "4242"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for line in sys.stdin:
        message = json.loads(line)
        match message["do"]:
            case "begin":
                space, seed = message["space"], message["seed"]
                best = message
            case "tell" if message["met"] and (best is None or "energy_j" not in best):
                best = message
            case "tell" if message["met"] and best and message["energy_j"] < best["energy_j"]:
                best = message
            case "ask":
                answer(how, message["number"], space, seed)
            case "end":
                say({"declared": {"tokens": 7}})


def answer(how: str, number: int, space: dict[str, Any], seed: int) -> None:
    """Proposes a learning rate at random, from the seed and the trial's number alone."""
    good = {"lr": round(random.Random(f"{seed} {number}").uniform(0.02, 0.1), 3)}
    assert space["lr"]["low"] <= good["lr"] <= space["lr"]["high"]
    if how == "rubbish":
        print("thinking ...", flush=True)
        return
    if how == "deep":
        print("[" * 100_000, flush=True)
        return
    if how == "huge":
        print(json.dumps({"fields": good, "declared": {"tokens": 10**400}}), flush=True)
        return
    if how == "exits" and number == 1:
        sys.exit(3)
    if how == "never":
        time.sleep(60)
    if how == "ends" and number == 2:
        say({"done": True})
        return
    fields: dict[str, Any] = {"unknown": {"rl": 0.1}, "type": {"lr": "fast"}}.get(how, good)
    if how in ("unknown", "type") and number % 2:
        fields = good
    say({"fields": fields, "declared": {"tokens": 100, "energy_j": 0.5}})


def say(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "well")
