"""What a producer sent lately, decrypted, shared by all who may ask for it again."""

from __future__ import annotations

from dataclasses import dataclass

from ..rtp.packet import RtpPacket


@dataclass(frozen=True, slots=True)
class HeldPacket:
    """Keep one packet of an encoding: `sequence` is extended to 64 bits, `arrival` ns, `data` decrypted."""

    encoding: int
    sequence: int
    arrival: int
    packet: RtpPacket
    data: bytes
    starts_key_frame: bool


class History:
    """Keep the newest packets: a ring indexed by the extended sequence number."""

    def __init__(self, size: int) -> None:
        """Make room for `size` packets, a power of two."""
        self._slots: list[HeldPacket | None] = [None] * size

    @property
    def size(self) -> int:
        """How many packets there is room for."""
        return len(self._slots)

    def put(self, held: HeldPacket) -> None:
        """Keep a packet in the place of the one that is `size` older."""
        self._slots[held.sequence % len(self._slots)] = held

    def get(self, sequence: int) -> HeldPacket | None:
        """Find a packet by its extended sequence number."""
        held = self._slots[sequence % len(self._slots)]
        return held if held is not None and held.sequence == sequence else None
