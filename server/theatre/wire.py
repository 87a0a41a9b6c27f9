"""What a worker and the server say to each other, over pipes.

To the worker: one JSON object a line; the first holds the key, so that it stands in no argument. From it: a kind, a
length and so many bytes: JSON that says how things stand, or a burst of one track's packets, each after its size.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from typing import Any, Final

STATE: Final = 1
PACKETS: Final = 2

_HEAD = struct.Struct("!BI")
_TRACK = struct.Struct("!I")
_SIZE = struct.Struct("!H")

STATES: Final = ("opening", "ready", "failed", "playing", "paused")

HEAD_SIZE: Final = _HEAD.size
#: A burst has 32 packets of 1,452 bytes at most; a state names a recording's tracks.
MOST: Final = 1 << 20


class WireError(ValueError):
    """What came over the pipe is not what the other side writes."""


def state(body: dict[str, Any]) -> bytes:
    """Write how things stand."""
    data = json.dumps(body, allow_nan=False).encode()
    return _HEAD.pack(STATE, len(data)) + data


def burst(track: int, packets: Sequence[bytes]) -> bytes:
    """Write packets of one track that leave together."""
    pieces = [_TRACK.pack(track)]
    for packet in packets:
        pieces += (_SIZE.pack(len(packet)), packet)
    data = b"".join(pieces)
    return _HEAD.pack(PACKETS, len(data)) + data


def head(data: bytes) -> tuple[int, int]:
    """Read kind and length. Raise WireError."""
    if len(data) != HEAD_SIZE:
        raise WireError("A worker's message ends within its head.")
    kind, length = _HEAD.unpack(data)
    if kind not in (STATE, PACKETS) or length > MOST:
        raise WireError("A worker's message has an unknown kind or is too long.")
    return kind, length


def read_state(data: bytes) -> dict[str, Any]:
    """Read how things stand. Raise WireError."""
    try:
        body = json.loads(data, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise WireError("A worker's state is not JSON.") from None
    if type(body) is not dict or body.get("state") not in STATES:
        raise WireError("A worker's state is not a JSON object that says how it stands.")
    return body


def _refuse(_: str) -> None:
    raise ValueError("JSON has no such number")


def read_burst(data: bytes) -> tuple[int, list[bytes]]:
    """Read a burst: its track and packets. Raise WireError."""
    if len(data) < _TRACK.size:
        raise WireError("A burst names no track.")
    packets = []
    at = _TRACK.size
    while at < len(data):
        if at + _SIZE.size > len(data):
            raise WireError("A burst ends within a packet's size.")
        (size,) = _SIZE.unpack_from(data, at)
        at += _SIZE.size
        if at + size > len(data):
            raise WireError("A burst ends within a packet.")
        packets.append(data[at : at + size])
        at += size
    return int(_TRACK.unpack_from(data)[0]), packets
