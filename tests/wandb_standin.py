"""A process in the place of wandb's. Imports little, since tests start it often."""

from __future__ import annotations

import json
import os
import resource
import socket
import time
from pathlib import Path


def main(file: int) -> None:
    """In place of wandb's process. What STAND_IN says it does wrong: hang:WORD, die:WORD, noise (dies before
    hello), full (wandb's own process on a disk without room); the lines that it reads go to STAND_IN_LOG."""
    kind, _, word = os.environ.get("STAND_IN", "").partition(":")
    if kind == "full":
        from harness.trackers import wandb_process

        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
        wandb_process.main(file)
        return
    if kind == "noise":
        raise RuntimeError("nothing works")
    channel = socket.socket(fileno=file)
    hello = {"is": "hello", "pid": os.getpid(), "mode": None, "key": False, "project": None}
    channel.sendall(json.dumps(hello).encode() + b"\n")
    with Path(os.environ["STAND_IN_LOG"]).open("ab", buffering=0) as log:
        for line in channel.makefile("rb"):
            log.write(line)
            do = json.loads(line)["do"]
            if do == word:
                if kind == "hang":
                    time.sleep(600)
                os._exit(7)
            where = {"dir": "results/wandb/offline-run-1", "mode": "offline", "why": "no key"}
            more = {"cpu_s": 0.5, "problems": [], "url": None}
            if do != "log":
                answer = {"is": do, **where, **more}
                channel.sendall(json.dumps(answer).encode() + b"\n")
