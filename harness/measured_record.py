"""From what was measured of a command, or of a stretch of code, to its Record."""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harness import host
from metrics import record as rec
from metrics.record import Record

if TYPE_CHECKING:
    from harness.metering import Metering


def new_run() -> tuple[str, datetime]:
    """A run id, named by this moment, and the moment."""
    started = datetime.now(UTC)
    return f"{started:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}", started


def to_record(
    metering: Metering,
    run: str,
    started: datetime,
    name: str,
    argv: list[str],
    variant: str,
    status: rec.Status,
    error: str | None,
    exit_code: int | None,
) -> Record:
    """The Record of kind "measured command", its trace saved. Where a sensor was lost, it has failed."""
    if metering.meter.problems:
        status, error = "failed", "; ".join([*([error] if error else []), *metering.meter.problems])
    config = {"argv": argv, "folder": str(Path.cwd())}
    content = rec.canonical(config)
    nothing = hashlib.sha256(rec.canonical({})).hexdigest()
    trace = metering.save_trace(run)
    return Record(
        schema_version=rec.SCHEMA_VERSION,
        kind=rec.MEASURED_COMMAND,
        run=run,
        status=status,
        error=error,
        started_at=started.isoformat(timespec="seconds"),
        task=rec.TaskInfo(
            name="command",
            family="command",
            variant=variant,
            access="none",
            target="",
            config={},
            config_sha256=nothing,
        ),
        algorithm=rec.AlgorithmInfo(
            name=name,
            target=argv[0],
            config=config,
            config_sha256=hashlib.sha256(content).hexdigest(),
            code_sha256="",
            code_bytes=0,
            config_bytes=len(content),
        ),
        process="measured",
        draw=rec.DrawInfo(seed=0, nonce="", repeats=1),
        score=None,
        headline=metering.headline,
        energy=metering.rows,
        phases=metering.phases,
        source=metering.meter.source,
        empty=None,
        isolation="none",
        audit={} if exit_code is None else {"exit_code": exit_code},
        host=host.describe(host.available_cores()),
        code=host.code(),
        settings={"meter": "+".join(metering.meter.names)},
        meter=metering.meter.about(),
        trace=trace,
        warnings=metering.warnings,
    )
