"""What the server and a field's worker say to each other: a letter, a length of four bytes, and that many bytes."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any, Final

from media.plane import Codec

from .pictures import Stream

#: To the worker: what packets are to be understood as; packets (tap records); the marks that are new or have
#: changed, and those that went; that what it told last did not stand; frames that something is being drawn on.
STREAM: Final = b"S"
PACKETS: Final = b"P"
MARKS: Final = b"M"
FORGET: Final = b"F"
DRAWN: Final = b"D"
#: From the worker: tracks; the newest picture that was looked at; that a key frame is needed.
TRACKS: Final = b"T"
ALIVE: Final = b"A"
KEY_FRAME: Final = b"K"

_HEAD: Final = struct.Struct("!cI")
#: 64 MB of backlog and some.
LIMIT: Final = 80 << 20


class WireError(ValueError):
    """The other end says what cannot be understood."""


def message(kind: bytes, payload: bytes) -> bytes:
    """Write a message."""
    return _HEAD.pack(kind, len(payload)) + payload


def message_of(kind: bytes, body: object) -> bytes:
    """Write a message that holds JSON."""
    return message(kind, json.dumps(body, separators=(",", ":")).encode())


class Messages:
    """Parts a stream of bytes into messages."""

    def __init__(self) -> None:
        self._held = bytearray()

    def receive(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Take bytes; yield (kind, payload) of the messages that they complete. Raise WireError."""
        self._held += data
        while len(self._held) >= _HEAD.size:
            kind, length = _HEAD.unpack_from(self._held)
            if length > LIMIT:
                raise WireError(f"A message claims {length} bytes.")
            end = _HEAD.size + length
            if len(self._held) < end:
                return
            payload = bytes(self._held[_HEAD.size : end])
            del self._held[:end]
            yield kind, payload


def describe(stream: Stream) -> dict[str, object]:
    """Write a stream for a worker."""
    return {
        "codec": stream.codec.name,
        "payload_type": stream.payload_type,
        "fmtp": stream.fmtp,
        "clock_rate": stream.clock_rate,
    }


def read_stream(body: dict[str, Any]) -> Stream:
    """Read what `describe` wrote."""
    return Stream(
        Codec[str(body["codec"])], int(body["payload_type"]), str(body["fmtp"]), int(body["clock_rate"])
    )
