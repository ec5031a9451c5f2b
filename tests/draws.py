"""An algorithm that draws pictures, well or badly, for tests/test_pictures.py."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from algorithms.base import Algorithm, Progress, Refused, Training
from algorithms.empty import Constant

PNG = b"\x89PNG\r\n\x1a\n and whatever follows"


def burn(seconds: float) -> None:
    """Spends CPU time."""
    end_s = time.process_time() + seconds
    while time.process_time() < end_s:
        pass


@dataclass
class Draws(Algorithm):
    """Learns nothing; how: what it does when it is asked to draw, or "fails" before that."""

    families: ClassVar[tuple[str, ...]] = ("classification",)
    how: str = "well"

    def train(self, data: dict[str, np.ndarray]) -> Training:
        yield Progress(0)
        if self.how == "fails":
            raise RuntimeError("no")
        return Constant()

    def pictures(self, data: dict[str, np.ndarray]) -> Any:
        began = str(time.time()).encode()
        match self.how:
            case "well":
                burn(1.0)
                return {"film.gif": PNG, "labels.png": data["y"].tobytes(), "began.svg": began}
            case "most":
                return {f"{i}.png": bytes(2 << 20) for i in range(16)}
            case "raises":
                raise RuntimeError("the ink\nis dry")
            case "refuses":
                raise Refused("no pen here")
            case "hangs":
                Path("drawing").touch()
                time.sleep(600)
            case "exits":
                print("no more", file=sys.stderr, flush=True)
                os._exit(3)
            case "number":
                return 7
            case "text":
                return {"a.png": "text"}
            case "object":
                return {"a.png": object()}
            case "climbs":
                return {"fine.png": PNG, "../x.png": PNG}
            case "program":
                return {"x.sh": b"echo"}
            case "many":
                return {f"{i}.png": PNG for i in range(17)}
            case "large":
                return {"a.png": bytes(40 << 20)}
            case "flood":
                return {"a.png": bytes(70 << 20)}
        return {}
