"""Messages between parent and worker."""

from __future__ import annotations

import pickle
from multiprocessing import Pipe

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import wire

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), plain))
def test_plain_values_come_back_as_they_were(message: dict[str, object]) -> None:
    assert wire.unpack(wire.pack(message)) == message


@given(
    st.sampled_from(["i1", "u1", "i4", "i8", "f4", "f8", "b1", ">f4"]),
    st.lists(st.integers(0, 5), max_size=3),
)
def test_arrays_come_back_with_dtype_shape_and_bytes(dtype: str, shape: list[int]) -> None:
    count = int(np.prod(shape))
    array = np.arange(count).astype(dtype).reshape(shape)
    back = wire.unpack(wire.pack({"a": [array]}))["a"][0]
    assert back.dtype == array.dtype and back.shape == array.shape
    assert back.tobytes() == array.tobytes()
    assert not back.flags.writeable


def test_a_transposed_array_keeps_its_meaning() -> None:
    array = np.arange(6, dtype=np.int8).reshape(2, 3).T
    assert (wire.unpack(wire.pack({"a": array}))["a"] == array).all()


@pytest.mark.parametrize("value", [np.array([object()]), np.array(["x"]), object(), {1, 2j}])
def test_what_is_no_number_is_not_sent(value: object) -> None:
    with pytest.raises(TypeError):
        wire.pack({"a": value})


def test_a_pickle_is_only_bytes_that_make_no_sense() -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return (pytest.fail, ("unpickled",))

    with pytest.raises(wire.WireError):
        wire.unpack(pickle.dumps(Trap()))


def test_an_array_of_objects_is_refused_on_arrival() -> None:
    raw = msgspec.msgpack.encode(("|O", (1,), bytes(8)))
    forged = msgspec.msgpack.encode({"a": msgspec.msgpack.Ext(wire.ARRAY, raw)})
    with pytest.raises(wire.WireError):
        wire.unpack(forged)


@given(st.binary(max_size=200))
def test_rubbish_is_a_wire_error_and_nothing_else(data: bytes) -> None:
    try:
        message = wire.unpack(data)
    except wire.WireError:
        return
    assert isinstance(message, dict)


def test_the_end_of_the_other_side_is_told() -> None:
    ours, theirs = Pipe()
    theirs.close()
    with pytest.raises(EOFError):
        wire.receive(ours)
