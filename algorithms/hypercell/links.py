"""What carries bytes between two processes: pipes and sockets on one host, gloo between hosts.

Both sides of a link send at the same time, so `send` never waits for the other to receive; that alone
keeps a ring of processes from waiting for itself.
"""

from __future__ import annotations

import queue
import threading
from datetime import timedelta
from multiprocessing.connection import Connection
from typing import Any, Protocol

from algorithms.base import Refused

PATIENCE_S = 600.0  # a neighbour that says nothing for so long is given up
TO_ABOVE, TO_BELOW = 0, 1  # tags: in a ring of two, both directions lead to the same process


class LinkError(RuntimeError):
    """Raised where a neighbour is gone, or is not what it should be."""


class Link(Protocol):
    """A way to one neighbour. All of it may raise LinkError."""

    def send(self, data: bytes) -> None:
        """Sends without waiting until it is received; in order; at least one byte."""

    def receive(self) -> bytes:
        """Waits for what the neighbour sent next."""
        ...

    def close(self) -> None:
        """Ends the link; what was sent still arrives."""


class Wire:
    """A link over a `multiprocessing` connection: one end of a `Pipe`, or a socket of `Listener`
    or `Client`. A thread does the sending."""

    def __init__(self, connection: Connection, patience_s: float = PATIENCE_S) -> None:
        self._connection, self._patience_s = connection, patience_s
        self._outgoing: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._post, daemon=True)
        self._thread.start()

    def send(self, data: bytes) -> None:
        self._outgoing.put(data)

    def receive(self) -> bytes:
        try:
            if self._connection.poll(self._patience_s):
                return self._connection.recv_bytes()
        except (EOFError, OSError) as error:
            raise LinkError(
                f"a neighbouring process has ended ({error or 'end of file'})"
            ) from None
        raise LinkError(f"a neighbouring process said nothing for {self._patience_s:g} s")

    def close(self) -> None:
        self._outgoing.put(None)
        self._thread.join(self._patience_s)
        self._connection.close()

    def _post(self) -> None:
        while (data := self._outgoing.get()) is not None:
            try:
                self._connection.send_bytes(data)
            except OSError:
                return  # receiving will say it, once what the neighbour had still sent is read


class Gloo:
    """A link over torch.distributed, which `join` has set up."""

    def __init__(self, peer: int, sends: int, receives: int) -> None:
        """peer: the neighbour's rank. sends, receives: tags of the two directions."""
        self._peer, self._sends, self._receives = peer, sends, receives
        self._pending: list[tuple[Any, Any]] = []

    def send(self, data: bytes) -> None:
        import torch
        import torch.distributed as dist

        self._settle()
        size = torch.tensor([len(data)])
        body = torch.frombuffer(bytearray(data), dtype=torch.uint8)
        try:
            for part in (size, body):  # kept until they are sent
                self._pending.append((dist.isend(part, self._peer, tag=self._sends), part))
        except RuntimeError as error:
            raise self._lost(error) from None

    def receive(self) -> bytes:
        import torch
        import torch.distributed as dist

        size = torch.zeros(1, dtype=torch.int64)
        try:
            dist.recv(size, self._peer, tag=self._receives)
            body = torch.zeros(int(size[0]), dtype=torch.uint8)
            dist.recv(body, self._peer, tag=self._receives)
        except RuntimeError as error:
            raise self._lost(error) from None
        return body.numpy().tobytes()

    def close(self) -> None:
        self._settle()

    def _settle(self) -> None:
        """Waits until what was sent is received: the neighbour needs nothing more for that."""
        try:
            for work, _ in self._pending:
                work.wait()
        except RuntimeError as error:
            raise self._lost(error) from None
        finally:
            self._pending.clear()

    def _lost(self, error: RuntimeError) -> LinkError:
        return LinkError(
            f"the neighbouring process {self._peer} is gone ({str(error).splitlines()[0]})"
        )


def join(
    address: str, rank: int, processes: int, ring: bool, patience_s: float = PATIENCE_S
) -> tuple[Gloo | None, Gloo | None]:
    """Meets all processes at `address` (tcp://host:port of rank 0, or file:///path that all can reach)
    and returns the links to the processes below and above. Raises Refused without torch."""
    try:
        import torch.distributed as dist
    except ImportError:
        raise Refused(
            "processes on several hosts talk through torch.distributed; install it with "
            "`pip install 'joulebench[torch]'`"
        ) from None
    if not dist.is_available():
        raise Refused("this torch was built without torch.distributed; install another build of it")
    dist.init_process_group(
        "gloo",
        init_method=address,
        rank=rank,
        world_size=processes,
        timeout=timedelta(seconds=patience_s),
    )
    below = Gloo((rank - 1) % processes, TO_BELOW, TO_ABOVE) if ring or rank > 0 else None
    above = (
        Gloo((rank + 1) % processes, TO_ABOVE, TO_BELOW) if ring or rank < processes - 1 else None
    )
    return below, above


def part() -> None:
    """Ends what `join` began."""
    import torch.distributed as dist

    dist.destroy_process_group()
