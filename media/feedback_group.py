"""What a FEEDBACK event of the plane holds: a receiver's word on what was sent, joined with what we know of it."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_GROUP = struct.Struct(">qqqIHHHxx")


@dataclass(frozen=True, slots=True)
class FeedbackGroup:
    """What became of packets that left within 5 ms, by one transport-wide feedback of their receiver.

    `first_sent` and `last_sent` are ours, `last_arrival` is the receiver's steady clock of unknown origin (0 when
    nothing arrived), in ns. `bytes_received` counts UDP payloads. `packets_lost` had not arrived when the feedback
    was made; one that comes later is received in a group of a later feedback. `probe_cluster` 0: not sent while a
    probe was under way; no group holds packets of two clusters.
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
        return _GROUP.pack(
            self.first_sent,
            self.last_sent,
            self.last_arrival,
            self.bytes_received,
            self.packets_received,
            self.packets_lost,
            self.probe_cluster,
        )

    @classmethod
    def read_all(cls, data: bytes) -> list[FeedbackGroup]:
        """Read the data of a FEEDBACK event."""
        return [cls(*fields) for fields in _GROUP.iter_unpack(data)]
