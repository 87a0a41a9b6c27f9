"""What a FEEDBACK event of the plane holds: a receiver's word on what was sent, joined with what we know of it."""

from __future__ import annotations

import struct
from typing import NamedTuple

_GROUP = struct.Struct(">qqqIHHHxx")


class FeedbackGroup(NamedTuple):
    """What became of packets that left within 5 ms, by one transport-wide feedback of their receiver.

    `first_sent` and `last_sent` are ours, `last_arrival` is the receiver's steady clock of unknown origin (0 when
    nothing arrived), in ns. `bytes_received` counts UDP payloads. `packets_lost` had not arrived when the feedback
    was made; one that comes later is received in a group of a later feedback. `probe_cluster` 0: not sent while a
    probe was under way; no group holds packets of two clusters. A tuple, since hundreds a second come of each receiver.
    """

    first_sent: int
    last_sent: int
    last_arrival: int
    bytes_received: int
    packets_received: int
    packets_lost: int
    probe_cluster: int

    def __bytes__(self) -> bytes:
        """Pack 36 bytes, big-endian, in the order of the fields."""
        return _GROUP.pack(*self)

    @classmethod
    def read_all(cls, data: bytes) -> list[FeedbackGroup]:
        """Read the data of a FEEDBACK event."""
        return list(map(cls._make, _GROUP.iter_unpack(data)))
