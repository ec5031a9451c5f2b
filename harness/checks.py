"""What values of fields may be, said in one line where they are not. Imports nothing slow."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from harness.errors import BadInputError
from harness.load import plain


def check_schema(line: str, value: Any, hint: Any) -> None:
    try:
        msgspec.convert(value, hint)
    except msgspec.ValidationError as error:
        raise BadInputError(f"{line}: {plain(str(error))}") from None
    if isinstance(value, float) and not math.isfinite(value):
        raise BadInputError(f"{line}: must be a finite number")


def check_type(line: str, value: Any, default: Any) -> None:
    wanted = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
    kind = type(default)
    fits = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
    fits = fits or (kind is float and isinstance(value, int) and not isinstance(value, bool))
    fits = fits or (kind is str and isinstance(value, int | float))
    if kind in wanted and not fits:
        raise BadInputError(f"{line}: must be {wanted[kind]}, as in the default {default}")
    if isinstance(value, float) and not math.isfinite(value):
        raise BadInputError(f"{line}: must be a finite number")


def in_range(name: str, value: int, low: int, high: int) -> int:
    if not low <= value <= high:
        raise BadInputError(f"{name}={value}: must be {low} to {high}")
    return value


def quote(value: Any) -> str:
    """A value in Hydra's override grammar."""
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"'{escaped}'"
    if isinstance(value, list):
        return "[" + ",".join(map(quote, value)) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{k}:{quote(v)}" for k, v in value.items()) + "}"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def first_line(error: Exception) -> str:
    """Hydra's and OmegaConf's errors in one line, with the field that they speak of."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    where = next((line for line in lines if line.startswith("full_key:")), "")
    return f"{lines[0]} ({where.removeprefix('full_key:').strip()})" if where else lines[0]
