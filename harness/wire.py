"""What parent and worker say to each other: length-prefixed MessagePack, arrays as raw bytes.

Nothing is ever unpickled. A message is a dict of plain values and numpy arrays of numbers; anything
else, from either side, is refused.
"""

from __future__ import annotations

from multiprocessing.connection import Connection
from typing import Any

import msgspec
import numpy as np

MAX_MESSAGE_BYTES = (1 << 32) - 1  # what MessagePack can say; a text of tokens has gigabytes
ARRAY = 1


class WireError(ValueError):
    """A message that is none."""


def pack(message: dict[str, Any]) -> bytes:
    """Encodes a message; raises TypeError for what cannot be said."""
    return _encoder.encode(message)


def unpack(data: bytes) -> dict[str, Any]:
    """Decodes a message; arrays are read-only views of `data`. Raises WireError for rubbish."""
    try:
        message = _decoder.decode(data)
    except Exception as error:  # a stranger's bytes: whatever they break is theirs
        raise WireError(f"not a message: {error}") from None
    if not isinstance(message, dict):
        raise WireError(f"not a message: {type(message).__name__}")
    return message


def send(channel: Connection, message: dict[str, Any]) -> None:
    """Sends one message; blocks until the other side has room."""
    channel.send_bytes(pack(message))


def receive(channel: Connection, most_bytes: int = MAX_MESSAGE_BYTES) -> dict[str, Any]:
    """Waits for one message. Raises EOFError once the other side is gone, WireError for rubbish."""
    try:
        data = channel.recv_bytes(most_bytes)
    except ConnectionResetError:
        raise EOFError from None
    except BlockingIOError:
        raise
    except OSError as error:
        if "end of file" in str(error):  # it died in the middle of a message
            raise EOFError from None
        raise WireError(f"larger than {most_bytes >> 20} MiB ({error})") from None
    return unpack(data)


def _encode_array(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if not isinstance(value, np.ndarray):
        raise TypeError(f"cannot send a {type(value).__name__}; send numbers, text or numpy arrays")
    if value.dtype.kind not in "biuf":
        raise TypeError(f"cannot send an array of {value.dtype}; only numbers and booleans")
    flat = np.ascontiguousarray(value).reshape(-1).view(np.uint8)
    return msgspec.msgpack.Ext(ARRAY, _plain.encode((value.dtype.str, value.shape, flat.data)))


def _decode_array(code: int, data: memoryview) -> np.ndarray:
    if code != ARRAY:
        raise WireError(f"unknown extension {code}")
    name, shape, raw = _array.decode(data)
    dtype = np.dtype(name)
    if dtype.kind not in "biuf":
        raise WireError(f"an array of {dtype}")
    return np.frombuffer(raw, dtype).reshape(shape)


_plain = msgspec.msgpack.Encoder()
_array = msgspec.msgpack.Decoder(tuple[str, tuple[int, ...], memoryview])
_encoder = msgspec.msgpack.Encoder(enc_hook=_encode_array)
_decoder = msgspec.msgpack.Decoder(ext_hook=_decode_array)
