"""Records of other schema versions: older ones are brought up to date where that is known, newer ones named.

A migration takes the dict of a Record of version v to that of version v + 1. Whoever raises
`SCHEMA_VERSION` adds the one from the version before it; a version without one cannot be read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from metrics.record import SCHEMA_VERSION

Migration = Callable[[dict[str, Any]], dict[str, Any]]

MIGRATIONS: dict[
    int, Migration
] = {}  # by the version that it starts from; 1 is the first there was


class VersionError(ValueError):
    """A Record of a version that this program cannot read: which, and the way out."""


class Version(msgspec.Struct, gc=False):
    """The one field that tells how to read the others."""

    schema_version: int


def updated(line: bytes, version: int) -> bytes:
    """A Record of an older version as one of this; raises VersionError where no migration leads here."""
    if version > SCHEMA_VERSION:
        raise VersionError(
            f"a Record of schema version {version}, this program reads {SCHEMA_VERSION}: a newer joulebench "
            "wrote it; update this one (pip install -U joulebench, or git pull)"
        )
    record = msgspec.json.decode(line, type=dict[str, Any])
    while version < SCHEMA_VERSION:
        if version not in MIGRATIONS:
            raise VersionError(
                f"a Record of schema version {version}, this program reads {SCHEMA_VERSION} and knows no way "
                "from there; read it with the joulebench that wrote it"
            )
        record = MIGRATIONS[version](record)
        version += 1
        record["schema_version"] = version
    return msgspec.json.encode(record)
