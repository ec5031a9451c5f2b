"""The other side of `weights_biases`: a process that has wandb, and nothing else of a run.

It reads lines of JSON (begin, log, finish, fail) from a socket and answers all but log. Nothing of the
user's machine goes up but what the Record has: no git, code, console, environment, requirements, metadata
or system metrics of wandb's own.
"""

from __future__ import annotations

import contextlib
import json
import netrc
import os
import shutil
import socket
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import msgspec

from harness.trackers import keys
from metrics import process_tree
from metrics.record import Record

ONLINE_S = 20.0  # for wandb to be let in; else it stays offline
REACH_S = 5.0
SETTINGS: dict[str, Any] = {
    "silent": True,
    "console": "off",
    "symlink": False,
    "host": "",
    "ignore_globs": ("*.log", "logs/*"),
    "program": "",
    "disable_code": True,
    "disable_git": True,
    "disable_job_creation": True,
    "save_code": False,
    "label_disable": True,
    "x_disable_machine_info": True,
    "x_disable_meta": True,
    "x_disable_stats": True,
    "x_save_requirements": False,
}
# Of newer wandbs alone: what a process that has to be killed had written can then be sent.
WHERE_KNOWN = {"x_transaction_log_flush_interval": 1.0}
NOT_OURS = ("WANDB_SERVICE", "WANDB_RUN_ID", "WANDB_RESUME", "WANDB_SWEEP_ID", "WANDB_DIR")
INTERRUPTED = 130  # as of a shell command that Ctrl-C has ended


class Follower:
    """wandb's run, while there is one."""

    def __init__(self, wandb: Any) -> None:
        self.wandb = wandb
        self.run: Any = None
        self.why = ""
        self.mode = ""
        self.problems: list[str] = []
        self.told_cpu_s = 0.0

    def begin(self, message: dict[str, Any]) -> dict[str, Any]:
        """Starts a run; offline where W&B does not let us in."""
        folder = Path(message["folder"]) / "wandb"
        folder.mkdir(parents=True, exist_ok=True)
        os.environ["WANDB_DATA_DIR"] = str(folder / "data")  # not into the user's home
        if self.run is not None:  # what went wrong there is told; its samples must not meet ours
            left, self.run = self.run, None
            left.finish(exit_code=1)
        self.problems = []
        self.mode, self.why = message["mode"], message["why"]
        if self.mode == "online" and (why := unreachable(self.wandb)):
            self.mode, self.why = "offline", why
        try:
            self._init(message, folder)
        except Exception as error:
            if self.mode != "online":
                raise
            self.mode, self.why = "offline", f"W&B: {in_short(error)}"
            self.wandb.teardown()  # its service still holds the run's id
            for begun in folder.glob(f"run-*-{message['init']['id']}"):
                shutil.rmtree(begun)
            self._init(message, folder)
        run: Any = self.run
        for axis, series in keys.AXES.items():
            run.define_metric(axis, summary="none", hidden=True)
            for name in series:
                run.define_metric(name, step_metric=axis, summary="none")
        return {"is": "begun", **self._where()}

    def _init(self, message: dict[str, Any], folder: Path) -> None:
        known = self.wandb.Settings.model_fields
        more = {name: value for name, value in WHERE_KNOWN.items() if name in known}
        settings = self.wandb.Settings(**SETTINGS, **more, init_timeout=ONLINE_S)
        self.run = self.wandb.init(
            **message["init"],
            dir=folder.parent,
            mode=self.mode,
            config=message["config"],
            settings=settings,
        )

    def log(self, message: dict[str, Any]) -> None:
        for row in message["rows"]:
            self.run.log(row)

    def finish(self, message: dict[str, Any]) -> dict[str, Any]:
        """Everything of the Record, and its end."""
        record = msgspec.convert(message["record"], Record)
        folder = Path(self.run.settings.sync_dir).parent.parent
        self.run.config.update(keys.config_of(record), allow_val_change=True)
        with self._part("the power trace"):
            for row in keys.power(folder / record.trace) if record.trace else []:
                self.run.log(row)
        for row in keys.curve(record):
            self.run.log(row)
        with self._part("the tables"):
            for name, (columns, rows) in keys.tables(record).items():
                table = self.wandb.Table(columns=columns, data=rows, allow_mixed_types=True)
                self.run.log({f"table/{name}": table})
        self.run.summary.update(keys.summary(record))
        with self._part("the artifact"):
            self._keep(record, folder)
        codes = {"ok": 0, "interrupted": INTERRUPTED}
        return self._end(codes.get(record.status, 1))

    def _keep(self, record: Record, folder: Path) -> None:
        """The Record with its trace and pictures, as an artifact of files that stay where they are."""
        artifact = self.wandb.Artifact(f"record-{record.run}", "joulebench-record")
        copy = Path(self.run.settings.sync_dir) / "record.json"
        copy.write_bytes(msgspec.json.encode(record))
        artifact.add_file(str(copy), policy="immutable")
        for name in filter(None, [record.trace, *record.pictures]):
            for path in {folder / name, (folder / name).with_suffix(".png")}:
                if path.is_file():
                    artifact.add_file(str(path), name=path.name, policy="immutable")
        self.run.log_artifact(artifact)

    def fail(self, message: dict[str, Any]) -> dict[str, Any]:
        self.run.summary.update({"status": "failed", "error": message["why"]})
        return self._end(1)

    def _end(self, code: int) -> dict[str, Any]:
        where = self._where()
        run, self.run = self.run, None
        run.finish(exit_code=code)
        log = Path(where["dir"]) / f"run-{run.id}.wandb"
        if not log.is_file() or not log.stat().st_size:
            raise OSError(f"wandb has not written {log}; is the disk full?")
        cpu_s = cpu_of(os.getpid())
        spent, self.told_cpu_s = cpu_s - self.told_cpu_s, cpu_s
        return {"is": "finished", "cpu_s": spent, "problems": self.problems, **where}

    def _where(self) -> dict[str, Any]:
        where = Path(self.run.settings.sync_dir)
        with contextlib.suppress(ValueError):
            where = where.relative_to(Path.cwd())
        return {"mode": self.mode, "why": self.why, "dir": str(where), "url": self.run.url}

    @contextlib.contextmanager
    def _part(self, what: str) -> Iterator[None]:
        """A part that may be missing without the rest."""
        try:
            yield
        except Exception as error:
            self.problems.append(f"{what} could not be told ({in_short(error)})")


