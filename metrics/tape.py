"""What a traced function has read, and how it is refused: see metrics.bytedmd."""

from __future__ import annotations

from array import array
from typing import Any, NoReturn

SELECT = (
    "compute both and choose by arithmetic, or by apply(lambda c, a, b: a if c else b, c, a, b)"
)


class BytedmdError(ValueError):
    """A function or arguments that cannot be priced as asked."""


class Escape(BytedmdError):
    """A tracked value was about to leave the trace; what it would have caused could not be priced."""


class Tape:
    """Reads in order. Value i < arguments is an argument; instruction t makes value arguments + t.

    reads: int64, the operands of all instructions. arity: operands of each instruction, one byte.
    """

    def __init__(self) -> None:
        self.arguments = 0
        self.reads: Any = array("q")
        self.arity: Any = bytearray()
        self.next = 0
        self.refused: BytedmdError | None = None  # the first; the function may have caught it

    def refuse(self, error: BytedmdError) -> NoReturn:
        self.refused = self.refused or error
        raise error

    def close(self) -> None:
        """From here on, an operation on a value that was kept somewhere is an error."""
        self.reads = self.arity = _Closed()


class _Closed:
    def append(self, value: int) -> NoReturn:
        raise Escape(
            "a tracked value was used after its function had ended, so the read is on no bill; "
            "keep nothing in globals or generators: finish the work, and return numbers or lists"
        )


def refuse(tape: Tape, what: str, instead: str) -> NoReturn:
    tape.refuse(
        Escape(
            f"{what} takes a tracked value out of the trace: what it decides from there would cost "
            f"nothing, so the figure would be too low; {instead}"
        )
    )


def failed(tape: Tape, error: Exception) -> NoReturn:
    """Whoever catches it knows something of the operands, and has not paid."""
    refuse(tape, f"an error that depends on a value ({error!r})", SELECT)
