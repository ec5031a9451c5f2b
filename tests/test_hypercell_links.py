"""Wires between processes: whole messages in order, however long, and an end that is heard."""

from __future__ import annotations

import threading
from multiprocessing import Pipe
from multiprocessing.connection import Client, Connection, Listener

import pytest

from algorithms.hypercell.links import LinkError, Wire


def test_a_wire_takes_more_than_fits_into_it() -> None:
    """Both ends send before either receives."""
    left, right = (Wire(end, 20) for end in Pipe())
    data = bytes(3 << 20)
    for end in (left, right):
        end.send(data)
        end.send(b"more")
    assert [left.receive(), right.receive()] == [data, data]
    left.close()  # what was sent still arrives
    assert right.receive() == b"more"
    with pytest.raises(LinkError, match="a neighbouring process has ended"):
        right.receive()
    right.send(b"to nobody")
    right.close()


def test_a_wire_over_a_socket() -> None:
    with Listener(("127.0.0.1", 0), authkey=b"secret") as listener:
        address = listener.address
        ends: list[Connection] = []
        caller = threading.Thread(target=lambda: ends.append(Client(address, authkey=b"secret")))
        caller.start()
        ends.append(listener.accept())
        caller.join()
    one, other = (Wire(end, 20) for end in ends)
    one.send(b"hello")
    assert other.receive() == b"hello"
    one.close()
    with pytest.raises(LinkError):
        other.receive()
    other.close()


def test_a_silent_neighbour_is_given_up() -> None:
    here, there = Pipe()
    wire = Wire(here, 0.05)
    with pytest.raises(LinkError, match=r"said nothing for 0\.05 s"):
        wire.receive()
    wire.close()
    there.close()