def cpu_of(pid: int) -> float:
    """CPU seconds of a process and of all that it started."""
    seconds, generation = 0.0, [pid]
    while generation:
        for pid in generation:
            with contextlib.suppress(OSError):
                seconds += process_tree.own_cpu_s(pid) + process_tree.reaped_by_s(pid)
        generation = [child for pid in generation for child in process_tree.children(pid)]
    return seconds


def unreachable(wandb: Any) -> str:
    """Why W&B's server cannot be spoken to, or nothing. Any answer of it will do."""
    import requests  # wandb's own dependency, with the user's proxies

    url = wandb.setup().settings.base_url
    try:
        requests.head(url, timeout=REACH_S)
    except requests.RequestException as error:
        return f"no way to {urlsplit(url).netloc}: {type(error).__name__}"
    return ""


def hello() -> tuple[dict[str, Any], Any]:
    """What this wandb is and finds, and wandb; or the problem in words."""
    for name in NOT_OURS:
        os.environ.pop(name, None)
    os.environ["WANDB_ERROR_REPORTING"] = "false"
    os.environ["WANDB_SILENT"] = "true"
    found = {"is": "hello", "pid": os.getpid()}
    try:
        import wandb

        settings = wandb.setup().settings
        missing = sorted(set(SETTINGS) - set(wandb.Settings.model_fields))
        if missing:
            text = f"wandb {wandb.__version__} is too old ({', '.join(missing)} unknown)"
            return {**found, "problem": f"{text}: pip install -U wandb"}, wandb
        about = {
            "version": wandb.__version__,
            "mode": os.environ.get("WANDB_MODE"),
            "key": has_key(settings),
            "project": settings.project,
            "url": settings.base_url,
        }
    except Exception as error:
        return {**found, "problem": f"wandb cannot be used: {in_short(error)}"}, None
    return {**found, **about}, wandb


def has_key(settings: Any) -> bool:
    """Whether there is a key for the server: in the environment, wandb's settings or the netrc."""
    if getattr(settings, "api_key", None) or getattr(settings, "identity_token_file", None):
        return True
    hosts = {urlsplit(settings.base_url).netloc}
    if "WANDB_BASE_URL" not in os.environ:
        hosts.add("api.wandb.ai")
    paths = [os.environ.get("NETRC"), "~/.netrc", "~/_netrc"]
    for path in filter(None, paths[:1] if paths[0] else paths):
        with contextlib.suppress(OSError, netrc.NetrcParseError):
            book = netrc.netrc(str(Path(path).expanduser()))
            return any((book.authenticators(host) or ("", "", ""))[2] for host in hosts)
    return False


def in_short(error: BaseException) -> str:
    """In one line; W&B's and pydantic's say the most in their first ones."""
    return " ".join(str(error).split())[:200] or type(error).__name__


def serve(lines: BinaryIO, answer: Any) -> None:
    """Hello, then one answer to every line but log; until the parent has gone."""
    said, wandb = hello()
    answer(said)
    follower = Follower(wandb)
    for line in lines:
        message = json.loads(line)
        work = getattr(follower, message["do"])
        try:
            found = work(message)
        except Exception as error:
            with contextlib.suppress(OSError):  # a full disk takes not even that
                traceback.print_exc()
            found = {"is": "error", "text": in_short(error)}
            if message["do"] == "log":
                follower.problems.append(f"samples were lost ({found['text']})")
        if message["do"] != "log":
            answer(found)
    if follower.run is not None:  # the parent was killed: nobody waits for an answer
        follower.fail({"why": "bench was killed"})


def main(file: int) -> None:
    """The process. file: of the socket to the parent."""
    channel = socket.socket(fileno=file)

    def answer(found: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):
            channel.sendall(json.dumps(found, default=str).encode() + b"\n")

    with tempfile.TemporaryDirectory(prefix="joulebench-wandb-") as cache:
        os.environ.setdefault("WANDB_CACHE_DIR", cache)  # its service begins to log at once
        serve(channel.makefile("rb"), answer)
